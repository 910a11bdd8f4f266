"""A command gate that is taken off its loop: what becomes of its callers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from helpers import DEADLINE_S, Background, on_loop

from uio_workloop import AbortedError, ClosedError, CommandGate, NotAttachedError, SourceDisabledError, WorkLoop
from uio_workloop.testing import fence

OUT = "thrown out"


@pytest.fixture
def ran() -> list[Any]:
    """What the actions of the test ran with."""
    return []


@pytest.fixture
def gate(work_loop, ran):
    """A command gate on the loop that writes down what it is called with."""
    source = CommandGate(ran.append)
    work_loop.add_event_source(source)
    fence(work_loop)  # the loop has looked at it, and leaves the gate to attempts
    yield source
    source.close()


def in_progress(work_loop: WorkLoop, call: Callable[..., Any], *args: Any) -> Background:
    """A client whose call has given the loop's gate up when this returns: stalled, or asleep in its action."""
    calling = threading.Event()

    def client() -> Any:
        calling.set()
        return call(*args)

    begun = Background(work_loop.run_action, client)
    assert calling.wait(DEADLINE_S)
    with work_loop.gate:  # to be had only once the client has given it up
        return begun


def asleep_in_an_action(work_loop: WorkLoop, gate: CommandGate) -> Background:
    """A client whose action sleeps on "token"; its result is the gate's loop as the action saw it at its end."""

    def action() -> Any:
        gate.command_sleep("token")
        return gate.work_loop

    return in_progress(work_loop, gate.run_action, action)


# Stalled callers


@pytest.mark.statement(104)
@pytest.mark.statement(109)
@pytest.mark.parametrize("clients", [1, 5, 20])
def test_removal_throws_every_stalled_caller_out_and_returns_when_all_are(work_loop, gate, ran, clients):
    out: list[str] = []

    def client() -> None:
        with pytest.raises(AbortedError):
            gate.run_command("never")
        out.append(OUT)  # still inside the loop's gate, which a removal that has waited takes afterwards

    gate.disable()
    stalled = [in_progress(work_loop, client) for _ in range(clients)]
    work_loop.remove_event_source(gate)

    assert out == [OUT] * clients
    assert ran == []
    assert gate.work_loop is None
    for each in stalled:
        each.result()


@pytest.mark.statement(104)
def test_closing_a_gate_throws_its_stalled_callers_out(work_loop, gate, ran):
    gate.disable()
    stalled = in_progress(work_loop, gate.run_command, "never")
    gate.close()

    with pytest.raises(AbortedError):
        stalled.result()
    assert ran == []


@pytest.mark.statement(104)
def test_a_caller_stalled_with_a_time_limit_is_thrown_out_by_removal_just_the_same(work_loop, gate, ran):
    gate.disable()
    stalled = in_progress(work_loop, lambda: gate.run_command("never", timeout_ns=int(DEADLINE_S * 1e9)))
    work_loop.remove_event_source(gate)

    with pytest.raises(AbortedError):
        stalled.result()
    assert ran == []


@pytest.mark.statement(104)
def test_removal_inside_an_action_of_the_loops_thread_throws_stalled_callers_out_too(work_loop, gate, ran):
    gate.disable()
    stalled = in_progress(work_loop, gate.run_command, "never")

    assert on_loop(work_loop, lambda: (work_loop.remove_event_source(gate), gate.work_loop)) == (None, None)

    with pytest.raises(AbortedError):
        stalled.result()
    assert ran == []


@pytest.mark.statement(109)
def test_twenty_stalled_callers_a_removal_and_an_enable_at_once_leave_nobody_behind(work_loop, ran):
    for _ in range(20):
        ran.clear()
        gate = CommandGate(ran.append)
        work_loop.add_event_source(gate)
        gate.disable()

        def client(number: int, gate: CommandGate = gate) -> str:
            try:
                gate.run_command(number)
            except AbortedError:
                return OUT
            return "ran"

        stalled = [in_progress(work_loop, client, number) for number in range(20)]
        start = threading.Barrier(2)

        def enable(gate: CommandGate = gate, start: threading.Barrier = start) -> None:
            start.wait(DEADLINE_S)
            gate.enable()

        def remove(gate: CommandGate = gate, start: threading.Barrier = start) -> None:
            start.wait(DEADLINE_S)
            work_loop.remove_event_source(gate)

        racing = [Background(enable), Background(remove)]
        outcomes = [each.result() for each in stalled]
        for each in racing:
            each.result()

        assert len(ran) == outcomes.count("ran")
        assert outcomes.count("ran") + outcomes.count(OUT) == 20
        assert gate.work_loop is None
        gate.close()


# Actions asleep


@pytest.mark.statement(105)
def test_a_gate_removed_while_its_action_sleeps_is_on_its_loop_until_the_action_returns(work_loop, gate):
    sleeper = asleep_in_an_action(work_loop, gate)

    work_loop.remove_event_source(gate)
    assert gate.work_loop is work_loop

    gate.command_wakeup("token")
    assert sleeper.result() is work_loop
    assert gate.work_loop is None


@pytest.mark.statement(105)
def test_of_several_actions_asleep_the_last_to_return_detaches_the_gate(work_loop, gate):
    sleepers = [asleep_in_an_action(work_loop, gate) for _ in range(3)]
    work_loop.remove_event_source(gate)

    for each in sleepers:
        assert gate.work_loop is work_loop
        assert gate.command_wakeup("token", one_thread=True) == 1
        assert each.result() is work_loop

    assert gate.work_loop is None


@pytest.mark.statement(105)
def test_an_action_asleep_on_the_loops_thread_defers_the_detach_as_well(work_loop, gate):
    def sleep_and_look() -> tuple[Any, Any]:
        gate.run_action(gate.command_sleep, "token")
        return gate.work_loop

    sleeper = Background(on_loop, work_loop, sleep_and_look)
    while not work_loop.gate._sleepers:
        os.sched_yield()
    work_loop.remove_event_source(gate)
    assert gate.work_loop is work_loop
    gate.command_wakeup("token")

    assert sleeper.result() is None


@pytest.mark.statement(106)
def test_a_gate_that_its_own_action_removes_is_detached_when_the_action_returns_its_value(work_loop, gate):
    def remove_myself() -> tuple[Any, str]:
        work_loop.remove_event_source(gate)
        return gate.work_loop, "value"

    assert gate.run_action(remove_myself) == (work_loop, "value")
    assert gate.work_loop is None


@pytest.mark.statement(106)
def test_a_gate_that_its_own_action_removes_is_detached_too_if_the_action_raises(work_loop, gate):
    def remove_myself_and_fail() -> None:
        work_loop.remove_event_source(gate)
        raise KeyError

    with pytest.raises(KeyError):
        gate.run_action(remove_myself_and_fail)
    assert gate.work_loop is None


@pytest.mark.statement(163)
def test_a_gate_whose_detach_is_complete_refuses_calls_as_not_attached(work_loop, gate, ran):
    work_loop.remove_event_source(gate)

    with pytest.raises(NotAttachedError):
        gate.run_command(1)
    with pytest.raises(NotAttachedError):
        gate.attempt_command(1)
    assert ran == []


@pytest.mark.statement(163)
def test_a_gate_whose_detach_is_deferred_refuses_new_calls_as_aborted(work_loop, gate, ran):
    sleeper = asleep_in_an_action(work_loop, gate)
    work_loop.remove_event_source(gate)

    with pytest.raises(AbortedError):
        gate.run_command(1)
    with pytest.raises(AbortedError):
        gate.attempt_command(1)
    with pytest.raises(AbortedError):
        on_loop(work_loop, gate.run_command, 1)
    assert ran == []

    gate.command_wakeup("token")
    sleeper.result()


def test_a_gate_whose_detach_is_deferred_cannot_be_removed_or_added_once_more_until_it_is_complete(work_loop, gate):
    sleeper = asleep_in_an_action(work_loop, gate)
    work_loop.remove_event_source(gate)

    with pytest.raises(NotAttachedError):
        work_loop.remove_event_source(gate)
    assert gate not in work_loop.event_sources

    gate.command_wakeup("token")
    sleeper.result()
    work_loop.add_event_source(gate)
    assert gate.work_loop is work_loop


# Afterwards


@pytest.mark.statement(107)
def test_a_gate_that_was_removed_and_added_again_is_disabled_until_enabled(work_loop, gate, ran):
    work_loop.remove_event_source(gate)
    assert not gate.enabled
    work_loop.add_event_source(gate)
    fence(work_loop)

    with pytest.raises(SourceDisabledError):
        gate.attempt_command(1)
    gate.enable()
    gate.run_command(2)
    assert ran == [2]


@pytest.mark.statement(107)
def test_enabling_a_detached_gate_is_a_wish_that_counts_when_it_is_added(work_loop, gate, ran):
    work_loop.remove_event_source(gate)
    gate.enable()
    work_loop.add_event_source(gate)
    fence(work_loop)

    gate.attempt_command(1)
    assert ran == [1]


def test_a_gate_can_move_to_another_loop(work_loop, gate, ran):
    work_loop.remove_event_source(gate)
    with WorkLoop("other") as other:
        other.add_event_source(gate)
        gate.enable()
        gate.run_action(lambda: ran.append((other.in_gate(), work_loop.in_gate())))
    assert ran == [(True, False)]


def test_a_closed_gate_refuses_everything(work_loop, gate, ran):
    gate.close()
    gate.close()

    for refused in (lambda: gate.run_command(1), lambda: gate.attempt_command(1), lambda: gate.run_action(int)):
        with pytest.raises((ClosedError, NotAttachedError)):
            refused()
    assert ran == []


def test_a_removal_whose_gate_was_detached_and_added_elsewhere_meanwhile_leaves_it_there(work_loop, gate):
    """The sleeping action is the first to go on and detaches the gate, the thrown-out caller adds it elsewhere."""
    with WorkLoop("other") as other:

        def caller() -> None:
            with pytest.raises(AbortedError):
                gate.run_command("never")
            other.add_event_source(gate)

        sleeper = asleep_in_an_action(work_loop, gate)
        gate.disable()
        stalled = in_progress(work_loop, caller)
        with work_loop.gate:
            gate.command_wakeup("token")  # the action is the first to have the gate when the removal gives it up
            while not work_loop.gate.waiting:
                os.sched_yield()
            work_loop.remove_event_source(gate)
        sleeper.result()
        stalled.result()

        assert gate.work_loop is other
        gate.enable()
        assert gate.run_action(other.in_gate)
        other.remove_event_source(gate)


def test_closing_a_gate_while_its_action_sleeps_closes_it_at_once_and_detaches_it_later(work_loop, gate):
    sleeper = asleep_in_an_action(work_loop, gate)
    gate.close()
    assert gate.closed
    with pytest.raises((AbortedError, ClosedError)):
        gate.run_command(1)

    gate.command_wakeup("token")
    assert sleeper.result() is work_loop
    assert gate.work_loop is None


def test_a_gate_whose_detach_is_deferred_can_be_closed(work_loop, gate):
    sleeper = asleep_in_an_action(work_loop, gate)
    work_loop.remove_event_source(gate)
    gate.close()
    gate.command_wakeup("token")
    sleeper.result()

    assert gate.closed
    assert gate.work_loop is None
