"""Registers on a memfd: widths, bounds, alignment, and the end."""

from __future__ import annotations

import mmap
import os

import pytest

from uio_workloop import ClosedError, DeviceGoneError, RegisterError, Registers


@pytest.fixture
def registers():
    fd = os.memfd_create("registers")
    os.ftruncate(fd, mmap.PAGESIZE)
    made = Registers(mmap.mmap(fd, mmap.PAGESIZE), "card BAR 0", 0x10, 0x41)
    os.close(fd)
    yield made
    made.invalidate(lambda: ClosedError("the card is closed"))


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_what_was_written_is_read_back_in_every_width(registers, width):
    value = 0x8877665544332211 & ((1 << width) - 1)
    getattr(registers, f"write{width}")(0x08, value)
    assert getattr(registers, f"read{width}")(0x08) == value
    assert registers.read8(0x08) == 0x11  # the machine's byte order: little


def test_one_register_is_read_and_written_repeatedly(registers):
    registers.write8_repeatedly(0x08, b"abc")
    assert registers.read8_repeatedly(0x08, 3) == b"ccc"
    assert registers.read8(0x09) == 0


@pytest.mark.parametrize("width", [8, 16, 32, 64])
@pytest.mark.parametrize("offset", [-8, 0x48, 0x1000])
def test_an_access_outside_the_region_is_refused(registers, width, offset):
    with pytest.raises(
        RegisterError, match=rf"cannot read {width} bits of card BAR 0 at .*: .* is outside its 0x41 bytes"
    ):
        getattr(registers, f"read{width}")(offset)
    with pytest.raises(RegisterError, match=rf"cannot write {width} bits of card BAR 0"):
        getattr(registers, f"write{width}")(offset, 0)


@pytest.mark.parametrize(("width", "offset"), [(16, 1), (32, 2), (64, 4)])
def test_an_access_off_its_alignment_is_refused(registers, width, offset):
    with pytest.raises(RegisterError, match=f"at {offset:#x}: the offset is not aligned"):
        getattr(registers, f"read{width}")(offset)
    with pytest.raises(RegisterError, match=f"at {offset:#x}: the offset is not aligned"):
        getattr(registers, f"write{width}")(offset, 0)


def test_the_last_byte_is_reachable_only_as_a_byte(registers):
    registers.write8(0x40, 0xAB)
    assert registers.read8(0x40) == 0xAB
    with pytest.raises(RegisterError):
        registers.read16(0x40)


@pytest.mark.parametrize(("width", "value"), [(8, 256), (16, 1 << 16), (32, 1 << 32), (64, 1 << 64), (32, -1)])
def test_a_value_that_does_not_fit_is_refused(registers, width, value):
    with pytest.raises(RegisterError, match=f"it does not fit {width} bits"):
        getattr(registers, f"write{width}")(0, value)


def test_after_the_device_left_every_access_says_so_and_the_first_reason_stays(registers):
    registers.invalidate(lambda: DeviceGoneError("the card has left"))
    registers.invalidate(lambda: ClosedError("the card is closed"))
    for access in (lambda: registers.read32(0), lambda: registers.write32(0, 1), lambda: registers.read8(0x40)):
        with pytest.raises(DeviceGoneError, match="the card has left"):
            access()
    assert "unusable" in repr(registers)


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_a_bound_reader_and_writer_are_the_register_itself(registers, width):
    read, write = registers.reader(0x08, width=width), registers.writer(0x08, width=width)
    write((1 << width) - 2)
    assert read() == getattr(registers, f"read{width}")(0x08) == (1 << width) - 2
    getattr(registers, f"write{width}")(0x08, 5)
    assert read() == 5


@pytest.mark.parametrize("bind", ["reader", "writer"])
@pytest.mark.parametrize(
    ("offset", "width", "why"),
    [
        (0x02, 32, "not aligned"),
        (0x44, 32, "outside its 0x41 bytes"),
        (-8, 64, "outside its"),
        (8.0, 32, "whole number"),
        (0, 24, "it cannot be 24 bits wide"),
    ],
)
def test_what_is_no_register_cannot_be_bound(registers, bind, offset, width, why):
    with pytest.raises(RegisterError, match=why):
        getattr(registers, bind)(offset, width=width)


@pytest.mark.parametrize("value", [1 << 32, -1, 1.0, None])
def test_a_bound_writer_refuses_what_does_not_fit(registers, value):
    registers.write32(0x08, 7)
    with pytest.raises(RegisterError, match=r"cannot write .* to card BAR 0 at 0x8: it does not fit 32 bits"):
        registers.writer(0x08)(value)
    assert registers.read32(0x08) == 7


def test_after_the_device_left_what_was_bound_says_so_and_the_mapping_is_gone(registers):
    read, write = registers.reader(0x08), registers.writer(0x08)
    registers.reader(0x10, width=8)
    registers.invalidate(lambda: DeviceGoneError("the card has left"))
    for use in (read, lambda: write(1), lambda: registers.reader(0x08), lambda: registers.writer(0x08)):
        with pytest.raises(DeviceGoneError, match="the card has left"):
            use()
    assert registers._mapping.closed


def test_an_offset_beyond_half_a_gigabyte_is_one_as_well():
    size = (1 << 29) + mmap.PAGESIZE
    fd = os.memfd_create("large")
    os.ftruncate(fd, size)  # no page of it is ever touched but one
    large = Registers(mmap.mmap(fd, size), "large", 0, size)
    os.close(fd)
    large.write32(1 << 29, 3)
    large.writer((1 << 29) + 4)(4)
    assert (large.read32(1 << 29), large.read32((1 << 29) + 4)) == (3, 4)
    with pytest.raises(RegisterError, match="not aligned"):
        large.read32((1 << 29) + 2)
    large.invalidate(lambda: ClosedError("done"))
