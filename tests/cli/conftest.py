"""A device made of memory, and less patience."""

from __future__ import annotations

import mmap

import pytest

from uio_workloop import Registers
from uio_workloop.cli import measurement
from uio_workloop.clock import SECOND_NS


class DeviceOfMemory:
    """As much of a UIO device or a PCI card as the demo's subjects use."""

    def __init__(self, node: str = "/dev/uio7") -> None:
        self.node = self.name = node
        self.address = "0000:00:04.0"
        self.event_count = 0
        self.registers = Registers(mmap.mmap(-1, mmap.PAGESIZE), node, 0, mmap.PAGESIZE)

    def map(self, index: int) -> Registers:
        return self.registers

    bar = map

    def close(self) -> None:
        pass


@pytest.fixture
def device() -> DeviceOfMemory:
    return DeviceOfMemory()


@pytest.fixture
def _short_patience(monkeypatch):
    """What is missing on purpose need not be waited for as long, but on slow machines the rest has to arrive, too."""
    monkeypatch.setattr(measurement, "SETTLE_NS", SECOND_NS)
