"""What is made of the kernel's edge events, written into a pipe here instead of by a chip."""

from __future__ import annotations

import os
import struct

import pytest
from helpers import attach

from uio_workloop import GpioEdge
from uio_workloop.clock import monotonic_ns
from uio_workloop.interrupts.claim import Claim
from uio_workloop.interrupts.debounced_gpio_interrupt import DebouncedGpioInterrupt
from uio_workloop.interrupts.gpio_edges import EdgeRecord
from uio_workloop.interrupts.gpio_interrupt import GpioInterrupt, RecordedGpioInterrupt
from uio_workloop.interrupts.interrupt_line import Trigger
from uio_workloop.testing import fence

LAST_NUMBER = (1 << 32) - 1


class Chip:
    """Stands in for the kernel's end of a line."""

    name = "gpiochip0:0"
    trigger = Trigger.EDGE

    def __init__(self) -> None:
        self.fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.record = EdgeRecord(8)
        self.claim = Claim(self.name)
        self.high = False
        self.line = None

    def edges(self, *edges: tuple[int, int, bool]) -> None:
        """Events of these numbers, times and directions, queued together."""
        os.write(
            self._write_fd,
            b"".join(
                struct.pack("=QIIII24x", at_ns, 1 if rising else 2, 0, number, number)
                for number, at_ns, rising in edges
            ),
        )

    def make(self, kind: str, period_ns: int = 1) -> GpioInterrupt:
        if kind == "counted":
            self.line = GpioInterrupt(self.fd, self.name, self.claim)
        elif kind == "recorded":
            self.line = RecordedGpioInterrupt(self.fd, self.name, self.claim, self.record)
        else:
            self.line = DebouncedGpioInterrupt(
                self.fd,
                self.name,
                self.claim,
                period_ns=period_ns,
                wanted=frozenset({True, False}),
                read_level=lambda: self.high,
                record=self.record,
            )
        return self.line

    def claim_interrupt(self, index: int, claimant) -> GpioInterrupt:
        self.line.forget()
        return self.line

    def invalidate(self, reason: str) -> None:
        pass

    def close(self) -> None:
        if self.line is not None:
            self.line.close()
        os.close(self.fd)
        os.close(self._write_fd)


@pytest.fixture
def chip():
    opened = Chip()
    yield opened
    opened.close()


every_kind = pytest.mark.parametrize("kind", ["counted", "recorded", "debounced"])


@every_kind
def test_all_queued_edges_are_read_at_once_and_gaps_in_their_numbers_are_lost(chip, kind):
    line = chip.make(kind)
    chip.edges((1, 100, True), (2, 200, False))
    assert (line.drain(), line.lost) == (2, 0)
    chip.edges((5, 300, True), (6, 400, False))
    line.drain()
    assert line.lost == 2
    assert line.drain() == 0


@every_kind
def test_numbers_wrap_at_32_bits_without_a_loss(chip, kind):
    line = chip.make(kind)
    chip.edges((LAST_NUMBER - 1, 100, True))
    line.forget()
    chip.edges((LAST_NUMBER, 200, False), (0, 300, True), (1, 400, False))
    line.drain()
    assert line.lost == 0


def test_a_loss_between_edges_that_were_read_together_is_seen(chip):
    line = chip.make("recorded")
    chip.edges((1, 100, True), (4, 200, False))
    assert (line.drain(), line.lost) == (2, 2)


@pytest.mark.parametrize(("kind", "at_ns"), [("counted", 200), ("recorded", 200), ("debounced", 200)])
def test_the_time_is_that_of_the_last_edge(chip, kind, at_ns):
    line = chip.make(kind)
    chip.edges((1, 100, True), (2, 200, False))
    line.drain()
    assert line.timestamp_ns() == at_ns


def test_recorded_edges_are_kept_until_the_line_begins_anew(chip):
    line = chip.make("recorded")
    chip.edges((1, 100, True), (2, 200, False))
    line.drain()
    assert chip.record.take() == [GpioEdge(100, True), GpioEdge(200, False)]
    chip.edges((3, 300, True))
    line.drain()
    line.forget()
    assert chip.record.take() == []


def test_a_level_that_has_lasted_is_told_by_a_timer(chip, work_loop, seen):
    chip.make("debounced", period_ns=20_000_000)
    attach(work_loop, chip, seen)
    at_ns = monotonic_ns()
    chip.edges((1, at_ns - 2, True), (2, at_ns - 1, False), (3, at_ns, True))
    seen.wait_for_calls(1)
    assert monotonic_ns() >= at_ns + 20_000_000
    fence(work_loop)
    assert seen.counts == [1]
    assert chip.record.take() == [GpioEdge(at_ns, True)]


def test_a_quiet_nobody_knows_the_length_of_tells_nothing(chip):
    line = chip.make("debounced", period_ns=50)
    chip.edges((1, 100, True), (9, 200, False), (10, 210, True))
    assert line.drain() == 1
    assert chip.record.take() == [GpioEdge(210, True)]


def test_a_debounced_line_that_is_high_already_does_not_tell_of_it(chip):
    line = chip.make("debounced")
    chip.high = True
    line.forget()
    chip.edges((1, 100, True))
    assert line.drain() == 0
    chip.edges((2, 200, False))
    assert line.drain() == 1
