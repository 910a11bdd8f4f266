"""Edges of a GPIO line of the kernel's own simulator."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from helpers import attach

from uio_workloop import GpioLine, Trigger
from uio_workloop.testing.lab import guest

EDGES = 10_000
LINE = 7
KERNEL_BUFFER = 16


def interrupt_threads(handler: str) -> list[int]:
    """The kernel threads `irq/NUMBER-HANDLER`; the kernel cuts names to 15 characters."""
    comms = {int(path.parent.name): path.read_text() for path in Path("/proc").glob("[0-9]*/comm")}
    return [pid for pid, comm in comms.items() if comm.startswith("irq/") and handler in comm]


@pytest.fixture(autouse=True)
def own_processors():
    """Whatever `Toggle` does to this thread's affinity ends with the test."""
    had = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, had)


@pytest.fixture
def gpio_line():
    guest.set_gpio(LINE, False)
    with GpioLine.find(f"{guest.gpio_chip().name}:{LINE}") as line:
        yield line


class Toggle:
    """Makes edges from outside, as a wire would, none before the kernel's interrupt thread has numbered the last.

    Edges closer than that fold into one before they get a sequence number, so nobody could account for them. The
    thread runs at real-time priority: on the same processor it preempts whoever makes the edge, at once.
    """

    def __init__(self) -> None:
        self.high = False
        self.made = 0
        for thread in interrupt_threads("uio_work"):
            os.sched_setaffinity(thread, {0})
        os.sched_setaffinity(0, {0})

    def __call__(self, n: int) -> None:
        for _ in range(n):
            self.high = not self.high
            guest.set_gpio(LINE, self.high)
        self.made += n


@pytest.mark.timeout(180)
def test_edges_in_bursts_are_delivered_or_reported_lost(gpio_line, work_loop, seen, show):
    source = attach(work_loop, gpio_line, seen)
    toggle, bursts = Toggle(), random.Random(2)

    while toggle.made < EDGES:
        burst = min(EDGES - toggle.made, bursts.choice([1, 3, 10, 16, 30, 60]))
        with work_loop.gate:  # a busy driver: the kernel's buffer has to take the burst
            toggle(burst)
    seen.wait_for(lambda calls: sum(call.count for call in calls) + source.statistics.lost == EDGES)

    lost = source.statistics.lost
    show(f"gpio-sim, bursts: {toggle.made:,} edges made = {seen.total:,} delivered + {lost:,} lost by the kernel")
    assert source.trigger is Trigger.EDGE
    assert seen.total + lost == toggle.made
    assert lost > 0, "the bursts were meant to overflow the buffer"


@pytest.mark.timeout(180)
def test_edges_at_a_pace_below_the_buffer_size_are_all_delivered(gpio_line, work_loop, seen, show):
    source = attach(work_loop, gpio_line, seen)
    toggle, bursts = Toggle(), random.Random(3)

    while toggle.made < EDGES:
        toggle(min(EDGES - toggle.made, bursts.randint(1, KERNEL_BUFFER)))
        seen.wait_for_total(toggle.made)

    show(f"gpio-sim, paced:  {toggle.made:,} edges made = {seen.total:,} delivered, {source.statistics.lost} lost")
    assert (seen.total, source.statistics.lost) == (EDGES, 0)


def test_edges_while_disabled_arrive_as_one_count(gpio_line, work_loop, seen):
    source = attach(work_loop, gpio_line, seen)
    toggle = Toggle()
    toggle(1)
    seen.wait_for_total(1)
    source.disable()
    toggle(4)
    source.enable()
    seen.wait_for_total(5)


def test_a_second_source_on_a_line_has_lost_nothing_of_the_first_ones(gpio_line, work_loop, seen):
    toggle = Toggle()
    with attach(work_loop, gpio_line, seen):
        toggle(6)
        seen.wait_for_total(6)
    source = attach(work_loop, gpio_line, seen)
    toggle(1)
    seen.wait_for_total(7)
    assert source.statistics.lost == 0


@pytest.mark.parametrize(("edge", "expected"), [("rising", 3), ("falling", 3), ("both", 6)])
def test_only_the_edges_asked_for_interrupt(work_loop, seen, edge, expected):
    guest.set_gpio(LINE, False)
    with GpioLine.find(f"{guest.gpio_chip().name}:{LINE}", edge=edge) as line:
        attach(work_loop, line, seen)
        Toggle()(6)
        seen.wait_for_total(expected)
    assert seen.total == expected


def test_a_line_tells_its_level(gpio_line):
    guest.set_gpio(LINE, True)
    assert gpio_line.read() is True
    guest.set_gpio(LINE, False)
    assert gpio_line.read() is False
