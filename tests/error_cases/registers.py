"""Accesses that cannot be, and layouts that no device has."""

from __future__ import annotations

import enum
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from error_cases.case import Case, public_names
from uio_workloop import ClosedError, Field, PortRegisters, Register, RegisterBlock, Registers


class Mode(enum.IntEnum):
    IDLE = 0
    RUN = 1


class Card(RegisterBlock, size=0x10):
    control = Register(0x0)
    ready = control.bit(0)
    mode = control.bits(4, 7, Mode)
    status = Register(0x4, access="w1c")
    done = status.bit(0)
    version = Register(0x8, access="ro")
    data = Register(0xC, access="wo")
    high = data.bit(7)


class Other(RegisterBlock, size=0x4):
    word = Register(0)
    flag = word.bit(0)


def layout(size: Any = 8, **registers: Register | Field[Any]) -> type[RegisterBlock]:
    return type(RegisterBlock)("Card", (RegisterBlock,), {**registers}, size=size)


@contextmanager
def regions() -> Iterator[dict[str, Any]]:
    """A BAR in memory, its layout, and one in I/O ports; and one whose device was closed."""
    bar, closed = (Registers(mmap.mmap(-1, mmap.PAGESIZE), "0000:00:04.0 BAR 0", 0, 0x100) for _ in range(2))
    fd = os.memfd_create("ports")
    os.truncate(fd, 0x100)
    ports = PortRegisters(fd, "0000:00:05.0 BAR 1", 0x100)
    card = Card(bar)
    bar.write32(0, 0x20)
    closed.invalidate(lambda: ClosedError("0000:00:04.0 is closed; find it again"))
    names = {
        "bar": bar,
        "ports": ports,
        "card": card,
        "Card": Card,
        "Other": Other,
        "closed": closed,
        "layout": layout,
        "SelfTest": SelfTest,
    }
    yield {**public_names(), **names}
    for each in bar, ports:
        each.invalidate(lambda: ClosedError("over"))


@contextmanager
def stale_ports() -> Iterator[dict[str, Any]]:
    """Ports that answer as the kernel does: nothing there."""
    fd = os.memfd_create("ports")
    ports = PortRegisters(fd, "0000:00:05.0 BAR 1", 0x100)
    yield {"ports": ports}
    ports.invalidate(lambda: ClosedError("over"))


def each(error: str, *lines: str) -> list[Case]:
    return [Case(line, error, regions) for line in lines]


LOCKED = 'raise ports._translated("read", 0, 1, OSError(1, ""))'
GONE = 'raise ports._translated("read", 0, 1, OSError(19, ""))'

CASES = {
    "Registers": [
        *each("RegisterError", "bar.read32(0x2)", "bar.read8(-1)", "bar.read64(0x100)", "bar.write16(0x100, 0)"),
        *each("RegisterError", "bar.read32(None)", "bar.write8(0, 0x100)", "bar.write32(0, -1)", "bar.write32(0, 1.5)"),
        *each("RegisterError", "ports.read64(0)", "ports.read16(1)", "ports.write8(0, 256)"),
        *each("RegisterError", "bar.wait_until(0, 1, 1, 0, width=24)", "bar.reader(0x4, width=24)"),
        *each("BadArgumentError", "bar.wait_until(0, 1, 1, -1)", 'bar.wait_until(0, 1, 1, float("nan"))'),
        *each("BadArgumentError", "bar.wait_until(0, 1, 2, 0)", "bar.wait_until(0, 1 << 32, 0, 0)"),
        *each("DeadlineExceededError", "bar.wait_until(0x4, 1, 1, 1_000_000)"),
        Case("closed.read32(0)", "ClosedError", regions, "after `card.close()`"),
        Case("ports.read8(0)", "DeviceError", stale_ports, "where the kernel knows no ports"),
        Case(LOCKED, "PrivilegeError", regions, "ports, and a kernel that is locked down"),
        Case(GONE, "DeviceGoneError", regions, "ports of a card that has left"),
    ],
    "Declared layouts": [
        *each("RegisterError", "card.version = 1", "card.data", "card.ready = True", "card.done = True"),
        *each("RegisterError", "card.control = 1 << 32", "card.modify(mode=16)", "card.modify(start=1)"),
        *each("RegisterError", "card.modify(ready=True, done=True)", "card.modify()", "card.modify(done=True)"),
        *each("RegisterError", "card.clear(Card.ready)", "card.clear(Other.flag)", "card.clear(True)"),
        *each("RegisterError", "card.wait_until(Card.high, True, 0)", "card.mode"),
        *each("RegisterError", "Card(bar, 0xf8)", "Card(bar, 2)", "Card(bar, 0.5)", "Card(None)"),
        *each("RegisterError", 'layout(size="8")', "layout(a=Register(0, width=24))", "layout(a=Register(2))"),
        *each("RegisterError", "layout(a=Register(8))", "layout(a=Register(0.5))", 'layout(a=Register(0, access="r"))'),
        *each("RegisterError", "layout(a=Register(0), b=Register(2, width=16))"),
        *each("RegisterError", "layout(a=Register(0).bit(0))", "a = Register(0); layout(a=a, b=a.bits(30, 32))"),
        *each("RegisterError", "a = Register(0); layout(a=a, b=a.bits(0, 3), c=a.bit(3))"),
        *each("RegisterError", 'a = Register(0, access="ro"); layout(a=a, b=a.bit(0, access="w1c"))'),
        *each("RegisterError", "a = Register(0); layout(a=a, b=a.bits(0, 1, str))"),
        *each("RegisterError", "a = Register(0); layout(a=a, b=a.bits(0, 0, SelfTest))"),
    ],
}


class SelfTest(enum.IntEnum):
    OFF = 0
    ON = 1
    FAST = 2
