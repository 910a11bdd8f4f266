"""Holding the gate: who gets it, how deep, who is refused, and for how long."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

import pytest
from helpers import DEADLINE_S, Background, Stage, attach, on_loop

from uio_workloop import (
    CommandGate,
    Deadline,
    EventSource,
    FilterInterruptEventSource,
    GateBusyError,
    HoldTimeError,
    InterruptEventSource,
    UsageError,
    WorkLoop,
)
from uio_workloop.clock import monotonic_ns
from uio_workloop.testing import fence

HOUR_NS = 3_600 * 10**9
LIMIT_NS = 10**8
"""More than a pass takes on the slowest machine, whose loop is watched, too."""


def in_a_client(work_loop: WorkLoop, fn: Callable[..., object]) -> object:
    return Background(work_loop.run_action, fn).result()


def gate_is_free(work_loop: WorkLoop) -> bool:
    """Whether a thread other than the caller's could have the gate now."""
    try:
        Background(work_loop.attempt_action, int).result()
    except GateBusyError:
        return False
    return True


# run_action


@pytest.mark.statement(36)
def test_run_action_runs_on_the_callers_thread_under_the_gate_and_gives_back_its_result(work_loop):
    result = work_loop.run_action(
        lambda a, b: (a + b, threading.get_ident(), work_loop.in_gate(), work_loop.on_thread()), 1, b=2
    )

    assert result == (3, threading.get_ident(), True, False)
    assert not work_loop.in_gate()


@pytest.mark.statement(37)
@pytest.mark.parametrize("enter", [in_a_client, on_loop])
def test_a_holder_runs_further_actions_at_once_and_the_gate_opens_only_at_the_outermost_exit(work_loop, enter):
    first, second = CommandGate(), CommandGate()
    work_loop.add_event_source(first)
    work_loop.add_event_source(second)

    def nested() -> tuple[int, bool]:
        reached = work_loop.run_action(first.run_action, second.run_action, work_loop.run_action, lambda: 7)
        return reached, gate_is_free(work_loop)

    assert enter(work_loop, nested) == (7, False)
    fence(work_loop)
    assert gate_is_free(work_loop)


@pytest.mark.statement(38)
def test_an_attempt_is_refused_at_once_to_others_and_takes_the_holder_one_level_deeper(work_loop):
    gate = work_loop.gate
    with gate.attempt():
        assert not gate_is_free(work_loop)
        with gate.attempt():
            pass
        assert gate.held
        assert not gate_is_free(work_loop)
    assert not gate.held
    assert gate_is_free(work_loop)


@pytest.mark.statement(39)
def test_being_on_the_loops_thread_and_holding_its_gate_are_independent(work_loop, line, seen):
    where: list[tuple[bool, bool]] = []

    class Primary(InterruptEventSource):
        def on_ready(self) -> bool:
            where.append((work_loop.on_thread(), work_loop.in_gate()))
            return super().on_ready()

    source = Primary(line, seen)
    work_loop.add_event_source(source)
    source.enable()
    where.clear()  # enabling looks, too
    fence(work_loop)
    line.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert set(where) == {(True, False)}
    assert work_loop.run_action(lambda: (work_loop.on_thread(), work_loop.in_gate())) == (False, True)
    assert on_loop(work_loop, lambda: (work_loop.on_thread(), work_loop.in_gate())) == (True, True)


@pytest.mark.statement(41)
@pytest.mark.parametrize("run", [WorkLoop.run_action, WorkLoop.attempt_action])
def test_what_an_action_raises_reaches_its_caller_and_the_gate_is_held_as_before(work_loop, run):
    with pytest.raises(ZeroDivisionError):
        run(work_loop, lambda: 1 // 0)
    assert gate_is_free(work_loop)

    with work_loop.gate:
        with pytest.raises(ZeroDivisionError):
            run(work_loop, lambda: 1 // 0)
        assert work_loop.in_gate()
        assert not gate_is_free(work_loop)
    assert gate_is_free(work_loop)


# Where nobody may wait

NEEDS_THE_GATE = {
    "run_action": lambda loop, gate, spare: loop.run_action(int),
    "attempt_action": lambda loop, gate, spare: loop.attempt_action(int),
    "with gate": lambda loop, gate, spare: loop.gate.__enter__(),
    "gate.attempt": lambda loop, gate, spare: loop.gate.attempt().__enter__(),
    "gate.within": lambda loop, gate, spare: loop.gate.within(Deadline.after(HOUR_NS)).__enter__(),
    "gate.wakeup": lambda loop, gate, spare: loop.gate.wakeup("token"),
    "gate.sleep": lambda loop, gate, spare: loop.gate.sleep("token"),
    "CommandGate.run_action": lambda loop, gate, spare: gate.run_action(int),
    "CommandGate.attempt_action": lambda loop, gate, spare: gate.attempt_action(int),
    "command_sleep": lambda loop, gate, spare: gate.command_sleep("token"),
    "add_event_source": lambda loop, gate, spare: loop.add_event_source(spare),
    "remove_event_source": lambda loop, gate, spare: loop.remove_event_source(gate),
    "run_event_sources": lambda loop, gate, spare: loop.run_event_sources(),
}


@pytest.fixture
def refusals():
    return []


@pytest.fixture
def misuse(work_loop, refusals, request):
    """A misuse to be called in the primary stage; how it was answered is in `refusals`."""
    gate, spare = CommandGate(), EventSource()
    work_loop.add_event_source(gate)

    def call() -> None:
        try:
            NEEDS_THE_GATE[request.param](work_loop, gate, spare)
        except BaseException as error:
            refusals.append(error)

    yield call
    spare.close()


@pytest.mark.statement(42)
@pytest.mark.parametrize("misuse", NEEDS_THE_GATE, indirect=True)
def test_what_needs_the_gate_is_refused_at_once_in_the_ready_phase(work_loop, line, seen, misuse, refusals):
    class Primary(InterruptEventSource):
        def on_ready(self) -> bool:
            if work_loop.on_thread() and not refusals:
                misuse()
            return super().on_ready()

    source = Primary(line, seen)
    work_loop.add_event_source(source)
    source.enable()
    line.cause()
    seen.wait_for_calls(1)

    (refusal,) = refusals
    assert isinstance(refusal, UsageError)
    Background(work_loop.run_action, int).result()


@pytest.mark.statement(42)
@pytest.mark.parametrize("misuse", NEEDS_THE_GATE, indirect=True)
def test_what_needs_the_gate_is_refused_at_once_in_a_filter(work_loop, line, seen, misuse, refusals):
    def careless(sender) -> bool:
        misuse()
        return True

    source = FilterInterruptEventSource(line, seen, careless)
    work_loop.add_event_source(source)
    source.enable()
    line.cause()
    seen.wait_for_calls(1)

    (refusal,) = refusals
    assert isinstance(refusal, UsageError)
    Background(work_loop.run_action, int).result()


@pytest.mark.statement(42)
def test_a_source_whose_ready_phase_misuses_the_gate_is_reported_and_the_loop_goes_on(
    work_loop, line, edge_line, seen, caplog
):
    class Careless(InterruptEventSource):
        def on_ready(self) -> bool:
            return work_loop.run_action(super().on_ready)

    careless = Careless(line, seen)
    work_loop.add_event_source(careless)
    careless.enable()
    attach(work_loop, edge_line, seen)
    edge_line.cause()
    seen.wait_for_calls(1)

    assert caplog.records[0].getMessage().startswith("Careless on line")
    assert "is not for on_ready() and filters" in caplog.text
    assert work_loop.thread.is_alive()


# How long


def hold_the_gate_for(work_loop: WorkLoop, duration_ns: int) -> None:
    with work_loop.gate:
        until = monotonic_ns() + duration_ns
        while monotonic_ns() <= until:
            os.sched_yield()


@pytest.fixture
def strict_loop(work_loop):
    """A loop on which holding too long is an error, until the test has ended."""
    work_loop.set_maximum_lock_time(LIMIT_NS, raises=True)
    yield work_loop
    work_loop.set_maximum_lock_time(0)


@pytest.fixture
def warnings_of(caplog):
    caplog.set_level(logging.WARNING)
    return lambda: [record for record in caplog.records if record.levelno == logging.WARNING]


def with_gate(loop: WorkLoop, gate: CommandGate) -> None:
    with loop.gate:
        hold_the_gate_for(loop, LIMIT_NS)


def with_attempt(loop: WorkLoop, gate: CommandGate) -> None:
    with loop.gate.attempt():
        hold_the_gate_for(loop, LIMIT_NS)


def with_within(loop: WorkLoop, gate: CommandGate) -> None:
    with loop.gate.within(Deadline.after(HOUR_NS)):
        hold_the_gate_for(loop, LIMIT_NS)


def through_run_action(loop: WorkLoop, gate: CommandGate) -> None:
    loop.run_action(hold_the_gate_for, loop, LIMIT_NS)


def through_a_command_gate(loop: WorkLoop, gate: CommandGate) -> None:
    gate.run_action(hold_the_gate_for, loop, LIMIT_NS)


@pytest.mark.statement(43)
@pytest.mark.parametrize("hold", [with_gate, with_attempt, with_within, through_run_action, through_a_command_gate])
def test_a_hold_longer_than_the_maximum_is_reported_once_with_the_holders_stack(work_loop, warnings_of, hold):
    gate = CommandGate()
    work_loop.add_event_source(gate)
    fence(work_loop)
    work_loop.set_maximum_lock_time(LIMIT_NS)

    Background(hold, work_loop, gate).result()

    (report,) = warnings_of()
    message = report.getMessage()
    assert "the gate of 'under test' was held for" in message
    assert "by thread 'background of a test'" in message
    assert f"in {hold.__name__}\n" in message


@pytest.mark.statement(43)
@pytest.mark.parametrize("maximum_ns", [0, HOUR_NS])
def test_a_hold_within_the_maximum_or_without_one_is_not_reported(work_loop, warnings_of, maximum_ns):
    work_loop.set_maximum_lock_time(1)
    work_loop.set_maximum_lock_time(maximum_ns)
    before = len(warnings_of())  # setting it takes the gate, for longer than 1 ns

    hold_the_gate_for(work_loop, LIMIT_NS)

    assert len(warnings_of()) == before


@pytest.mark.statement(43)
def test_a_hold_of_exactly_the_maximum_is_not_reported_and_one_nanosecond_more_is(work_loop, warnings_of, monkeypatch):
    now = 10**18
    for file in ("gate", "gate_lock"):
        monkeypatch.setattr(f"uio_workloop.loop.{file}.monotonic_ns", lambda: now)
    work_loop.set_maximum_lock_time(100)

    with work_loop.gate:
        now += 100
    assert warnings_of() == []

    with work_loop.gate:
        now += 101
    assert len(warnings_of()) == 1


@pytest.mark.statement(43)
def test_of_nested_holds_the_outermost_is_measured_from_its_beginning(work_loop, warnings_of, monkeypatch):
    now = 10**18
    for file in ("gate", "gate_lock"):
        monkeypatch.setattr(f"uio_workloop.loop.{file}.monotonic_ns", lambda: now)
    work_loop.set_maximum_lock_time(100)

    with work_loop.gate:
        now += 100
        with work_loop.gate, work_loop.gate.attempt():
            now += 1
        assert warnings_of() == []

    (report,) = warnings_of()
    assert "was held for 101 ns" in report.getMessage()


@pytest.mark.statement(43)
def test_an_action_on_the_loops_thread_that_holds_too_long_is_reported_with_its_stack(work_loop, warnings_of, caplog):
    work_loop.set_maximum_lock_time(LIMIT_NS)

    on_loop(work_loop, hold_the_gate_for, work_loop, LIMIT_NS)
    fence(work_loop)

    (report,) = warnings_of()
    assert "_thread_main" in caplog.text
    assert "under test" in report.getMessage()


@pytest.mark.statement(43)
def test_a_client_that_holds_too_long_can_be_made_to_hear_of_it(strict_loop, warnings_of):
    with pytest.raises(HoldTimeError, match="under test"):
        hold_the_gate_for(strict_loop, LIMIT_NS)

    assert warnings_of() == []
    Background(strict_loop.run_action, int).result()


@pytest.mark.statement(43)
def test_a_holder_that_raises_is_not_answered_with_a_hold_time_error(strict_loop):
    def hold_and_fail() -> None:
        hold_the_gate_for(strict_loop, LIMIT_NS)
        raise KeyError

    with pytest.raises(KeyError):
        strict_loop.run_action(hold_and_fail)
    assert gate_is_free(strict_loop)


@pytest.mark.statement(43)
def test_a_hold_time_error_does_not_end_the_loops_thread(strict_loop, seen, line, caplog):
    on_loop(strict_loop, hold_the_gate_for, strict_loop, LIMIT_NS)

    attach(strict_loop, line, seen)
    line.cause()
    seen.wait_for_calls(1)
    assert "under test" in caplog.text


@pytest.mark.statement(44)
def test_the_time_asleep_on_the_gate_does_not_count(work_loop, warnings_of):
    work_loop.set_maximum_lock_time(2 * LIMIT_NS)
    about_to = Stage()

    def doze() -> None:
        about_to._reached.set()
        work_loop.gate.sleep("token")

    sleeper = Background(work_loop.run_action, doze)
    about_to.await_reached()
    until = monotonic_ns() + 2 * LIMIT_NS
    while monotonic_ns() <= until:
        fence(work_loop)
    work_loop.gate.wakeup("token")
    sleeper.result(DEADLINE_S)

    assert warnings_of() == []


@pytest.mark.statement(44)
def test_the_time_before_a_sleep_and_the_time_after_it_count_as_one_hold(work_loop, warnings_of):
    work_loop.set_maximum_lock_time(LIMIT_NS)

    with work_loop.gate:
        hold_the_gate_for(work_loop, LIMIT_NS)
        work_loop.gate.sleep("token", Deadline(1))
        assert warnings_of() == []

    assert len(warnings_of()) == 1
