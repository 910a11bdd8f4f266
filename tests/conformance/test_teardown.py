"""Everybody at once, and the end of a loop: enableAllEventSources, disableAllInterrupts, release."""

from __future__ import annotations

import os
import threading

import pytest
from helpers import DEADLINE_S, Background, Stage, attach, cause_together, on_loop

from uio_workloop import (
    AbortedError,
    ClosedError,
    CommandGate,
    EventSource,
    GateBusyError,
    InterruptEventSource,
    SourceDisabledError,
    TimerEventSource,
    WaitResult,
    WorkLoop,
)
from uio_workloop.clock import SECOND_NS, Deadline
from uio_workloop.testing import fence

LONG_NS = 3_600 * SECOND_NS


@pytest.fixture
def loop():
    """A loop that the test closes; to be on the safe side, so does this."""
    loop = WorkLoop("closing")
    yield loop
    loop.close()


class Custom(EventSource):
    """A source of one's own that has something to deliver at every visit, and honours `enabled`."""

    def check_for_work(self) -> bool:
        if self.enabled:
            self.action(self)
        return False


# Everybody at once


@pytest.mark.statement(133)
def test_disabling_all_sources_silences_each_kind_and_sources_can_still_come_and_go(work_loop, line, edge_line, seen):
    attach(work_loop, line, seen)
    timer, gate, custom = TimerEventSource(seen), CommandGate(seen), Custom(seen)
    for each in (timer, gate, custom):
        work_loop.add_event_source(each)
    fence(work_loop)
    work_loop.disable_all_event_sources()
    before = len(seen.calls)

    line.cause()
    timer.set_timeout_ns(0)
    custom.signal_work_available()
    with pytest.raises(SourceDisabledError):
        gate.attempt_command(gate)
    fence(work_loop)
    assert len(seen.calls) == before
    assert [each.enabled for each in work_loop.event_sources] == [False] * 4

    work_loop.remove_event_source(custom)
    attach(work_loop, edge_line, seen)
    edge_line.cause()
    assert seen.wait_for_calls(before + 1)[-1].sender.provider is edge_line


@pytest.mark.statement(133)
def test_enabling_all_sources_brings_back_what_waited_of_each_kind(work_loop, line, seen):
    interrupt = attach(work_loop, line, seen)
    timer, gate = TimerEventSource(seen), CommandGate(seen)
    work_loop.add_event_source(timer)
    work_loop.add_event_source(gate)
    work_loop.disable_all_event_sources()
    line.cause()
    timer.set_timeout_ns(0)
    calling = threading.Event()
    client = Background(work_loop.run_action, lambda: (calling.set(), gate.run_command(gate)))
    assert calling.wait(DEADLINE_S)

    work_loop.enable_all_event_sources()

    senders = [call.sender for call in seen.wait_for_calls(3)]
    client.result()
    assert sorted(map(id, senders)) == sorted(map(id, (interrupt, timer, gate)))


@pytest.mark.statement(134)
def test_disabling_all_interrupts_leaves_timers_and_gates_going(work_loop, line, edge_line, seen):
    for each in (line, edge_line):
        attach(work_loop, each, seen)
    ticked = threading.Event()
    timer = TimerEventSource(lambda sender: ticked.set())
    gate = CommandGate(lambda: "ran")
    work_loop.add_event_source(timer)
    work_loop.add_event_source(gate)

    work_loop.disable_all_interrupts()
    line.cause()
    edge_line.cause()
    timer.set_timeout_ns(0)
    assert ticked.wait(DEADLINE_S)
    assert gate.run_command() == "ran"
    fence(work_loop)
    assert seen.calls == []
    assert line.masked
    assert edge_line.masked

    work_loop.enable_all_interrupts()
    seen.wait_for_total(2)


# Closing


@pytest.mark.statement(135)
@pytest.mark.statement(139)
def test_a_loop_closed_by_an_action_serves_nobody_behind_it_and_ends_when_the_action_returns(loop, lines, seen):
    still_running: list[bool] = []

    def close(sender, count):
        loop.close()  # returns at once
        still_running.append(loop.thread.is_alive())

    attach(loop, lines[0], close)
    attach(loop, lines[1], seen)
    attach(loop, lines[3], lambda sender, count: (lines[0].cause(), lines[1].cause()))  # for one pass
    fence(loop)
    lines[3].cause()
    loop.thread.join(DEADLINE_S)

    assert still_running == [True]
    assert not loop.thread.is_alive()
    assert seen.calls == []


@pytest.mark.statement(135)
@pytest.mark.statement(139)
def test_a_client_that_closes_the_loop_during_a_pass_waits_for_the_whole_pass_and_none_follows(loop, lines, seen):
    first_runs = Stage()
    attach(loop, lines[0], lambda sender, count: (seen(sender, count), first_runs.hold(), lines[2].cause()))
    for each in lines[1:3]:
        attach(loop, each, seen)
    attach(loop, lines[3], lambda sender, count: (lines[0].cause(), lines[1].cause()))  # for one pass
    fence(loop)
    lines[3].cause()
    first_runs.await_reached()

    closing = Background(lambda: (loop.close(), loop.thread.is_alive()))
    while not loop.gate.waiting:
        os.sched_yield()
    first_runs.release()

    assert closing.result() == (None, False)
    assert [call.sender.provider for call in seen.calls] == lines[:2]


@pytest.mark.statement(136)
def test_closing_drops_what_is_pending_and_leaves_every_source_detached_and_every_line_free(
    loop, line, edge_line, seen
):
    sources = [attach(loop, each, seen) for each in (line, edge_line)]
    timer, custom = TimerEventSource(seen), EventSource(seen)
    loop.add_event_source(timer)
    loop.add_event_source(custom)
    with loop.gate:
        line.cause()
        edge_line.cause()
        timer.set_timeout_ns(0)
        loop.close()
    loop.close()

    assert seen.calls == []
    for each in (*sources, timer, custom):
        assert each.work_loop is None
        assert not each.enabled
    assert line.masked
    assert edge_line.masked
    assert loop.event_sources == ()
    with InterruptEventSource(line, seen), InterruptEventSource(edge_line, seen):
        pass  # not claimed any more


@pytest.mark.statement(137)
def test_closing_throws_the_callers_stalled_at_a_disabled_gate_out(loop):
    ran: list[int] = []
    gate = CommandGate(ran.append)
    loop.add_event_source(gate)
    gate.disable()
    stalled = []
    for number in range(5):
        calling = threading.Event()
        client = Background(loop.run_action, lambda calling=calling, n=number: (calling.set(), gate.run_command(n)))
        assert calling.wait(DEADLINE_S)
        stalled.append(client)
    with loop.gate:  # all of them have given it up
        pass
    loop.close()

    for client in stalled:
        with pytest.raises(AbortedError):
            client.result()
    assert ran == []


@pytest.mark.statement(137)
def test_a_loop_closed_by_an_action_of_its_own_throws_stalled_callers_out(loop):
    gate = CommandGate(lambda: None)
    loop.add_event_source(gate)
    gate.disable()
    stalled = Background(gate.run_command)
    while not loop.gate._sleepers:
        os.sched_yield()
    on_loop(loop, loop.close)

    with pytest.raises(AbortedError):
        stalled.result()


@pytest.mark.statement(138)
def test_closing_cancels_timers_and_does_not_wait_for_them(loop, seen):
    timers = [TimerEventSource(seen) for _ in range(2)]
    for each in timers:
        loop.add_event_source(each)
    timers[0].set_timeout_ns(LONG_NS)
    timers[1].set_timeout_ns(LONG_NS, leeway_ns=LONG_NS, continuous=True)
    Background(loop.close).result()

    assert [each.abstime for each in timers] == [0, 0]
    assert [each.closed for each in timers] == [True, True]
    assert seen.calls == []


@pytest.mark.statement(139)
def test_a_command_gate_of_a_closed_loop_says_that_it_is_closed(loop, seen):
    gate = CommandGate(seen)
    loop.add_event_source(gate)
    loop.close()

    for refused in (gate.run_command, gate.attempt_command, gate.enable, lambda: gate.run_action(int)):
        with pytest.raises(ClosedError, match="CommandGate: it is closed"):
            refused()
    assert seen.calls == []


@pytest.mark.statement(140)
def test_threads_that_wait_for_the_gate_of_a_loop_that_closes_are_told_so_and_run_nothing(loop):
    ran: list[int] = []
    gate = CommandGate(ran.append)
    loop.add_event_source(gate)
    stage = Stage()
    closing = Background(loop.run_action, lambda: (stage.hold(), loop.close()))
    stage.await_reached()
    waiting = [
        Background(loop.run_action, ran.append, 1),
        Background(gate.run_action, ran.append, 2),
        Background(gate.run_command, 3),
        Background(lambda: gate.run_action(ran.append, 4, timeout_ns=LONG_NS)),
    ]
    while len(loop.gate.waiting) < len(waiting):
        os.sched_yield()
    with pytest.raises(GateBusyError):
        gate.attempt_action(ran.append, 5)
    stage.release()
    closing.result()

    for client in waiting:
        with pytest.raises(AbortedError):
            client.result()
    assert ran == []


# Consequences


@pytest.mark.statement(162)
def test_an_action_that_slept_while_its_source_was_removed_is_told_so_when_it_goes_on(work_loop, edge_line):
    refusals: list[str] = []
    dozing = threading.Event()
    gate = CommandGate()
    work_loop.add_event_source(gate)

    def action(sender, count):
        dozing.set()
        slept = work_loop.gate.sleep("token", Deadline.after(int(DEADLINE_S * SECOND_NS)))
        refusals.append(str(slept))
        for operation in (
            sender.enable,
            sender.signal_work_available,
            sender.interrupt_occurred,
            gate.run_command,
            lambda: gate.command_sleep("token"),
            lambda: gate.command_wakeup("token"),
        ):
            try:
                operation()
            except Exception as error:
                refusals.append(type(error).__name__)

    source = attach(work_loop, edge_line, action)
    gate.set_action(print)
    edge_line.cause()
    assert dozing.wait(DEADLINE_S)
    work_loop.remove_event_source(source)
    work_loop.remove_event_source(gate)
    work_loop.gate.wakeup("token")
    fence(work_loop)

    assert refusals == [str(WaitResult.AWAKENED), *["NotAttachedError"] * 6]
    assert edge_line.masked
    assert (source.producer_count, source.consumer_count) == (1, 1)
    source.close()


@pytest.mark.statement(136)
def test_closing_a_loop_with_work_under_way_on_every_side_ends(lines, seen):
    for _ in range(20):
        with WorkLoop() as loop:
            sources = [attach(loop, each, seen) for each in lines]
            timer = TimerEventSource(lambda sender: sender.set_timeout_ns(0))
            gate = CommandGate(lambda: None)
            loop.add_event_source(timer)
            loop.add_event_source(gate)
            timer.set_timeout_ns(0)

            def client(gate: CommandGate = gate) -> int:
                calls = 0
                try:
                    while True:
                        gate.run_command()
                        calls += 1
                except (AbortedError, ClosedError):
                    return calls

            clients = [Background(client) for _ in range(2)]
            cause_together(loop, *lines)
        assert all(each.result() >= 0 for each in clients)
        assert all(each.closed for each in sources)
