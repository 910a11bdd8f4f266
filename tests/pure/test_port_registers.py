"""Registers of I/O ports, on a memfd, which takes the same reads and writes as the sysfs file of a BAR."""

from __future__ import annotations

import errno
import os
import threading

import pytest
from helpers import DEADLINE_S, Background, Stage

from uio_workloop import (
    ClosedError,
    DeviceError,
    DeviceGoneError,
    PortRegisters,
    PrivilegeError,
    RegisterError,
    RegisterSpace,
)

SIZE = 0x42


@pytest.fixture
def fd():
    return os.memfd_create("resource0")


@pytest.fixture
def ports(fd):
    os.ftruncate(fd, SIZE)
    made = PortRegisters(fd, "card BAR 0", SIZE)
    yield made
    made.invalidate(lambda: ClosedError("the card is closed"))


@pytest.mark.parametrize("width", [8, 16, 32])
def test_what_was_written_is_read_back_in_every_width(ports, width):
    value = 0x44332211 & ((1 << width) - 1)
    getattr(ports, f"write{width}")(0x08, value)
    assert getattr(ports, f"read{width}")(0x08) == value
    assert isinstance(ports, RegisterSpace)


@pytest.mark.parametrize("order", ["little", "big"])
def test_a_bound_reader_and_writer_are_the_register_itself(ports, order):
    registers = getattr(ports, f"{order}_endian")
    read, write = registers.reader(0x08), registers.writer(0x08)
    write(0x44332211)
    assert read() == registers.read32(0x08) == 0x44332211
    ports.invalidate(lambda: DeviceGoneError("the card has left"))
    for use in (read, lambda: write(1)):
        with pytest.raises(DeviceGoneError, match="the card has left"):
            use()


def test_64_bits_are_refused(ports):
    for access in (
        lambda: ports.read64(0x08),
        lambda: ports.write64(0x08, 0),
        lambda: ports.reader(0x08, width=64),
        lambda: ports.big_endian.writer(0x08, width=64),
    ):
        with pytest.raises(RegisterError, match=r"64 bits of card BAR 0 at 0x8: I/O ports are 8, 16 or 32 bits wide"):
            access()


@pytest.mark.parametrize(("width", "offset"), [(8, 0x42), (16, 0x42), (32, 0x40), (8, -1), (32, -4)])
def test_an_access_outside_the_region_is_refused(ports, width, offset):
    with pytest.raises(
        RegisterError, match=rf"cannot read {width} bits of card BAR 0 at .*: .* outside its 0x42 bytes"
    ):
        getattr(ports, f"read{width}")(offset)
    with pytest.raises(RegisterError, match=rf"cannot write {width} bits of card BAR 0"):
        getattr(ports, f"write{width}")(offset, 0)


@pytest.mark.parametrize(("width", "offset"), [(16, 1), (32, 2)])
def test_an_access_off_its_alignment_is_refused(ports, width, offset):
    with pytest.raises(RegisterError, match="the offset is not aligned"):
        getattr(ports, f"read{width}")(offset)
    with pytest.raises(RegisterError, match="the offset is not aligned"):
        getattr(ports, f"write{width}")(offset, 0)


@pytest.mark.parametrize(("width", "value"), [(8, 256), (16, 1 << 16), (32, 1 << 32), (8, -1)])
def test_a_value_that_does_not_fit_is_refused_and_nothing_is_written(ports, fd, width, value):
    before = os.pread(fd, SIZE, 0)
    with pytest.raises(RegisterError, match=f"it does not fit {width} bits"):
        getattr(ports, f"write{width}")(0, value)
    assert os.pread(fd, SIZE, 0) == before


def test_ports_are_little_endian_and_can_be_had_big_endian(ports):
    ports.big_endian.write32(0, 0x11223344)
    assert ports.little_endian is ports
    assert ports.read32(0) == 0x44332211


def test_the_descriptor_is_closed_with_the_registers_and_the_first_reason_stays(ports, fd):
    ports.invalidate(lambda: DeviceGoneError("the card has left"))
    ports.invalidate(lambda: ClosedError("the card is closed"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    for access in (lambda: ports.read8(0), lambda: ports.write8(0, 1)):
        with pytest.raises(DeviceGoneError, match="the card has left"):
            access()


class AnnouncedLock:
    """A lock that says when a second thread wants it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.wanted_twice = threading.Event()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.wanted_twice.set()
            self._lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._lock.release()


def test_closing_waits_for_the_access_that_uses_the_descriptor(ports, monkeypatch):
    """Its number may be another file's a moment later."""
    ports._lock = lock = AnnouncedLock()
    inside, pread = Stage(), os.pread
    monkeypatch.setattr("os.pread", lambda *arguments: (inside.hold(), pread(*arguments))[1])
    reading = Background(ports.read8, 0)
    inside.await_reached()

    closing = Background(ports.invalidate, lambda: DeviceGoneError("the card has left"))
    assert lock.wanted_twice.wait(DEADLINE_S)
    inside.release()

    assert reading.result() == 0
    closing.result()
    assert ports.unusable


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (errno.ENODEV, DeviceGoneError, "cannot write 8 bits of card BAR 0 at 0x1: the device has left"),
        (errno.EPERM, PrivilegeError, "this kernel is locked down and lets nobody use I/O ports"),
        (errno.EIO, DeviceError, "cannot write 8 bits of card BAR 0 at 0x1: no"),
    ],
)
def test_what_the_kernel_answers_is_said(ports, monkeypatch, code, error, says):
    def refuse(*arguments: object) -> int:
        raise OSError(code, "no")

    monkeypatch.setattr("os.pwrite", refuse)  # a memfd cannot be made to answer so
    with pytest.raises(error, match=says) as refused:
        ports.write8(1, 0)
    assert refused.value.errno == code


def test_fewer_ports_than_were_promised_are_an_error_of_the_device(fd):
    ports = PortRegisters(fd, "card BAR 0", SIZE)  # the file is empty
    with pytest.raises(DeviceError, match="the kernel knows no ports there"):
        ports.read8(0)
    ports.invalidate(lambda: ClosedError("the card is closed"))


def test_a_fifo_is_read_and_filled_one_access_a_byte(ports, monkeypatch):
    fifo = bytearray(b"abc")
    accesses = []

    def pread(fd: int, length: int, offset: int) -> bytes:
        accesses.append(("read", length, offset))
        return bytes([fifo.pop(0)])

    def pwrite(fd: int, data: bytes, offset: int) -> int:
        accesses.append(("write", len(data), offset))
        fifo.extend(data)
        return len(data)

    monkeypatch.setattr("os.pread", pread)
    monkeypatch.setattr("os.pwrite", pwrite)
    ports.write8_repeatedly(5, b"de")
    assert ports.read8_repeatedly(5, 4) == b"abcd"
    assert fifo == b"e"
    assert accesses == [("write", 1, 5)] * 2 + [("read", 1, 5)] * 4


def test_a_fifo_is_checked_as_any_register(ports):
    with pytest.raises(RegisterError, match="cannot read 8 bits of card BAR 0 at 0x42: the offset is outside"):
        ports.read8_repeatedly(SIZE, 1)
    with pytest.raises(RegisterError, match="cannot write 8 bits of card BAR 0 at -0x1: the offset is outside"):
        ports.write8_repeatedly(-1, b"a")
    ports.invalidate(lambda: DeviceGoneError("the card has left"))
    for access in (lambda: ports.read8_repeatedly(0, 1), lambda: ports.write8_repeatedly(0, b"a")):
        with pytest.raises(DeviceGoneError, match="the card has left"):
            access()


def test_a_fifo_beyond_what_there_is_is_an_error_of_the_device(fd):
    ports = PortRegisters(fd, "card BAR 0", SIZE)  # the file is empty
    with pytest.raises(DeviceError, match="the kernel knows no ports there"):
        ports.read8_repeatedly(0, 2)
    ports.invalidate(lambda: ClosedError("the card is closed"))
