"""The work loop: passes, clients, the event chain, the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest
from helpers import DEADLINE_S, Background, Stage, attach

from uio_workloop import (
    AbortedError,
    AlreadyAttachedError,
    BadArgumentError,
    ClosedError,
    DeviceGoneError,
    EventSource,
    GateBusyError,
    InterruptEventSource,
    NotAttachedError,
    SoftwareInterrupt,
    TimerEventSource,
    UsageError,
    WaitResult,
    WorkLoop,
    WrongThreadError,
)
from uio_workloop.testing import fence
from uio_workloop.testing.leaks import open_descriptors


@pytest.fixture
def lines():
    made = [SoftwareInterrupt(name=f"line {number}") for number in range(4)]
    yield made
    for each in made:
        each.close()


# Passes


def test_actions_run_on_the_loops_thread_with_the_gate_held(work_loop, line, seen):
    attach(work_loop, line, seen)

    line.cause()

    (call,) = seen.wait_for_calls(1)
    assert (call.thread, call.in_gate) == (work_loop.thread.ident, True)


def cause_together(work_loop: WorkLoop, *lines: SoftwareInterrupt) -> None:
    """Make several lines ready for one pass: caused inside an action, where the loop cannot look in between."""
    trigger = SoftwareInterrupt()

    def cause_all(sender, count):
        for each in lines:
            each.cause()

    fence(work_loop)  # the loop may still be looking again at whatever it served last
    with trigger, attach(work_loop, trigger, cause_all):
        trigger.cause()
        fence(work_loop)


def test_sources_ready_together_are_served_in_the_order_of_addition(work_loop, lines, seen):
    for each in lines:
        attach(work_loop, each, seen)

    cause_together(work_loop, *reversed(lines))

    assert [call.sender.provider for call in seen.wait_for_calls(4)] == lines


def test_the_gate_is_held_from_the_first_source_of_a_pass_to_the_last(work_loop, lines, seen):
    first_runs = Stage()
    attach(work_loop, lines[0], lambda sender, count: first_runs.hold())
    attach(work_loop, lines[1], seen)
    together = Background(cause_together, work_loop, lines[0], lines[1])
    first_runs.await_reached()

    client = Background(work_loop.run_action, lambda: len(seen.calls))
    first_runs.release()

    assert client.result() == 1  # the client got in only after both actions
    together.result()


def test_a_source_that_asks_to_be_called_again_is_and_others_get_their_turn_between(work_loop, seen, line):
    attach(work_loop, line, seen)
    visits: list[int] = []
    enough = threading.Event()

    class Again(EventSource):
        def check_for_work(self) -> bool:
            visits.append(len(seen.calls))
            line.cause()
            if len(visits) == 4:
                enough.set()
            return len(visits) < 4

    work_loop.add_event_source(Again())
    assert enough.wait(DEADLINE_S)
    fence(work_loop)

    assert len(visits) == 4
    assert visits[-1] > 0


def test_a_signal_during_an_action_brings_another_pass(work_loop, line, seen):
    class Custom(EventSource):
        def check_for_work(self) -> bool:
            seen(self)
            return False

    custom = Custom()
    work_loop.add_event_source(custom)
    fence(work_loop)
    before = len(seen.calls)
    attach(work_loop, line, lambda sender, count: custom.signal_work_available())

    line.cause()

    seen.wait_for_calls(before + 1)


def test_a_thousand_signals_lose_none_and_cost_few_passes(work_loop, seen):
    class Custom(EventSource):
        def check_for_work(self) -> bool:
            seen(self)
            return False

    work_loop.add_event_source(Custom())
    fence(work_loop)
    before = len(seen.calls)

    with work_loop.gate:
        for _ in range(1000):
            work_loop.signal_work_available()
    fence(work_loop)

    assert 1 <= len(seen.calls) - before <= 3


def test_what_a_source_signals_from_another_thread_is_seen_every_time(work_loop):
    """The wake-up is skipped when one is on its way; if that ever lost a signal, this would hang."""
    visited = threading.Semaphore(0)

    class Custom(EventSource):
        def check_for_work(self) -> bool:
            visited.release()
            return False

    custom = Custom()
    work_loop.add_event_source(custom)
    assert visited.acquire(timeout=DEADLINE_S)
    for _ in range(3000):
        custom.signal_work_available()
        assert visited.acquire(timeout=DEADLINE_S), "a signal was lost"


def test_an_action_that_removes_a_later_source_silences_it_within_the_pass(work_loop, lines, seen):
    later = InterruptEventSource(lines[1], seen)
    attach(work_loop, lines[0], lambda sender, count: work_loop.remove_event_source(later))
    work_loop.add_event_source(later)
    later.enable()

    cause_together(work_loop, lines[0], lines[1])

    assert seen.calls == []
    later.close()


def test_an_action_can_remove_its_own_source(work_loop, line, seen):
    def remove_self(sender, count):
        seen(sender, count)
        work_loop.remove_event_source(sender)

    with attach(work_loop, line, remove_self):
        line.cause()
        seen.wait_for_calls(1)
        line.cause()
        fence(work_loop)

        assert len(seen.calls) == 1


def test_a_busy_line_does_not_hide_the_others(work_loop, lines, seen):
    stop = threading.Event()
    attach(work_loop, lines[0], lambda sender, count: stop.is_set() or lines[0].cause())
    attach(work_loop, lines[1], seen)
    lines[0].cause()

    for turn in range(50):
        lines[1].cause()
        seen.wait_for_total(turn + 1)
    stop.set()


def test_a_client_can_run_the_sources_on_its_own_thread(work_loop, line, seen):
    attach(work_loop, line, seen)
    with work_loop.gate:  # the loop cannot serve it first
        line.cause()
        assert work_loop.run_event_sources() is True

    (call,) = seen.calls
    assert (call.thread, call.in_gate) == (threading.get_ident(), True)


def test_a_keyboard_interrupt_in_a_clients_pass_reaches_the_client_and_loses_nobodys_work(work_loop, lines, seen):
    def interrupted(sender, count):
        if not work_loop.on_thread():
            raise KeyboardInterrupt

    attach(work_loop, lines[0], interrupted)
    attach(work_loop, lines[1], seen)
    fence(work_loop)
    with work_loop.gate:
        lines[0].cause()
        lines[1].cause()
        with pytest.raises(KeyboardInterrupt):
            work_loop.run_event_sources()

    (call,) = seen.wait_for_calls(1)
    assert call.thread == work_loop.thread.ident


def test_running_the_sources_inside_an_action_serves_others_and_does_not_enter_it_again(work_loop, lines, seen):
    depth = deepest = 0

    def outer(sender, count):
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        lines[0].cause()
        lines[1].cause()
        work_loop.run_event_sources()
        seen(sender, len(inner_calls))
        depth -= 1

    inner_calls: list[int] = []
    source = attach(work_loop, lines[0], outer)
    attach(work_loop, lines[1], lambda sender, count: inner_calls.append(count))
    lines[0].cause()

    (call, *_) = seen.wait_for_calls(1)
    source.disable()
    assert call.count == 1
    assert deepest == 1


def test_an_action_asleep_on_the_gate_lets_clients_in_and_run_the_other_sources(work_loop, lines, seen):
    asleep = Stage()
    results: list[WaitResult] = []

    def sleeper(sender, count):
        asleep._reached.set()
        results.append(work_loop.gate.sleep("token"))

    attach(work_loop, lines[0], sleeper)
    attach(work_loop, lines[1], seen)
    lines[0].cause()
    asleep.await_reached()

    lines[1].cause()
    work_loop.run_event_sources()
    (call,) = seen.calls
    assert call.thread == threading.get_ident()
    work_loop.gate.wakeup("token")
    fence(work_loop)

    assert results == [WaitResult.AWAKENED]


def test_interrupts_that_another_pass_drains_during_the_action_are_delivered_afterwards(work_loop, line, seen):
    def action(sender, count):
        seen(sender, count)
        if len(seen.calls) == 1:
            line.cause(3)
            work_loop.run_event_sources()  # drains, and passes over the source whose action runs

    attach(work_loop, line, action)
    fence(work_loop)
    with work_loop.gate:
        line.cause()
        work_loop.run_event_sources()

    seen.wait_for_total(4)
    assert seen.counts == [1, 3]


def test_an_action_can_move_its_source_to_another_loop_without_losing_what_comes_meanwhile(work_loop, edge_line, seen):
    with WorkLoop("other") as other:

        def move(sender, count):
            seen(sender, count)
            if sender.work_loop is work_loop:
                work_loop.remove_event_source(sender)
                other.add_event_source(sender)
                sender.enable()
                edge_line.cause(2)
                while sender.statistics.interrupts != 3:
                    os.sched_yield()

        attach(work_loop, edge_line, move)
        edge_line.cause()
        seen.wait_for_total(3)


def test_a_source_added_to_two_loops_at_once_is_on_one(work_loop, edge_line, seen):
    with WorkLoop("other") as other, InterruptEventSource(edge_line, seen) as source:
        for _ in range(200):
            start = threading.Barrier(2)

            def add(loop, start=start):
                start.wait(DEADLINE_S)
                try:
                    loop.add_event_source(source)
                except AlreadyAttachedError:
                    return 0
                return 1

            adders = [Background(add, loop) for loop in (work_loop, other)]
            assert sum(adder.result() for adder in adders) == 1
            source.work_loop.remove_event_source(source)


def test_a_signal_wakes_an_idle_loop(work_loop):
    visited = threading.Event()

    class Custom(EventSource):
        def check_for_work(self) -> bool:
            visited.set()
            return False

    work_loop.add_event_source(Custom())
    fence(work_loop)
    visited.clear()
    work_loop.signal_work_available()
    assert visited.wait(DEADLINE_S)


# Clients


def test_run_action_runs_on_the_callers_thread_under_the_gate_and_gives_back_its_result(work_loop):
    result = work_loop.run_action(lambda a, b: (a + b, work_loop.in_gate(), work_loop.on_thread()), 1, b=2)

    assert result == (3, True, False)
    assert not work_loop.in_gate()


def test_what_an_action_raises_reaches_its_client_and_the_gate_is_free_again(work_loop):
    with pytest.raises(ZeroDivisionError):
        work_loop.run_action(lambda: 1 // 0)

    Background(work_loop.run_action, lambda: None).result()


def test_an_attempt_on_a_busy_loop_is_refused_at_once(work_loop):
    stage = Stage()
    holder = Background(work_loop.run_action, stage.hold)
    stage.await_reached()

    with pytest.raises(GateBusyError):
        work_loop.attempt_action(lambda: None)

    stage.release()
    holder.result()
    assert work_loop.attempt_action(lambda: 7) == 7


def test_clients_and_actions_never_overlap(work_loop, line, seen):
    inside = 0
    worst = 0

    def visit(*_) -> None:
        nonlocal inside, worst
        inside += 1
        worst = max(worst, inside)
        inside -= 1

    def action(sender, count):
        visit()
        seen(sender, count)

    attach(work_loop, line, action)

    def client():
        for _ in range(1000):
            work_loop.run_action(visit)
            line.cause()

    clients = [Background(client) for _ in range(3)]
    for each in clients:
        each.result()
    seen.wait_for_total(3000)

    assert worst == 1
    assert seen.total == 3000


def times_scheduled(work_loop: WorkLoop) -> int:
    """How often the loop's thread was put on a processor; every one of its system calls that waits adds to it."""
    with open(f"/proc/self/task/{work_loop.thread.native_id}/schedstat") as file:
        return int(file.read().split()[2])


def test_clients_leave_the_loops_thread_asleep(work_loop, line, seen):
    attach(work_loop, line, seen).disable()
    fence(work_loop)
    before = -1
    while before != (before := times_scheduled(work_loop)):  # until it has gone back to sleep
        for _ in range(100):
            os.sched_yield()

    for _ in range(1000):
        work_loop.run_action(line.cause)  # and a disabled source, ready all the while

    assert times_scheduled(work_loop) == before


# The event chain


def test_a_source_added_twice_is_refused_by_name(work_loop, line, seen):
    source = attach(work_loop, line, seen)

    with pytest.raises(AlreadyAttachedError, match="InterruptEventSource on line is on this work loop already"):
        work_loop.add_event_source(source)
    with (
        WorkLoop("other") as other,
        pytest.raises(AlreadyAttachedError, match="is on work loop 'under test' already; remove it there first"),
    ):
        other.add_event_source(source)

    line.cause()
    seen.wait_for_calls(1)


def test_removing_a_source_that_is_elsewhere_is_refused_and_leaves_it_working(work_loop, line, seen):
    source = attach(work_loop, line, seen)

    with WorkLoop("other") as other, pytest.raises(NotAttachedError, match="it is not on work loop 'other'"):
        other.remove_event_source(source)

    line.cause()
    seen.wait_for_calls(1)


def test_a_removed_source_can_be_added_to_another_loop_and_needs_enable_again(work_loop, line, seen):
    source = attach(work_loop, line, seen)
    work_loop.remove_event_source(source)
    line.cause()
    with WorkLoop("other") as other:
        other.add_event_source(source)
        fence(other)
        assert seen.calls == []
        source.enable()
        (call,) = seen.wait_for_calls(1)
        assert call.thread == other.thread.ident


def test_adding_a_source_with_work_wakes_the_loop(work_loop, seen):
    class Backlog(EventSource):
        def check_for_work(self) -> bool:
            seen(self)
            return False

    work_loop.add_event_source(Backlog())

    seen.wait_for_calls(1)


def test_a_source_whose_descriptor_cannot_be_polled_is_refused_and_nothing_is_kept(work_loop, tmp_path):
    class File(EventSource):
        def fileno(self) -> int:
            return file.fileno()

    with (tmp_path / "plain").open("w") as file:
        source = File(name="the plain one")
        with pytest.raises(BadArgumentError, match="cannot watch the plain one: its descriptor is a plain file"):
            work_loop.add_event_source(source)
        assert source.work_loop is None
        assert source not in work_loop.event_sources


def test_removal_waits_for_the_action_that_runs(work_loop, line, seen):
    stage = Stage()

    def action(sender, count):
        stage.hold()
        seen(sender, count)

    source = attach(work_loop, line, action)
    line.cause()
    stage.await_reached()

    remover = Background(work_loop.remove_event_source, source)
    assert seen.calls == []
    stage.release()
    remover.result()

    assert len(seen.calls) == 1
    source.close()


def test_disabling_all_interrupts_leaves_timers_going(work_loop, line, edge_line, seen):
    for each in (line, edge_line):
        attach(work_loop, each, seen)
    ticks = threading.Event()
    timer = TimerEventSource(lambda sender: ticks.set())
    work_loop.add_event_source(timer)

    work_loop.disable_all_interrupts()
    line.cause()
    edge_line.cause()
    timer.set_timeout_ns(0)
    assert ticks.wait(DEADLINE_S)
    fence(work_loop)
    assert seen.calls == []

    work_loop.enable_all_interrupts()
    seen.wait_for_total(2)


def test_disabling_all_sources_silences_timers_and_interrupts_until_enabled(work_loop, line, seen):
    attach(work_loop, line, seen)
    timer = TimerEventSource(seen)
    work_loop.add_event_source(timer)

    work_loop.disable_all_event_sources()
    line.cause()
    timer.set_timeout_ns(0)
    fence(work_loop)
    assert seen.calls == []

    work_loop.enable_all_event_sources()
    seen.wait_for_calls(2)


# Errors


def test_an_action_that_raises_is_logged_by_name_and_its_source_goes_on(work_loop, line, seen, caplog):
    def fail_once(sender, count):
        seen(sender, count)
        if len(seen.calls) == 1:
            raise ValueError("boom")

    source = attach(work_loop, line, fail_once)
    line.cause()
    seen.wait_for_calls(1)
    line.cause()
    seen.wait_for_calls(2)

    (record,) = caplog.records
    assert record.getMessage() == "InterruptEventSource on line: the action raised"
    assert "boom" in caplog.text
    assert source.statistics.errors == 1


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_run_of_errors_disables_the_source_and_not_the_loop(line, edge_line, seen, caplog, error):
    with WorkLoop(max_consecutive_errors=3) as loop:

        def fail(sender, count):
            edge_line.cause()
            raise error

        source = attach(loop, line, fail)
        attach(loop, edge_line, seen)
        for turn in range(3):
            line.cause()
            seen.wait_for_total(turn + 1)
        fence(loop)

        assert not source.enabled
        assert line.masked
        line.cause()
        fence(loop)
        assert seen.total == 3
        assert (
            caplog.records[-1].getMessage().startswith("InterruptEventSource on line: disabled after 3 errors in a row")
        )


def test_a_success_between_errors_starts_the_run_anew(line, seen):
    with WorkLoop(max_consecutive_errors=2, on_error=None) as loop:

        def fail_every_other(sender, count):
            seen(sender, count)
            if len(seen.calls) % 2:
                raise ValueError

        source = attach(loop, line, fail_every_other)
        for turn in range(6):
            line.cause()
            seen.wait_for_calls(turn + 1)
        fence(loop)

        assert source.enabled


def test_an_error_handler_takes_the_place_of_the_rule(line, seen, caplog):
    errors: list[tuple[EventSource, BaseException]] = []
    with WorkLoop(max_consecutive_errors=1, on_error=lambda source, error: errors.append((source, error))) as loop:

        def fail(sender, count):
            seen(sender, count)
            raise ValueError

        source = attach(loop, line, fail)
        for turn in range(3):
            line.cause()
            seen.wait_for_calls(turn + 1)
        fence(loop)

        assert [(each, type(error)) for each, error in errors] == [(source, ValueError)] * 3
        assert source.enabled
    assert caplog.records == []


@pytest.mark.parametrize("where", ["on_ready", "on_error", "on_terminated"])
def test_nobodys_code_can_end_the_loops_thread(line, edge_line, seen, where):
    class Hostile(InterruptEventSource):
        def on_ready(self) -> bool:
            if where == "on_ready" and self.on_thread():
                raise SystemExit
            if where == "on_terminated":
                raise DeviceGoneError("gone")
            return super().on_ready()

    def fail(sender, count):
        raise ValueError

    with WorkLoop(on_error=(lambda source, error: sys.exit(1)) if where == "on_error" else None) as loop:
        hostile = Hostile(line, fail)
        hostile.on_terminated = lambda sender: sys.exit(2)
        loop.add_event_source(hostile)
        hostile.enable()
        line.cause()
        attach(loop, edge_line, seen)
        edge_line.cause()
        seen.wait_for_calls(1)
        assert loop.thread.is_alive()


def test_a_source_that_always_raises_is_disabled_and_not_visited_again(caplog):
    visits: list[int] = []

    class Broken(EventSource):
        def check_for_work(self) -> bool:
            visits.append(1)
            raise ValueError

    with WorkLoop(max_consecutive_errors=3) as loop:
        loop.add_event_source(Broken())
        while len(visits) < 3:
            fence(loop)
        fence(loop)
        assert len(visits) == 3


def test_an_error_handler_that_fails_leaves_the_rule_in_place(line, seen, caplog):
    with WorkLoop(max_consecutive_errors=1, on_error=lambda source, error: 1 // 0) as loop:

        def fail(sender, count):
            raise ValueError

        source = attach(loop, line, fail)
        line.cause()
        fence(loop)
        assert not source.enabled


def test_a_limit_below_one_is_refused():
    with pytest.raises(BadArgumentError, match="max_consecutive_errors is 1 or more, not 0"):
        WorkLoop(max_consecutive_errors=0)


def test_a_source_whose_ready_phase_keeps_failing_is_disabled_and_does_not_spin(line, caplog):
    read_fd, write_fd = os.pipe()

    class Broken(EventSource):
        def fileno(self) -> int:
            return read_fd

        def on_ready(self) -> bool:
            raise ValueError("broken ready phase")

    with WorkLoop(max_consecutive_errors=3) as loop:
        broken = Broken()
        loop.add_event_source(broken)
        os.close(write_fd)  # readable for ever: hung up
        fence(loop)
        while broken.enabled:
            fence(loop)
        raised = broken._errors
        fence(loop)
        fence(loop)
        assert broken._errors <= raised + 1  # the hang-up is reported once more, then never
    os.close(read_fd)


# The end


def test_closing_waits_for_the_action_that_runs_and_closes_the_sources(line, seen):
    stage = Stage()
    loop = WorkLoop()
    source = attach(loop, line, lambda sender, count: stage.hold())
    line.cause()
    stage.await_reached()

    closer = Background(loop.close)
    assert not closer.finished
    stage.release()
    closer.result()

    assert not loop.thread.is_alive()
    assert source.closed
    assert line.masked


def test_closing_twice_or_from_two_threads_is_fine():
    loop = WorkLoop()
    closers = [Background(loop.close) for _ in range(2)]
    loop.close()
    for each in closers:
        each.result()


def test_an_action_can_close_its_loop(line):
    loop = WorkLoop()
    closed = threading.Event()

    def close(sender, count):
        loop.close()
        closed.set()

    attach(loop, line, close)
    line.cause()
    assert closed.wait(DEADLINE_S)
    loop.thread.join(DEADLINE_S)

    assert not loop.thread.is_alive()
    loop.close()


def test_a_client_holding_the_gate_can_close_the_loop():
    loop = WorkLoop()
    loop.run_action(loop.close)
    loop.thread.join(DEADLINE_S)
    assert not loop.thread.is_alive()


def test_a_closed_loop_refuses_everything_in_one_sentence(line):
    loop = WorkLoop("short-lived")
    loop.close()
    with InterruptEventSource(line, lambda sender, count: None) as source:
        for refused in (
            lambda: loop.run_action(print),
            lambda: loop.attempt_action(print),
            lambda: loop.add_event_source(source),
            loop.enable_all_event_sources,
        ):
            with pytest.raises(ClosedError, match="work loop 'short-lived' is closed; make a new one"):
                refused()
    assert loop.run_event_sources() is False
    assert loop.run_until_signal() is None
    loop.signal_work_available()


def test_a_closed_source_cannot_be_added(work_loop, line):
    source = InterruptEventSource(line, lambda sender, count: None)
    source.close()
    with pytest.raises(ClosedError, match="cannot add InterruptEventSource on line to work loop 'under test'"):
        work_loop.add_event_source(source)


def test_clients_waiting_for_the_gate_of_a_loop_that_closes_are_told_so():
    loop = WorkLoop()
    stage = Stage()
    holder = Background(loop.run_action, lambda: (stage.hold(), loop.close()))
    stage.await_reached()
    ran: list[int] = []
    waiter = Background(loop.run_action, ran.append, 1)
    while not loop.gate._queue:
        os.sched_yield()
    stage.release()
    holder.result()

    with pytest.raises(AbortedError, match="closed while the caller waited"):
        waiter.result()
    assert ran == []
    loop.close()


def test_closing_wakes_sleepers_on_the_gate():
    loop = WorkLoop()
    asleep = threading.Semaphore(0)

    def sleep() -> WaitResult:
        with loop.gate:
            asleep.release()
            return loop.gate.sleep("never")

    sleeper = Background(sleep)
    assert asleep.acquire(timeout=DEADLINE_S)
    loop.close()

    assert sleeper.result() is WaitResult.INTERRUPTED
    with loop.gate:
        assert loop.gate.sleep("never") is WaitResult.INTERRUPTED  # and nobody sleeps on it again


def test_a_thread_that_gets_the_number_of_an_ended_loops_thread_is_not_on_it():
    loop = WorkLoop()
    loop.close()
    assert not any(Background(loop.on_thread).result() for _ in range(20))


def test_a_hundred_loops_leave_no_thread_and_no_descriptor(seen):
    before = len(open_descriptors())
    for _ in range(100):
        with SoftwareInterrupt() as each, WorkLoop() as loop:
            attach(loop, each, seen)
            timer = TimerEventSource(seen)
            loop.add_event_source(timer)
            each.cause()
    assert len(open_descriptors()) == before
    assert threading.active_count() == 1


def test_closing_a_provider_first_closes_the_source_on_it(work_loop, seen):
    with SoftwareInterrupt() as each:
        source = attach(work_loop, each, seen)
    assert source.closed
    assert source not in work_loop.event_sources
    fence(work_loop)


# Signals, interpreter exit, fork


def test_run_until_signal_returns_the_signal_and_puts_the_handlers_back(work_loop):
    had = signal.getsignal(signal.SIGUSR1)
    timer = TimerEventSource(lambda sender: os.kill(os.getpid(), signal.SIGUSR1))
    work_loop.add_event_source(timer)
    timer.set_timeout_ms(1)

    assert work_loop.run_until_signal([signal.SIGUSR1]) is signal.SIGUSR1
    assert signal.getsignal(signal.SIGUSR1) is had


def test_run_until_signal_returns_none_when_the_loop_is_closed():
    with WorkLoop() as loop:
        timer = TimerEventSource(lambda sender: loop.close())
        loop.add_event_source(timer)
        timer.set_timeout_ms(1)
        assert loop.run_until_signal() is None


def test_run_until_signal_is_not_ended_by_other_signals(work_loop):
    had = signal.signal(signal.SIGUSR2, lambda number, frame: None)
    try:
        numbers = iter([signal.SIGUSR2, signal.SIGUSR1])

        def send(timer):
            signal.pthread_kill(threading.main_thread().ident, next(numbers))
            timer.set_timeout_ms(20)

        timer = TimerEventSource(send)
        work_loop.add_event_source(timer)
        timer.set_timeout_ms(20)
        assert work_loop.run_until_signal([signal.SIGUSR1]) is signal.SIGUSR1
        timer.close()
    finally:
        signal.signal(signal.SIGUSR2, had)


def test_a_signal_that_cannot_be_waited_for_leaves_everything_as_it_was(work_loop):
    had = signal.getsignal(signal.SIGINT)
    with pytest.raises(OSError, match="Invalid argument"):
        work_loop.run_until_signal([signal.SIGINT, signal.SIGKILL])
    assert signal.getsignal(signal.SIGINT) is had


def test_run_until_signal_belongs_to_the_main_thread_with_the_gate_open(work_loop):
    with pytest.raises(WrongThreadError, match="main thread only"):
        Background(work_loop.run_until_signal).result()
    with work_loop.gate, pytest.raises(UsageError, match="with the gate held"):
        work_loop.run_until_signal()


def run_script(body: str) -> subprocess.CompletedProcess[str]:
    script = "from uio_workloop import *\n" + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_interpreter_exit_lets_the_running_action_end():
    outcome = run_script(
        """
        import threading
        line, loop, begun = SoftwareInterrupt(), WorkLoop(), threading.Event()

        def action(sender, count):
            begun.set()
            sum(range(3_000_000))
            print("ended", flush=True)

        source = InterruptEventSource(line, action)
        loop.add_event_source(source)
        source.enable()
        line.cause()
        begun.wait()
        """
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "ended\n", "")


def test_a_fork_with_the_gate_held_leaves_parent_and_child_usable():
    outcome = run_script(
        """
        import os
        loop = WorkLoop()
        child = loop.run_action(os.fork)
        if child == 0:
            os._exit(0 if loop.closed else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert loop.run_action(int) == 0
        loop.close()
        print("fine")
        """
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "fine\n", "")


def test_the_child_of_a_fork_has_a_closed_loop_and_the_parent_a_working_one():
    outcome = run_script(
        """
        import os, threading
        line, loop = SoftwareInterrupt(), WorkLoop()
        delivered = threading.Event()
        source = InterruptEventSource(line, lambda sender, count: delivered.set())
        timer = TimerEventSource(lambda sender: None)
        loop.add_event_source(source)
        loop.add_event_source(timer)
        source.enable()
        stop = threading.Event()

        def hammer():
            while not stop.is_set():
                loop.run_action(int)

        hammering = threading.Thread(target=hammer)
        hammering.start()          # so that the gate is often held by a thread the child does not have
        for _ in range(20):
            child = os.fork()
            if child == 0:
                status = 0
                try:
                    loop.run_action(print)
                    status = 1
                except ClosedError:
                    pass
                status |= 2 * (not source.closed) | 4 * (not timer.closed) | 8 * line.masked
                loop.close()
                os._exit(status)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        hammering.join()
        line.cause()
        assert delivered.wait(10)
        loop.close()
        print("fine")
        """
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "fine\n", "")
