"""Calls through a command gate: IOCommandGate."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from helpers import DEADLINE_S, Background, Stage, on_loop

from uio_workloop import (
    AbortedError,
    BadArgumentError,
    CommandGate,
    DeadlineExceededError,
    GateBusyError,
    NotAttachedError,
    SourceDisabledError,
    WaitResult,
    WorkLoop,
)
from uio_workloop.testing import fence

SOON_NS = 5_000_000
IO_RETURN_ERROR = 0xE00002BC


@pytest.fixture
def ran() -> list[Any]:
    """What the actions of the test ran with."""
    return []


@pytest.fixture
def gate(work_loop, ran):
    """A command gate on the loop that writes down what it is called with, and hands it back."""

    def action(*args: Any) -> Any:
        ran.append(args)
        return args

    source = CommandGate(action)
    work_loop.add_event_source(source)
    fence(work_loop)  # the loop has looked at it, and leaves the gate to attempts
    return source


def stall(work_loop: WorkLoop, call: Callable[..., Any], *args: Any) -> Background:
    """A client that calls through a disabled gate from inside the loop's gate, stalled when this returns."""
    calling = threading.Event()

    def client() -> Any:
        calling.set()
        return call(*args)

    stalled = Background(work_loop.run_action, client)
    assert calling.wait(DEADLINE_S)
    with work_loop.gate:  # to be had only once the client has given it up
        return stalled


def outcome_of(client: Background) -> Any:
    try:
        return client.result()
    except AbortedError as error:
        return type(error)


# What can be called


@pytest.mark.statement(95)
@pytest.mark.parametrize("call", [CommandGate.run_command, CommandGate.attempt_command])
def test_a_command_without_an_action_is_a_bad_argument_before_anything_else_is_looked_at(work_loop, call):
    with CommandGate() as gate:
        with pytest.raises(BadArgumentError):
            call(gate)
        work_loop.add_event_source(gate)
        gate.disable()
        with pytest.raises(BadArgumentError):
            call(gate)


@pytest.mark.statement(95)
@pytest.mark.parametrize("call", [CommandGate.run_action, CommandGate.attempt_action])
def test_an_action_that_cannot_be_called_is_a_bad_argument_before_anything_else_is_looked_at(call):
    with CommandGate() as gate, pytest.raises(BadArgumentError):
        call(gate, None)


@pytest.mark.statement(95)
def test_a_gate_that_is_on_no_loop_refuses_calls(ran):
    with CommandGate(ran.append) as gate:
        for call in (gate.run_command, gate.attempt_command):
            with pytest.raises(NotAttachedError):
                call(1)
        for call in (gate.run_action, gate.attempt_action):
            with pytest.raises(NotAttachedError):
                call(ran.append, 1)

    assert ran == []


@pytest.mark.statement(108)
@pytest.mark.parametrize("value", [None, 0, IO_RETURN_ERROR, -1, "text", False, WaitResult.TIMED_OUT, KeyError()])
def test_what_an_action_returns_is_passed_through_as_it_is(gate, value):
    assert gate.run_action(lambda: value) is value
    assert gate.attempt_action(lambda: value) is value


def test_what_an_action_raises_reaches_the_caller_and_the_gate_is_free_again(work_loop, gate):
    with pytest.raises(ZeroDivisionError):
        gate.run_action(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        gate.attempt_action(lambda: 1 // 0)

    assert Background(gate.attempt_command, "after").result() == ("after",)


def test_the_stored_action_gets_the_arguments_and_runs_on_the_callers_thread(work_loop):
    gate = CommandGate(lambda *args: (args, threading.get_ident(), work_loop.in_gate()))
    work_loop.add_event_source(gate)
    fence(work_loop)

    for call in (gate.run_command, gate.attempt_command):
        assert call(1, 2, 3) == ((1, 2, 3), threading.get_ident(), True)


# Disabled


@pytest.mark.statement(96)
def test_a_disabled_gate_stalls_a_client_without_the_loops_gate_until_it_is_enabled(work_loop, gate, ran):
    gate.disable()
    client = Background(gate.run_command, "argument")
    while not work_loop.gate._sleepers:
        os.sched_yield()

    with work_loop.gate:  # free
        assert ran == []
        assert not client.finished
    gate.enable()

    assert client.result() == ("argument",)


@pytest.mark.statement(97)
@pytest.mark.parametrize("clients", [5, 20])
def test_enabling_lets_every_stalled_caller_run_one_at_a_time(work_loop, gate, clients):
    alone = threading.Lock()

    def action(number: int) -> int:
        assert alone.acquire(blocking=False)
        os.sched_yield()  # an invitation to overlap
        alone.release()
        return number

    gate.disable()
    stalled = [stall(work_loop, gate.run_action, action, number) for number in range(clients)]
    gate.enable()

    assert [client.result() for client in stalled] == list(range(clients))


@pytest.mark.statement(98)
def test_callers_go_on_waiting_if_the_gate_is_disabled_again_before_they_had_a_chance(work_loop, gate, ran):
    gate.disable()
    stalled = [stall(work_loop, gate.run_command, number) for number in range(3)]

    for _ in range(20):
        with work_loop.gate:
            gate.enable()
            gate.disable()
        assert ran == []

    gate.enable()
    assert [client.result() for client in stalled] == [(0,), (1,), (2,)]
    assert len(ran) == 3


@pytest.mark.statement(99)
def test_the_loops_own_thread_runs_through_a_disabled_gate_at_once(work_loop, gate):
    gate.disable()

    assert on_loop(work_loop, gate.run_command, "from the loop") == ("from the loop",)


@pytest.mark.statement(100)
def test_a_caller_that_stalls_gives_up_his_outer_holds_too_and_has_them_again(work_loop, gate):
    gate.disable()

    def call_and_look() -> bool:
        gate.run_command()
        return work_loop.in_gate()

    client = stall(work_loop, work_loop.run_action, call_and_look)  # two levels outside
    assert Background(work_loop.attempt_action, lambda: "others get in").result() == "others get in"
    gate.enable()

    assert client.result() is True


@pytest.mark.statement(103)
def test_disabling_waits_for_the_action_that_runs_and_needs_no_warning(work_loop, gate, caplog):
    running = Stage()
    finished: list[int] = []
    client = Background(gate.run_action, lambda: (running.hold(), finished.append(1)))
    running.await_reached()

    disabling = Background(lambda: (gate.disable(), len(finished)))
    while not work_loop.gate.waiting:
        os.sched_yield()
    running.release()

    assert disabling.result()[1] == 1
    client.result()
    assert not gate.enabled
    assert caplog.records == []


@pytest.mark.statement(103)
def test_an_action_that_sleeps_is_not_hurt_by_disabling_its_gate(work_loop, gate):
    dozing = threading.Event()
    client = Background(gate.run_action, lambda: (dozing.set(), gate.command_sleep("token")))
    assert dozing.wait(DEADLINE_S)
    gate.disable()
    gate.command_wakeup("token")

    assert client.result()[1] is WaitResult.AWAKENED


def test_a_stalled_caller_that_is_interrupted_leaves_the_gate_as_if_it_had_never_called(work_loop, gate, ran):
    """KeyboardInterrupt in the main thread; what is raised here comes from a signal handler, as that does."""

    class ImpatienceError(Exception):
        pass

    def interrupt(number, frame):
        raise ImpatienceError

    def poke() -> None:
        while not work_loop.gate._sleepers:
            os.sched_yield()
        while work_loop.gate._sleepers:  # a signal that comes just before the sleep is handled after it
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
            heard.wait(0.05)

    heard = threading.Event()
    gate.disable()
    had = signal.signal(signal.SIGUSR1, interrupt)
    try:
        poker = Background(poke)
        with pytest.raises(ImpatienceError):
            gate.run_command("never")
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # one more may be on its way
        heard.set()
        poker.result()
        signal.signal(signal.SIGUSR1, had)

    assert not work_loop.in_gate()
    gate.enable()
    assert Background(gate.run_command, "after").result() == ("after",)
    Background(work_loop.remove_event_source, gate).result()  # waits for nobody
    assert ran == [("after",)]


# Attempts


@pytest.mark.statement(101)
@pytest.mark.parametrize("enabled", [True, False])
def test_an_attempt_at_a_busy_gate_is_refused_as_busy_whether_it_is_enabled_or_not(work_loop, gate, ran, enabled):
    (gate.enable if enabled else gate.disable)()
    stage = Stage()
    holder = Background(work_loop.run_action, stage.hold)
    stage.await_reached()

    with pytest.raises(GateBusyError):
        gate.attempt_action(ran.append, 1)
    with pytest.raises(GateBusyError):
        gate.attempt_command(1)

    stage.release()
    holder.result()
    assert ran == []


@pytest.mark.statement(101)
def test_an_attempt_at_a_free_gate_that_is_disabled_is_refused_as_disabled(work_loop, gate, ran):
    gate.disable()

    with pytest.raises(SourceDisabledError):
        gate.attempt_action(ran.append, 1)
    with pytest.raises(SourceDisabledError):
        gate.attempt_command(1)

    assert ran == []
    assert work_loop.attempt_action(lambda: "free") == "free"


@pytest.mark.statement(102)
def test_an_attempt_by_a_holder_succeeds_and_on_the_loops_thread_even_if_the_gate_is_disabled(work_loop, gate):
    assert work_loop.run_action(gate.attempt_command, "holder") == ("holder",)
    gate.disable()
    assert on_loop(work_loop, gate.attempt_command, "loop") == ("loop",)
    with pytest.raises(SourceDisabledError):
        work_loop.run_action(gate.attempt_command, "holder")


# Time limits


@pytest.mark.statement(110)
def test_a_call_that_cannot_have_the_gate_in_time_raises_and_runs_nothing(work_loop, gate, ran):
    stage = Stage()
    holder = Background(work_loop.run_action, stage.hold)
    stage.await_reached()

    with pytest.raises(TimeoutError):
        gate.run_action(ran.append, 1, timeout_ns=SOON_NS)
    with pytest.raises(DeadlineExceededError):
        gate.run_command(1, timeout_ns=0)

    stage.release()
    holder.result()
    assert ran == []


@pytest.mark.statement(110)
def test_a_call_through_a_gate_that_nobody_enables_in_time_raises_and_runs_nothing(work_loop, gate, ran):
    gate.disable()

    with pytest.raises(DeadlineExceededError):
        gate.run_action(ran.append, 1, timeout_ns=SOON_NS)
    with pytest.raises(DeadlineExceededError):
        gate.run_command(1, timeout_ns=0)

    assert not work_loop.in_gate()
    assert ran == []
    gate.enable()
    assert gate.run_command(1) == (1,)


@pytest.mark.statement(110)
def test_a_call_with_a_time_limit_runs_as_usual_in_time(work_loop, gate):
    assert gate.run_command(1, timeout_ns=int(DEADLINE_S * 1e9)) == (1,)
    assert gate.run_action(lambda: "free", timeout_ns=0) == "free"
    gate.disable()
    client = stall(work_loop, lambda: gate.run_command(2, timeout_ns=int(DEADLINE_S * 1e9)))
    gate.enable()
    assert client.result() == (2,)


def test_a_time_limit_below_zero_is_refused(gate, ran):
    with pytest.raises(BadArgumentError):
        gate.run_command(1, timeout_ns=-1)
    assert ran == []


# Consequences


@pytest.mark.statement(158)
def test_an_action_that_disables_its_own_gate_and_calls_through_it_stalls_until_another_enables_it(work_loop, gate):
    client = stall(work_loop, gate.run_action, lambda: (gate.disable(), gate.run_command("inner")))
    while gate.enabled:  # the client may just have begun
        with work_loop.gate:
            pass
    gate.enable()

    assert client.result()[1] == ("inner",)


@pytest.mark.statement(158)
def test_on_the_loops_thread_such_an_action_runs_at_once(work_loop, gate):
    outcome = on_loop(work_loop, gate.run_action, lambda: (gate.disable(), gate.run_command("inner")))

    assert outcome[1] == ("inner",)
