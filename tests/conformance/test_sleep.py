"""Asleep on the gate: commandSleep and commandWakeup, sleepGate and wakeupGate."""

from __future__ import annotations

import logging
import os
import threading

import pytest
from helpers import DEADLINE_S, Background, attach, loop_asleep, on_loop

from uio_workloop import ClosedError, CommandGate, Deadline, GateNotHeldError, TimerEventSource, WaitResult, WorkLoop
from uio_workloop.clock import SECOND_NS
from uio_workloop.testing import fence

SOON_NS = 5_000_000


@pytest.fixture
def gate(work_loop):
    source = CommandGate()
    work_loop.add_event_source(source)
    return source


def sleeper(work_loop: WorkLoop, gate: CommandGate, token: str, deadline: Deadline | None = None) -> Background:
    """A client asleep on `token` when this returns."""
    dozing = threading.Event()

    def doze() -> WaitResult:
        dozing.set()
        return gate.command_sleep(token, deadline)

    client = Background(work_loop.run_action, doze)
    assert dozing.wait(DEADLINE_S)
    with work_loop.gate:  # to be had only once the client has given it up
        return client


@pytest.mark.statement(83)
def test_sleeping_without_the_gate_is_refused(gate):
    with pytest.raises(GateNotHeldError):
        gate.command_sleep("token")
    with pytest.raises(GateNotHeldError):
        gate.command_sleep("token", Deadline.after(SOON_NS))


@pytest.mark.statement(84)
@pytest.mark.parametrize(
    ("end", "deadline_ns", "result"),
    [
        (lambda loop: loop.gate.wakeup("token"), None, WaitResult.AWAKENED),
        (lambda loop: loop.gate.interrupt_sleepers(), None, WaitResult.INTERRUPTED),
        (lambda loop: None, SOON_NS, WaitResult.TIMED_OUT),
    ],
)
def test_a_sleeper_gives_up_every_level_and_has_as_many_again_however_it_ends(work_loop, end, deadline_ns, result):
    gate = work_loop.gate
    dozing = threading.Event()

    def sleep_three_deep() -> tuple[WaitResult, list[bool]]:
        still_held = []
        with gate:
            with gate:
                with gate:
                    dozing.set()
                    outcome = gate.sleep("token", None if deadline_ns is None else Deadline.after(deadline_ns))
                still_held.append(gate.held)
            still_held.append(gate.held)
        still_held.append(gate.held)
        return outcome, still_held

    client = Background(sleep_three_deep)
    assert dozing.wait(DEADLINE_S)
    with gate:  # possible only because all three levels were given up
        end(work_loop)

    assert client.result() == (result, [True, True, False])


@pytest.mark.statement(86)
def test_while_an_action_sleeps_on_the_loops_thread_only_clients_deliver(work_loop, line, seen):
    attach(work_loop, line, seen)
    timer = TimerEventSource(seen)
    work_loop.add_event_source(timer)

    with loop_asleep(work_loop):
        line.cause()
        timer.set_timeout_ns(0)
        assert work_loop.run_action(lambda: len(seen.calls)) == 0  # clients get in
        while len(seen.calls) < 2:  # a slow machine's timer may need a moment
            work_loop.run_event_sources()
        assert {call.thread for call in seen.calls} == {threading.get_ident()}

        line.cause()
    seen.wait_for_calls(3)

    assert [call.thread for call in seen.calls[2:]] == [work_loop.thread.ident]


@pytest.mark.statement(87)
def test_sleeping_on_the_loops_thread_without_a_deadline_is_warned_of(work_loop, gate, caplog):
    asleep = Background(on_loop, work_loop, gate.command_sleep, "token")
    while not gate.command_wakeup("token"):
        os.sched_yield()
    assert asleep.result() is WaitResult.AWAKENED

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "deadline" in record.getMessage()


@pytest.mark.statement(87)
def test_sleeping_with_a_deadline_or_in_a_client_is_not_warned_of(work_loop, gate, caplog):
    assert on_loop(work_loop, gate.command_sleep, "token", Deadline.after(SOON_NS)) is WaitResult.TIMED_OUT
    asleep = sleeper(work_loop, gate, "token")
    gate.command_wakeup("token")
    assert asleep.result() is WaitResult.AWAKENED

    assert caplog.records == []


@pytest.mark.statement(88)
def test_a_wakeup_reaches_all_sleepers_one_after_another(work_loop, gate):
    alone = threading.Lock()

    def doze() -> WaitResult:
        result = gate.command_sleep("token")
        assert alone.acquire(blocking=False)
        os.sched_yield()  # an invitation to overlap
        alone.release()
        return result

    sleepers = []
    for _ in range(3):
        dozing = threading.Event()
        sleepers.append(Background(work_loop.run_action, lambda dozing=dozing: (dozing.set(), doze())))
        assert dozing.wait(DEADLINE_S)
    assert gate.command_wakeup("token") == 3

    assert [each.result()[1] for each in sleepers] == [WaitResult.AWAKENED] * 3


@pytest.mark.statement(88)
def test_a_wakeup_of_one_thread_reaches_the_one_that_sleeps_longest(work_loop, gate):
    first, second, third = (sleeper(work_loop, gate, "token") for _ in range(3))

    assert gate.command_wakeup("token", one_thread=True) == 1
    assert first.result() is WaitResult.AWAKENED
    assert not second.finished
    assert gate.command_wakeup("token") == 2
    assert (second.result(), third.result()) == (WaitResult.AWAKENED, WaitResult.AWAKENED)


@pytest.mark.statement(89)
def test_a_wakeup_that_finds_nobody_asleep_is_not_remembered(work_loop, gate):
    assert gate.command_wakeup("token") == 0
    assert work_loop.run_action(gate.command_sleep, "token", Deadline.after(SOON_NS)) is WaitResult.TIMED_OUT


@pytest.mark.statement(90)
def test_a_sleep_that_nobody_ends_times_out_at_its_deadline_with_the_gate_held(work_loop, gate):
    deadline = Deadline.after(SOON_NS)
    with work_loop.gate:
        assert gate.command_sleep("token", deadline) is WaitResult.TIMED_OUT
        assert deadline.expired
        assert work_loop.in_gate()


@pytest.mark.statement(91)
def test_a_wakeup_needs_no_gate(work_loop, gate):
    asleep = sleeper(work_loop, gate, "token")

    assert not work_loop.in_gate()
    assert gate.command_wakeup("token") == 1
    assert asleep.result() is WaitResult.AWAKENED


@pytest.mark.statement(92)
def test_the_same_token_on_two_loops_is_two_tokens(work_loop, gate):
    asleep = sleeper(work_loop, gate, "token")
    with WorkLoop("other") as other:
        elsewhere = CommandGate()
        other.add_event_source(elsewhere)
        assert elsewhere.command_wakeup("token") == 0
        assert other.gate.wakeup("token") == 0
    assert not asleep.finished

    assert gate.command_wakeup("token") == 1
    assert asleep.result() is WaitResult.AWAKENED


@pytest.mark.statement(93)
def test_closing_the_loop_interrupts_sleepers_whose_next_gate_operations_are_told_that_it_is_closed():
    loop = WorkLoop()
    gate = CommandGate()
    loop.add_event_source(gate)
    outcomes: list[WaitResult] = []
    dozing = threading.Event()

    def doze() -> None:
        dozing.set()
        outcomes.append(gate.command_sleep("token"))
        outcomes.append(loop.gate.sleep("token"))  # nobody sleeps on it any more
        loop.run_action(int)

    asleep = Background(loop.run_action, doze)
    assert dozing.wait(DEADLINE_S)
    loop.close()

    with pytest.raises(ClosedError):
        asleep.result()
    assert outcomes == [WaitResult.INTERRUPTED, WaitResult.INTERRUPTED]


@pytest.mark.statement(93)
def test_a_loop_closed_while_its_thread_sleeps_in_an_action_lets_the_action_end():
    loop = WorkLoop()
    gate = CommandGate()
    loop.add_event_source(gate)
    late = Deadline.after(int(DEADLINE_S * SECOND_NS))
    asleep = Background(on_loop, loop, gate.command_sleep, "token", late)
    while not loop.gate._sleepers:
        os.sched_yield()
    loop.close()

    assert asleep.result() is WaitResult.INTERRUPTED
    assert not loop.thread.is_alive()


@pytest.mark.statement(86)
def test_a_loop_whose_thread_slept_serves_what_waited(work_loop, line, seen):
    attach(work_loop, line, seen)
    with loop_asleep(work_loop):
        line.cause(3)
    fence(work_loop)

    assert seen.counts == [3]
