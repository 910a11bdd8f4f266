"""Timers: IOTimerEventSource in its work-loop flavour."""

from __future__ import annotations

import os
import threading

import pytest
from helpers import DEADLINE_S, Background, loop_asleep

from uio_workloop import BadArgumentError, CommandGate, NoResourcesError, TimerEventSource, WaitResult
from uio_workloop.clock import SECOND_NS, Deadline, monotonic_ns
from uio_workloop.testing import fence

LONG_NS = 3_600 * SECOND_NS
SOON_NS = 20_000_000


@pytest.fixture
def timer(work_loop, seen):
    source = TimerEventSource(seen)
    work_loop.add_event_source(source)
    return source


def pass_by(instant_ns: int) -> None:
    """Until that instant has passed, without leaving the processor to a nap of unknown length."""
    while monotonic_ns() < instant_ns:
        os.sched_yield()


# Arming


@pytest.mark.statement(111)
@pytest.mark.parametrize("arm", [TimerEventSource.set_timeout_ns, TimerEventSource.wake_at_time_ns])
def test_arming_a_timer_without_action_is_refused_and_an_earlier_arming_stands(timer, arm):
    timer.set_timeout_ns(LONG_NS)
    abstime = timer.abstime
    timer.set_action(None)

    with pytest.raises(NoResourcesError):
        arm(timer, 1)
    assert timer.abstime == abstime

    with TimerEventSource() as another, pytest.raises(NoResourcesError):
        arm(another, 1)


@pytest.mark.statement(112)
def test_arming_again_before_expiry_replaces_the_deadline(timer, seen, work_loop):
    with work_loop.gate:
        timer.set_timeout_ns(0)
        timer.set_timeout_ns(LONG_NS)
    fence(work_loop)
    assert seen.calls == []

    timer.set_timeout_ns(0)
    seen.wait_for_calls(1)
    fence(work_loop)
    assert len(seen.calls) == 1


@pytest.mark.statement(114)
@pytest.mark.statement(132)
@pytest.mark.parametrize("arm", [lambda timer: timer.set_timeout(0), lambda timer: timer.wake_at_time(1)])
def test_an_interval_of_zero_and_an_instant_in_the_past_fire_at_once(timer, seen, arm):
    arm(timer)
    seen.wait_for_calls(1)


@pytest.mark.statement(124)
@pytest.mark.parametrize("wake_at", ["wake_at_time", "wake_at_time_ns", "wake_at_time_us", "wake_at_time_ticks"])
def test_an_instant_of_zero_is_refused_and_an_earlier_arming_stands(timer, seen, work_loop, wake_at):
    with work_loop.gate:
        timer.set_timeout_ns(0)
        with pytest.raises(BadArgumentError):
            getattr(timer, wake_at)(0)

    seen.wait_for_calls(1)


@pytest.mark.statement(115)
def test_arming_a_disabled_timer_is_remembered_until_it_is_enabled(timer, seen, work_loop):
    timer.disable()
    timer.set_timeout_ns(SOON_NS)
    deadline_ns = timer.abstime
    timer.enable()  # before the deadline
    seen.wait_for_calls(1)
    assert monotonic_ns() >= deadline_ns

    timer.disable()
    timer.set_timeout_ns(0)  # its deadline passes while it is disabled
    fence(work_loop)
    assert len(seen.calls) == 1
    timer.enable()
    seen.wait_for_calls(2)


@pytest.mark.statement(116)
def test_a_timer_disabled_past_its_deadline_fires_once_when_enabled(timer, seen, work_loop):
    timer.set_timeout_ns(SOON_NS)
    timer.disable()
    pass_by(timer.abstime)
    fence(work_loop)
    assert seen.calls == []

    timer.enable()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert len(seen.calls) == 1


@pytest.mark.statement(116)
def test_a_timer_disabled_and_enabled_before_its_deadline_fires_once_at_the_deadline(timer, seen, work_loop):
    timer.set_timeout_ns(SOON_NS)
    deadline_ns = timer.abstime
    timer.disable()
    timer.enable()

    seen.wait_for_calls(1)
    assert monotonic_ns() >= deadline_ns
    fence(work_loop)
    assert len(seen.calls) == 1


@pytest.mark.statement(117)
@pytest.mark.statement(118)
def test_a_deadline_that_has_fired_does_not_fire_again_whoever_enables_the_timer(timer, seen, work_loop):
    timer.set_timeout_ns(0)
    seen.wait_for_calls(1)
    timer.enable()
    timer.disable()
    timer.enable()
    work_loop.enable_all_event_sources()
    fence(work_loop)

    assert len(seen.calls) == 1


@pytest.mark.statement(123)
def test_enabling_a_timer_without_action_is_no_error_and_it_stays_enabled(work_loop, seen):
    timer = TimerEventSource()
    work_loop.add_event_source(timer)
    timer.disable()
    timer.enable()
    fence(work_loop)
    assert timer.enabled

    timer.set_action(seen)
    timer.set_timeout_ns(0)
    seen.wait_for_calls(1)


# Silence


@pytest.mark.statement(119)
@pytest.mark.parametrize("enabled", [True, False])
def test_cancelling_silences_the_timer_and_leaves_it_as_enabled_as_it_was(timer, seen, work_loop, enabled):
    timer.cancel_timeout()  # never armed
    with work_loop.gate:
        timer.set_timeout_ns(0)
        (timer.enable if enabled else timer.disable)()
        timer.cancel_timeout()
        timer.cancel_timeout()
    assert timer.abstime == 0
    assert timer.enabled is enabled

    timer.enable()
    fence(work_loop)
    assert seen.calls == []


@pytest.mark.statement(120)
@pytest.mark.statement(122)
@pytest.mark.parametrize(
    "silence",
    [
        TimerEventSource.cancel_timeout,
        TimerEventSource.disable,
        lambda timer: timer.set_timeout_ns(LONG_NS),
    ],
    ids=["cancel", "disable", "arm again"],
)
def test_an_expiry_that_was_read_but_not_delivered_calls_nothing_once_it_is_called_off(work_loop, seen, silence):
    read = threading.Semaphore(0)

    class Watched(TimerEventSource):
        def on_ready(self) -> bool:
            try:
                return super().on_ready()
            finally:
                read.release()

    timer = Watched(seen)
    work_loop.add_event_source(timer)
    fence(work_loop)  # the loop's thread is back in epoll, and does not want the gate before the timer expires
    with work_loop.gate:
        timer.set_timeout_ns(0)
        assert read.acquire(timeout=DEADLINE_S)  # by the loop's thread, which now wants the gate
        silence(timer)
    fence(work_loop)

    assert seen.calls == []


@pytest.mark.statement(121)
@pytest.mark.parametrize("silence", [TimerEventSource.cancel_timeout, TimerEventSource.disable])
def test_calling_a_timer_off_waits_for_the_action_that_runs(work_loop, silence):
    running = threading.Event()
    go_on = threading.Event()
    ended: list[int] = []

    def action(sender):
        running.set()
        assert go_on.wait(DEADLINE_S)
        ended.append(1)

    timer = TimerEventSource(action)
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0)
    assert running.wait(DEADLINE_S)
    calling_off = Background(lambda: (silence(timer), len(ended)))
    while not work_loop.gate.waiting:
        os.sched_yield()
    go_on.set()

    assert calling_off.result()[1] == 1


@pytest.mark.statement(121)
def test_an_action_can_cancel_and_disable_its_own_timer(work_loop, seen):
    def action(sender):
        sender.set_timeout_ns(0)
        sender.cancel_timeout()
        sender.disable()
        seen(sender)

    timer = TimerEventSource(action)
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0)
    seen.wait_for_calls(1)
    fence(work_loop)

    assert len(seen.calls) == 1
    assert not timer.enabled


@pytest.mark.statement(131)
def test_a_removed_timer_is_silent_and_fires_its_old_deadline_once_added_and_enabled(timer, seen, work_loop):
    with work_loop.gate:
        timer.set_timeout_ns(0)
        abstime = timer.abstime
        work_loop.remove_event_source(timer)
    fence(work_loop)
    work_loop.add_event_source(timer)
    fence(work_loop)
    assert seen.calls == []
    assert timer.abstime == abstime

    timer.enable()
    seen.wait_for_calls(1)


# Where the action runs


@pytest.mark.statement(125)
def test_the_action_runs_on_the_loops_thread_with_the_gate_held(timer, seen, work_loop):
    timer.set_timeout_ns(0)

    (call,) = seen.wait_for_calls(1)
    assert (call.thread, call.in_gate) == (work_loop.thread.ident, True)


@pytest.mark.statement(126)
def test_an_action_is_not_stalled_by_a_disabled_command_gate(work_loop, seen):
    gate = CommandGate(seen)
    work_loop.add_event_source(gate)
    gate.disable()
    timer = TimerEventSource(gate.run_command)
    work_loop.add_event_source(timer)

    timer.set_timeout_ns(0)

    seen.wait_for_calls(1)


@pytest.mark.statement(126)
def test_while_the_loops_thread_sleeps_a_client_that_runs_the_sources_runs_the_action(timer, seen, work_loop):
    with loop_asleep(work_loop):
        timer.set_timeout_ns(0)
        while not seen.calls:  # a slow machine's timer may need a moment
            work_loop.run_event_sources()
        (call,) = seen.calls

    assert (call.thread, call.in_gate) == (threading.get_ident(), True)


@pytest.mark.statement(130)
def test_an_action_that_sleeps_after_arming_again_has_returned_before_the_second_call(work_loop):
    log: list[str] = []
    over = threading.Event()

    def action(sender):
        log.append("begin")
        if log.count("begin") == 1:
            sender.set_timeout_ns(0)
            assert work_loop.gate.sleep("token", Deadline.after(int(DEADLINE_S * SECOND_NS))) is WaitResult.AWAKENED
        log.append("end")
        if log.count("end") == 2:
            over.set()

    timer = TimerEventSource(action)
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0)
    while not work_loop.gate._sleepers:
        os.sched_yield()
    work_loop.run_event_sources()  # another thread makes a pass; the timer is due, and in its action
    assert log == ["begin"]
    work_loop.gate.wakeup("token")
    assert over.wait(DEADLINE_S)

    assert log == ["begin", "end", "begin", "end"]


# Leeway and clocks


@pytest.mark.statement(127)
def test_a_timer_with_leeway_fires_by_itself_not_before_its_deadline(timer, seen):
    timer.set_timeout_ns(SOON_NS, leeway_ns=SOON_NS)
    deadline_ns = timer.abstime

    seen.wait_for_calls(1)
    assert monotonic_ns() >= deadline_ns


@pytest.mark.statement(127)
def test_leeway_alone_brings_no_pass_about_before_deadline_and_leeway(work_loop):
    instants: list[int] = []
    fired = threading.Event()

    def action(sender):
        instants.append(monotonic_ns())
        fired.set()

    timer = TimerEventSource(action)
    work_loop.add_event_source(timer)
    fence(work_loop)
    timer.set_timeout_ns(SOON_NS, leeway_ns=SOON_NS)
    deadline_ns = timer.abstime
    assert fired.wait(DEADLINE_S)

    assert instants[0] >= deadline_ns + SOON_NS


@pytest.mark.statement(128)
def test_from_its_deadline_on_a_timer_with_leeway_fires_in_whatever_pass_there_is(timer, seen, work_loop):
    timer.set_timeout_ns(50 * SOON_NS, leeway_ns=LONG_NS)
    with work_loop.gate:
        assert monotonic_ns() < timer.abstime, "too slow a machine for this test"
        work_loop.run_event_sources()  # a pass before the deadline
        assert seen.calls == []

    pass_by(timer.abstime)
    fence(work_loop)

    assert len(seen.calls) == 1


@pytest.mark.statement(129)
def test_the_clock_survives_disable_and_enable(timer, work_loop):
    timer.set_timeout_ns(LONG_NS, continuous=True)
    abstime, callout = timer.abstime, timer.callout_entry
    timer.disable()
    timer.enable()
    work_loop.remove_event_source(timer)
    work_loop.add_event_source(timer)
    timer.enable()

    assert timer.continuous
    assert (timer.abstime, timer.callout_entry) == (abstime, callout)


@pytest.mark.statement(127)
@pytest.mark.parametrize("leeway_ns", [-1, -LONG_NS])
def test_leeway_below_zero_is_refused_and_an_earlier_arming_stands(timer, leeway_ns):
    timer.set_timeout_ns(LONG_NS)
    abstime = timer.abstime
    with pytest.raises(BadArgumentError):
        timer.set_timeout_ns(0, leeway_ns=leeway_ns)
    assert timer.abstime == abstime
