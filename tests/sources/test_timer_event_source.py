"""Timers: one call per arming, never early, silent once cancelled."""

from __future__ import annotations

import threading

import pytest
from helpers import DEADLINE_S, Background

from uio_workloop import BadArgumentError, ClosedError, TimerEventSource, WorkLoop
from uio_workloop.clock import monotonic_ns
from uio_workloop.testing import fence

LONG_NS = 3_600 * 10**9


@pytest.fixture
def timer(work_loop, seen):
    source = TimerEventSource(seen)
    work_loop.add_event_source(source)
    return source


@pytest.mark.statement(112)
def test_a_timer_fires_once_and_not_before_its_deadline(work_loop, seen):
    late_ns: list[int] = []
    deadline_ns = monotonic_ns() + 5_000_000

    def action(sender):
        late_ns.append(monotonic_ns() - deadline_ns)
        seen(sender)

    timer = TimerEventSource(action)
    work_loop.add_event_source(timer)
    timer.wake_at_time_ns(deadline_ns)
    seen.wait_for_calls(1)
    fence(work_loop)

    assert len(late_ns) == 1
    assert late_ns[0] >= 0
    assert timer.abstime == 0


@pytest.mark.statement(113)
def test_a_timer_armed_again_in_its_action_is_periodic(work_loop, seen):
    def action(sender):
        seen(sender)
        sender.set_timeout_us(100)

    timer = TimerEventSource(action)
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0)
    seen.wait_for_calls(20)


def test_a_deadline_set_before_the_timer_is_on_a_loop_is_kept(work_loop, seen):
    far, near = TimerEventSource(seen), TimerEventSource(seen)
    far.set_timeout_ns(LONG_NS)
    near.set_timeout_ns(0)
    deadline_ns = far.abstime
    for each in (far, near):
        work_loop.add_event_source(each)

    assert [call.sender for call in seen.wait_for_calls(1)] == [near]
    assert far.abstime == deadline_ns


@pytest.mark.statement(122)
def test_a_stale_expiry_does_not_fire_the_new_deadline(timer, seen, work_loop):
    for _ in range(200):
        with work_loop.gate:
            timer.set_timeout_ns(0)
            Background(lambda: None).result()  # lets the loop's thread read the expiry and wait for the gate
            timer.set_timeout_ns(LONG_NS)
    fence(work_loop)

    assert seen.calls == []
    assert timer.abstime > 0


@pytest.mark.statement(121)
def test_no_action_runs_after_cancel_returned_however_hard_the_timer_fires(work_loop):
    silent = threading.Event()
    broken: list[int] = []

    def action(sender):
        if silent.is_set():
            broken.append(1)

    timer = TimerEventSource(action)
    work_loop.add_event_source(timer)
    for turn in range(500):
        timer.set_timeout_ns(turn * 100)
        timer.cancel_timeout()
        silent.set()
        work_loop.run_event_sources()
        silent.clear()

    assert broken == []


@pytest.mark.statement(116)
def test_disabling_and_enabling_before_the_deadline_keeps_it(timer):
    timer.set_timeout_ns(LONG_NS)
    deadline_ns = timer.abstime
    timer.disable()
    timer.enable()
    assert timer.abstime == deadline_ns


def test_a_removed_timer_is_silent_and_fires_its_old_deadline_when_added_and_enabled(timer, seen, work_loop):
    timer.set_timeout_ns(1_000_000)
    work_loop.remove_event_source(timer)
    fence(work_loop)
    seen_before = len(seen.calls)
    with WorkLoop("other") as other:
        other.add_event_source(timer)
        fence(other)
        assert len(seen.calls) == seen_before
        timer.enable()
        if not seen_before:
            seen.wait_for_calls(1)


@pytest.mark.parametrize("delay", [-1, -(10**12)])
def test_a_timeout_below_zero_is_refused_and_the_deadline_untouched(timer, delay):
    timer.set_timeout_ns(LONG_NS)
    deadline_ns = timer.abstime
    with pytest.raises(BadArgumentError, match=f"cannot set TimerEventSource to {delay} ns: a timeout is 0 or more"):
        timer.set_timeout_ns(delay)
    with pytest.raises(BadArgumentError, match="an instant of its clock is positive"):
        timer.wake_at_time_ns(0)
    assert timer.abstime == deadline_ns


@pytest.mark.parametrize("attached", [True, False])
def test_a_fraction_is_refused_before_anything_has_changed(work_loop, seen, attached):
    with TimerEventSource(seen) as timer:
        if attached:
            work_loop.add_event_source(timer)
        timer.set_timeout_ns(LONG_NS)
        deadline_ns = timer.abstime
        with pytest.raises(TypeError):
            timer.set_timeout_ms(0.5)
        assert timer.abstime == deadline_ns


@pytest.mark.parametrize("delay_ns", [2**62, 2**63, 2**64, 10**30])
def test_a_deadline_beyond_what_the_kernel_holds_is_simply_far_away(timer, seen, work_loop, delay_ns):
    timer.set_timeout_ns(delay_ns)
    fence(work_loop)
    assert seen.calls == []


def test_a_timer_action_is_not_entered_again_by_running_the_sources(work_loop, seen):
    depth = deepest = 0

    def action(sender):
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        seen(sender)
        if len(seen.calls) < 5:
            sender.set_timeout_ns(0)
            work_loop.run_event_sources()
        depth -= 1

    timer = TimerEventSource(action)
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0)
    seen.wait_for_calls(5)
    assert deepest == 1


def test_a_closed_timer_says_so(timer):
    timer.close()
    timer.close()
    with pytest.raises(ClosedError, match="cannot arm TimerEventSource: it is closed"):
        timer.set_timeout_ns(0)
    timer.cancel_timeout()


def test_many_timers_on_one_loop_all_fire(work_loop):
    fired = threading.Semaphore(0)
    timers = [TimerEventSource(lambda sender: fired.release()) for _ in range(100)]
    for number, timer in enumerate(timers):
        work_loop.add_event_source(timer)
        timer.set_timeout_us(number * 10)
    for _ in timers:
        assert fired.acquire(timeout=DEADLINE_S)
