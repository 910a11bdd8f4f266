"""Timers: every way to arm one, and what a subclass can make of it."""

from __future__ import annotations

import os
import threading

import pytest
from helpers import DEADLINE_S

from uio_workloop import (
    MICROSECOND_SCALE,
    MILLISECOND_SCALE,
    NANOSECOND_SCALE,
    SECOND_SCALE,
    TICK_SCALE,
    BadArgumentError,
    Callout,
    ClosedError,
    TimerEventSource,
    WorkLoop,
)
from uio_workloop.clock import boottime_ns, monotonic_ns
from uio_workloop.testing import fence

DAY_NS = 86_400 * 10**9
SCALES = {"ns": NANOSECOND_SCALE, "us": MICROSECOND_SCALE, "ms": MILLISECOND_SCALE, "ticks": TICK_SCALE}


@pytest.fixture
def timer(work_loop, seen):
    source = TimerEventSource(seen)
    work_loop.add_event_source(source)
    return source


# Units and scales


def test_the_scales_are_iokits():
    assert [*SCALES.values(), SECOND_SCALE] == [1, 1_000, 1_000_000, 10_000_000, 1_000_000_000]


@pytest.mark.statement(112)
@pytest.mark.parametrize(("continuous", "now_ns"), [(False, monotonic_ns), (True, boottime_ns)])
@pytest.mark.parametrize("unit", SCALES)
def test_an_interval_counts_from_now_in_its_unit_on_its_clock(timer, unit, continuous, now_ns):
    before = now_ns() + DAY_NS
    getattr(timer, f"set_timeout_{unit}")(DAY_NS // SCALES[unit], continuous=continuous)
    assert before <= timer.abstime <= now_ns() + DAY_NS


@pytest.mark.parametrize("scale", [*SCALES.values(), SECOND_SCALE, 7])
def test_an_interval_counts_in_units_of_its_scale(timer, scale):
    before = monotonic_ns() + 10**6 * scale
    timer.set_timeout(10**6, scale)
    assert before <= timer.abstime <= monotonic_ns() + 10**6 * scale


@pytest.mark.parametrize("unit", SCALES)
def test_an_instant_is_meant_in_its_unit(timer, unit):
    getattr(timer, f"wake_at_time_{unit}")(10**12)
    assert timer.abstime == 10**12 * SCALES[unit]


@pytest.mark.parametrize("scale", [*SCALES.values(), SECOND_SCALE])
def test_an_instant_is_meant_in_units_of_its_scale(timer, scale):
    timer.wake_at_time(10**12, scale)
    assert timer.abstime == 10**12 * scale


def test_without_a_scale_nanoseconds_are_meant(timer):
    timer.wake_at_time(10**18)
    assert timer.abstime == 10**18
    before = monotonic_ns()
    timer.set_timeout(DAY_NS)
    assert before + DAY_NS <= timer.abstime <= monotonic_ns() + DAY_NS


ARMINGS = [
    *(f"set_timeout{suffix}" for suffix in ("", "_ns", "_us", "_ms", "_ticks")),
    *(f"wake_at_time{suffix}" for suffix in ("", "_ns", "_us", "_ms", "_ticks")),
]


@pytest.mark.statement(112)
@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("leeway_ns", [0, 1_000_000])
@pytest.mark.parametrize("arm", ARMINGS)
def test_every_way_to_arm_fires_once(timer, seen, work_loop, arm, leeway_ns, continuous):
    getattr(timer, arm)(1, leeway_ns=leeway_ns, continuous=continuous)
    seen.wait_for_calls(1)
    assert timer.abstime == 0
    fence(work_loop)
    assert len(seen.calls) == 1


@pytest.mark.parametrize("arm", ARMINGS)
def test_every_way_to_arm_refuses_what_is_negative_or_no_whole_number(timer, arm):
    timer.wake_at_time(10**18)
    with pytest.raises(BadArgumentError):
        getattr(timer, arm)(-1)
    with pytest.raises(TypeError):
        getattr(timer, arm)(0.5)
    with pytest.raises(TypeError):
        getattr(timer, arm)(1, leeway_ns=0.5)
    assert timer.abstime == 10**18


@pytest.mark.parametrize("arm", ARMINGS)
def test_every_way_to_arm_refuses_a_closed_timer(timer, arm):
    timer.close()
    with pytest.raises(ClosedError):
        getattr(timer, arm)(1)


def test_arming_on_the_other_clock_replaces_the_deadline_and_the_descriptor(timer, seen, work_loop):
    with work_loop.gate:
        for continuous in (True, False, True, False, True):
            timer.set_timeout_ns(0, continuous=continuous)
        timer.set_timeout_ns(DAY_NS, continuous=False)
    fence(work_loop)
    assert seen.calls == []

    timer.set_timeout_ns(0, continuous=True)
    seen.wait_for_calls(1)


def test_a_periodic_timer_can_change_its_clock_in_its_action(work_loop, seen):
    def action(sender):
        seen(sender)
        sender.set_timeout_us(100, continuous=not sender.continuous)

    timer = TimerEventSource(action)
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0)
    seen.wait_for_calls(20)


def test_the_factory_takes_iokits_order_of_arguments(work_loop, seen):
    owner = object()
    timer = TimerEventSource.timer_event_source(owner, seen)
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0)

    seen.wait_for_calls(1)
    assert timer.owner is owner
    with TimerEventSource.timer_event_source(owner) as actionless:
        assert actionless.action is None


def test_an_interval_counts_from_the_call_however_long_the_gate_is_waited_for(timer, work_loop):
    begun = threading.Event()
    with work_loop.gate:

        def arm() -> None:
            begun.set()
            timer.set_timeout_ns(DAY_NS)

        arming = threading.Thread(target=arm)
        arming.start()
        assert begun.wait(DEADLINE_S)
        while not work_loop.gate.waiting:
            os.sched_yield()
        called_before = monotonic_ns()
        while monotonic_ns() < called_before + 5_000_000:
            os.sched_yield()
    arming.join(DEADLINE_S)

    assert timer.abstime <= called_before + DAY_NS


# Hooks


class ByHand:
    """A callout without a clock: a test turns it."""

    def __init__(self) -> None:
        self.now = 1
        self.armed_for: list[int] = []
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)

    def now_ns(self) -> int:
        return self.now

    def fileno(self) -> int:
        return self.fd

    def arm_at(self, at_ns: int) -> None:
        self.armed_for.append(at_ns)

    def disarm(self) -> None:
        self.armed_for.append(0)

    def drain(self) -> bool:
        return os.eventfd_read(self.fd) > 0

    def close(self) -> None:
        os.close(self.fd)

    def turn_to(self, now: int) -> None:
        self.now = now
        os.eventfd_write(self.fd, 1)


class Turned(TimerEventSource):
    def set_timeout_func(self) -> None:
        self.callout_entry = ByHand()


def test_a_subclass_that_overrides_timeout_does_something_else_when_it_is_due(work_loop, seen):
    due = threading.Semaphore(0)

    class Other(TimerEventSource):
        def timeout(self) -> None:
            due.release()

    timer = Other(seen)
    work_loop.add_event_source(timer)
    for _ in range(3):
        timer.set_timeout_ns(0)
        assert due.acquire(timeout=DEADLINE_S)
    fence(work_loop)
    fence(work_loop)

    assert seen.calls == []
    assert not due.acquire(blocking=False)  # once for every arming, although it did not call the base class


def test_a_subclass_can_add_to_timeout(work_loop, seen):
    order: list[str] = []

    class Framed(TimerEventSource):
        def timeout(self) -> None:
            order.append("before")
            super().timeout()
            order.append("after")

    timer = Framed(lambda sender: order.append("action"))
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0)
    fence(work_loop)
    fence(work_loop)

    assert order == ["before", "action", "after"]


def test_timeout_called_by_hand_fires_an_armed_timer_before_its_time_and_no_other(timer, seen, work_loop):
    timer.timeout()  # not armed
    timer.set_timeout_ns(DAY_NS)
    timer.disable()
    timer.timeout()  # disabled
    assert seen.calls == []

    timer.enable()
    timer.timeout()
    (call,) = seen.calls
    assert (call.thread, call.in_gate) == (threading.get_ident(), True)
    assert timer.abstime == 0


def test_timeout_called_by_hand_on_no_loop_does_nothing(seen):
    with TimerEventSource(seen) as timer:
        timer.set_timeout_ns(0)
        timer.timeout()
        assert seen.calls == []
        assert timer.abstime > 0


def test_a_subclass_that_overrides_set_timeout_func_expires_by_other_means(work_loop, seen):
    timer = Turned(seen)
    work_loop.add_event_source(timer)
    clock = timer.callout_entry
    timer.set_timeout_ns(100, leeway_ns=20)
    clock.turn_to(100)
    fence(work_loop)
    assert seen.calls == []
    clock.turn_to(101)
    fence(work_loop)

    assert len(seen.calls) == 1
    assert clock.armed_for[0] == 121


@pytest.mark.statement(129)
def test_leeway_survives_disable_and_enable(work_loop, seen):
    timer = Turned(seen)
    work_loop.add_event_source(timer)
    timer.wake_at_time(100, leeway_ns=20)
    timer.disable()
    timer.enable()

    assert timer.callout_entry.armed_for == [120, 0, 120]
    timer.callout_entry.turn_to(100)
    fence(work_loop)
    assert len(seen.calls) == 1


def test_set_timeout_func_makes_a_callout_for_each_clock_the_timer_is_armed_on(work_loop, seen):
    made: list[Callout] = []

    class Counting(TimerEventSource):
        def set_timeout_func(self) -> None:
            super().set_timeout_func()
            made.append(self.callout_entry)

    timer = Counting(seen)
    work_loop.add_event_source(timer)
    for continuous in (False, True, True, False):
        timer.set_timeout_ns(DAY_NS, continuous=continuous)

    assert len(made) == 3
    assert timer.callout_entry is made[-1]


def test_free_is_called_once_when_the_timer_is_closed(seen):
    freed: list[int] = []

    class Counting(TimerEventSource):
        def free(self) -> None:
            freed.append(1)
            super().free()

    with WorkLoop() as loop:
        timer = Counting(seen)
        loop.add_event_source(timer)
        loop.remove_event_source(timer)
        assert freed == []
        loop.add_event_source(timer)
    timer.close()

    assert freed == [1]


class RefusedError(Exception):
    """A hook would not."""


class Refusing(TimerEventSource):
    """Makes a callout and then thinks better of it, on the clock that the test says."""

    refused_clock = True

    def set_timeout_func(self) -> None:
        super().set_timeout_func()
        if self.continuous is self.refused_clock:
            raise RefusedError


def test_a_callout_that_is_refused_at_construction_leaves_nothing_behind():
    class Never(Refusing):
        refused_clock = False

    with pytest.raises(RefusedError):
        Never()


def test_a_callout_that_is_refused_when_the_clock_changes_leaves_the_earlier_arming(work_loop, seen):
    timer = Refusing(seen)
    work_loop.add_event_source(timer)
    fence(work_loop)
    timer.set_timeout_ms(20)
    with pytest.raises(RefusedError):
        timer.set_timeout_ns(DAY_NS, continuous=True)

    seen.wait_for_calls(1)
