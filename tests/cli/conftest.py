"""Subjects that misbehave, and devices made of files and memory."""

from __future__ import annotations

import mmap

import pytest

from uio_workloop import DeviceGoneError, Registers, SoftwareInterrupt
from uio_workloop.cli import measurement
from uio_workloop.cli.subjects import SoftwareSubject


class MiscountingSubject(SoftwareSubject):
    """Claims to have raised `surplus` more interrupts than it did."""

    surplus = 3

    def outstanding(self, delivered: int) -> int | None:
        return super().outstanding(delivered - self.surplus)


class BoastingSubject(MiscountingSubject):
    """Owns up to fewer interrupts than it raised."""

    surplus = -3


class BrokenSubject(SoftwareSubject):
    """Cannot be acknowledged."""

    def acknowledge(self) -> None:
        raise ZeroDivisionError("a bug in a subject")


class SilentSubject(SoftwareSubject):
    """Raises nothing."""

    def start(self, loop) -> None:
        pass


class LeavingInterrupt(SoftwareInterrupt):
    """Its third drain finds the device gone."""

    drains = 0

    def drain(self) -> int:
        self.drains += 1
        if self.drains > 3:
            raise DeviceGoneError("the board was unplugged")
        return super().drain()


class LeavingSubject(SoftwareSubject):
    """Leaves during the run."""

    def __init__(self) -> None:
        super().__init__()
        self.provider.close()
        self.provider = LeavingInterrupt()


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
    """What is missing on purpose need not be waited for."""
    monkeypatch.setattr(measurement, "SETTLE_NS", 1)
