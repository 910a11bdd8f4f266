"""The interrupt line of a PCI card, made of files that answer as the kernel does."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from uio_workloop import DeviceGoneError
from uio_workloop._linux import pci
from uio_workloop.interrupts.claim import Claim
from uio_workloop.interrupts.pci_interrupt import PciInterrupt


@pytest.fixture
def config(tmp_path) -> Iterator[int]:
    """A configuration space."""
    path = tmp_path / "config"
    path.write_bytes(bytes(64))
    fd = os.open(path, os.O_RDWR)
    yield fd
    os.close(fd)


@pytest.fixture
def departed() -> Iterator[int]:
    """Reading it is an EIO, as of a UIO device that has left."""
    fd = os.open("/proc/self/mem", os.O_RDONLY)
    yield fd
    os.close(fd)


def test_a_card_found_gone_is_masked_at_once(config, departed):
    line = PciInterrupt(departed, config, "card", 0, Claim("card"))
    with pytest.raises(DeviceGoneError, match="card has left"):
        line.drain()
    assert pci.intx_is_masked(config)


def test_one_that_was_pulled_out_has_left_all_the_same(departed):
    nowhere = os.open("/proc/self/mem", os.O_RDWR)  # cannot be read or written either
    line = PciInterrupt(departed, nowhere, "card", 0, Claim("card"))
    with pytest.raises(DeviceGoneError, match="card has left"):
        line.drain()
    os.close(nowhere)
