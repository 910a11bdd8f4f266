"""A timer's descriptor: drained when somebody has to, and never left readable, which would keep the loop awake."""

from __future__ import annotations

import select

import pytest

from uio_workloop import Deadline, TimerEventSource
from uio_workloop.clock import MILLISECOND_NS, SECOND_NS
from uio_workloop.sources.callout import Callout
from uio_workloop.testing import fence


class Counting(Callout):
    """Counts what is asked of the kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.drained = 0

    def drain(self) -> bool:
        self.drained += 1
        return super().drain()


class Counted(TimerEventSource):
    def set_timeout_func(self) -> None:
        self.callout_entry = Counting()


def readable(timer):
    return select.select([timer], [], [], 0)[0] == [timer]


def test_a_timer_that_its_action_arms_again_is_never_read(work_loop, seen):
    def action(sender):
        seen(sender)
        sender.set_timeout_us(10)

    timer = Counted(action)
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0)
    seen.wait_for_calls(50)
    with work_loop.gate:
        assert timer.callout_entry.drained == 0
        timer.cancel_timeout()
    fence(work_loop)
    assert not readable(timer)


def test_a_timer_that_has_fired_once_is_read_once_and_not_readable_any_more(work_loop, seen):
    timer = Counted(seen)
    work_loop.add_event_source(timer)
    timer.set_timeout_us(10)
    seen.wait_for_calls(1)
    fence(work_loop)
    assert timer.callout_entry.drained == 1
    assert not readable(timer)


def test_neither_is_one_whose_action_raised(work_loop, seen, caplog):
    def action(sender):
        seen(sender)
        raise ValueError("broken")

    timer = Counted(action)
    work_loop.add_event_source(timer)
    timer.set_timeout_us(10)
    seen.wait_for_calls(1)
    fence(work_loop)
    assert not readable(timer)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "silence", [TimerEventSource.cancel_timeout, TimerEventSource.disable], ids=["cancel", "disable"]
)
def test_an_expiry_that_nobody_wants_any_more_is_gone(work_loop, seen, silence):
    timer = Counted(seen)
    work_loop.add_event_source(timer)
    with work_loop.gate:  # it expires, and the loop cannot deliver
        timer.set_timeout_ns(0)
        select.select([timer], [], [])
        silence(timer)
        assert not readable(timer)
    fence(work_loop)
    assert seen.calls == []


def test_a_timer_with_leeway_that_rode_along_leaves_nothing_to_read(work_loop, seen):
    timer = Counted(seen)
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0, leeway_ns=10 * MILLISECOND_NS)
    deadline = Deadline.after(10 * SECOND_NS)
    while not timer.callout_entry.drained:  # what was armed for the end of its leeway
        fence(work_loop)
        assert not deadline.expired
    assert not readable(timer)
    assert len(seen.calls) == 1
