"""Waiting for bits of a register, and the two byte orders, on a memfd."""

from __future__ import annotations

import mmap
import os
import sys
import threading

import pytest
from helpers import DEADLINE_S, Background
from routed_registers import RoutedRegisters

from uio_workloop import (
    BadArgumentError,
    ClosedError,
    Deadline,
    DeadlineExceededError,
    DeviceGoneError,
    RegisterError,
)
from uio_workloop.clock import MILLISECOND_NS, SECOND_NS, monotonic_ns
from uio_workloop.registers import space

LONG_NS = int(DEADLINE_S * SECOND_NS)


class Watched(RoutedRegisters):
    """Registers that count the reads, and say when the first is over."""

    def __init__(self, check_present=lambda: None) -> None:
        fd = os.memfd_create("registers")
        os.ftruncate(fd, mmap.PAGESIZE)
        super().__init__(mmap.mmap(fd, mmap.PAGESIZE), "card BAR 0", 0, 0x100, check_present)
        os.close(fd)
        self.reads = 0
        self.looked = threading.Event()

    def _load(self, offset: int, width: int) -> int:
        value = super()._load(offset, width)
        self.reads += 1
        self.looked.set()
        return value


@pytest.fixture
def registers():
    made = Watched()
    yield made
    made.invalidate(lambda: ClosedError("the card is closed"))


def test_bits_that_are_there_already_cost_one_read_and_come_with_the_rest_of_the_register(registers):
    registers.write32(0x20, 0xA5)
    assert registers.wait_until(0x20, 0x0F, 0x05, LONG_NS) == 0xA5
    assert registers.reads == 1


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_bits_that_come_later_are_waited_for_in_every_width(registers, width):
    top = 1 << width - 1
    waiting = Background(lambda: registers.wait_until(0x20, top, top, LONG_NS, width=width))
    assert registers.looked.wait(DEADLINE_S)
    getattr(registers, f"write{width}")(0x20, top | 1)
    assert waiting.result() == top | 1


def test_what_was_waited_for_is_said_when_the_time_is_over(registers):
    registers.write32(0x20, 0x81)
    with pytest.raises(DeadlineExceededError) as refused:
        registers.wait_until(0x20, 0x80, 0, 2 * MILLISECOND_NS)
    assert str(refused.value) == (
        "card BAR 0 at 0x20 did not become 0x0 under mask 0x80 within 0.002 s; the last read gave 0x81"
    )


def test_no_time_at_all_is_one_look(registers):
    with pytest.raises(DeadlineExceededError):
        registers.wait_until(0x20, 1, 1, 0)
    assert registers.reads == 1


def test_the_last_look_is_after_the_deadline(registers, monkeypatch):
    """Whoever sleeps through his deadline has not seen yet what happened meanwhile."""
    late = Deadline.after(2 * MILLISECOND_NS)

    def oversleep(seconds: float) -> None:
        while not late.expired:
            pass
        registers.write32(0x20, 1)

    monkeypatch.setattr("time.sleep", oversleep)
    assert registers.wait_until(0x20, 1, 1, MILLISECOND_NS) == 1
    assert late.expired


def test_a_look_that_outlasts_the_deadline_is_not_the_last(registers, monkeypatch):
    late = Deadline.after(2 * MILLISECOND_NS)
    load = registers._load

    def slow_load(offset: int, width: int) -> int:
        seen = load(offset, width)
        while not late.expired:
            pass
        registers.write32(0x20, 1)  # after this look
        return seen

    monkeypatch.setattr(registers, "_load", slow_load)
    assert registers.wait_until(0x20, 1, 1, MILLISECOND_NS) == 1
    assert registers.reads == 2


def test_a_long_wait_looks_seldom(registers):
    with pytest.raises(DeadlineExceededError):
        registers.wait_until(0x20, 1, 1, 100 * MILLISECOND_NS)
    assert 2 <= registers.reads < 150  # without pauses it would be tens of thousands


def test_a_wait_ends_when_the_device_leaves(registers):
    waiting = Background(lambda: registers.wait_until(0x20, 1, 1, LONG_NS))
    assert registers.looked.wait(DEADLINE_S)
    registers.invalidate(lambda: DeviceGoneError("the card has left"))
    with pytest.raises(DeviceGoneError, match="the card has left"):
        waiting.result()


@pytest.mark.parametrize(
    ("mask", "value", "timeout_ns", "says"),
    [
        (1, 1, -1, "cannot wait -1 ns for card BAR 0 at 0x20: a timeout is a whole number of nanoseconds, 0 or more"),
        (1, 2, 0, "cannot wait for card BAR 0 at 0x20 to be 0x2 under mask 0x1: it never will be"),
        (1 << 32, 0, 0, "to be 0x0 under mask 0x100000000: it never will be"),
    ],
)
def test_a_wait_that_makes_no_sense_is_refused(registers, mask, value, timeout_ns, says):
    with pytest.raises(BadArgumentError, match=says):
        registers.wait_until(0x20, mask, value, timeout_ns)
    assert registers.reads == 0


def test_a_wait_for_a_register_that_is_not_there_is_refused(registers):
    with pytest.raises(RegisterError, match="it cannot be 24 bits wide"):
        registers.wait_until(0x20, 1, 1, 0, width=24)
    with pytest.raises(RegisterError, match="the offset is not aligned"):
        registers.wait_until(0x21, 1, 1, 0)


@pytest.mark.parametrize(("width", "value"), [(8, 0x11), (16, 0x1122), (32, 0x11223344), (64, 0x1122334455667788)])
def test_each_byte_order_reads_what_it_wrote_and_the_bytes_lie_as_it_says(registers, width, value):
    for view, order in ((registers.big_endian, "big"), (registers.little_endian, "little")):
        getattr(view, f"write{width}")(0x10, value)
        assert getattr(view, f"read{width}")(0x10) == value
        assert bytes(registers.read8(0x10 + n) for n in range(width // 8)) == value.to_bytes(width // 8, order)
        assert view.byte_order == order


def test_the_order_that_is_there_already_is_no_other_object(registers):
    own, other = (f"{order}_endian" for order in ("little", "big")[:: 1 if sys.byteorder == "little" else -1])
    swapped = getattr(registers, other)
    assert registers.byte_order == sys.byteorder
    assert getattr(registers, own) is registers
    assert getattr(swapped, own) is registers
    assert getattr(swapped, other) is swapped


def test_the_other_byte_order_is_checked_and_waits_as_its_own(registers):
    view = registers.big_endian
    with pytest.raises(RegisterError, match="it does not fit 16 bits"):
        view.write16(0x10, 1 << 16)
    with pytest.raises(RegisterError, match="is outside its 0x100 bytes"):
        view.read32(0x100)
    view.write32(0x10, 0x80)
    assert view.wait_until(0x10, 0x80, 0x80, 0) == 0x80


def test_both_byte_orders_end_with_the_device(registers):
    view = registers.big_endian
    view.invalidate(lambda: DeviceGoneError("the card has left"))
    for access in (lambda: view.read16(0), lambda: view.write16(0, 1), lambda: registers.read16(0)):
        with pytest.raises(DeviceGoneError, match="the card has left"):
            access()
    assert "unusable" in repr(view)
    assert "unusable" in repr(registers)


@pytest.mark.parametrize("order", ["little_endian", "big_endian"])
def test_a_wait_asks_between_two_looks_whether_the_device_is_still_there(order):
    asked = []

    def check_present() -> None:
        asked.append(registers.reads)
        if len(asked) == 3:
            raise DeviceGoneError("the card has left")

    registers = Watched(check_present)
    with pytest.raises(DeviceGoneError, match="the card has left"):
        getattr(registers, order).wait_until(0x20, 1, 1, LONG_NS)
    assert asked == [1, 2, 3]
    registers.write32(0x20, 0xFFFFFFFF)
    assert getattr(registers, order).wait_until(0x20, 1, 1, LONG_NS)
    assert len(asked) == 3, "what is there at once costs no question"
    registers.invalidate(lambda: ClosedError("the card is closed"))


def test_a_wait_for_a_device_that_left_says_so_even_at_its_deadline():
    def check_present() -> None:
        raise DeviceGoneError("the card has left")

    registers = Watched(check_present)
    with pytest.raises(DeviceGoneError):
        registers.wait_until(0x20, 1, 1, 0)
    registers.invalidate(lambda: ClosedError("the card is closed"))


def test_a_pause_is_never_longer_than_an_eighth_of_what_was_waited_nor_than_what_is_left(registers, monkeypatch):
    pauses = []
    deadline = Deadline.after(20 * MILLISECOND_NS)
    began_ns = monotonic_ns()

    def sleep(seconds: float) -> None:
        pause_ns = round(seconds * SECOND_NS)
        waited_ns = monotonic_ns() - began_ns
        pauses.append((pause_ns, max(space.SHORTEST_PAUSE_NS, waited_ns // space.PAUSE_DIVISOR + 1)))
        really_sleep(seconds)

    really_sleep = space.time.sleep
    monkeypatch.setattr(space.time, "sleep", sleep)
    with pytest.raises(DeadlineExceededError):
        registers.wait_until(0x20, 1, 1, deadline.remaining_ns)
    assert all(0 <= pause <= most for pause, most in pauses)
    assert pauses[0][0] >= space.SHORTEST_PAUSE_NS
    assert len(pauses) < 200, "it does not spin"
