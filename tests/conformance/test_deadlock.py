"""Loops that wait for each other: one of them hears of it, the others go on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest
from helpers import DEADLINE_S, Background, on_loop

from uio_workloop import (
    CommandGate,
    Deadline,
    DeadlineExceededError,
    DeadlockError,
    UsageError,
    WaitResult,
    WorkLoop,
)
from uio_workloop.clock import SECOND_NS

SOON_NS = 20_000_000


@pytest.fixture
def ring() -> Iterator[list[WorkLoop]]:
    with WorkLoop("one") as one, WorkLoop("two") as two, WorkLoop("three") as three:
        yield [one, two, three]


def in_a_client(work_loop: WorkLoop, fn: Callable[[], object]) -> object:
    return work_loop.run_action(fn)


def outcome_of(fn: Callable[[], object]) -> object:
    try:
        return fn()
    except (DeadlockError, DeadlineExceededError) as error:
        return error


def close_the_ring(loops: list[WorkLoop], enter: Callable[..., object] = in_a_client) -> list[object]:
    """Threads that each hold one gate and then call the next loop; what becomes of those calls."""
    everybody_holds = threading.Barrier(len(loops))

    def call(following: WorkLoop) -> object:
        everybody_holds.wait(DEADLINE_S)
        return outcome_of(lambda: following.run_action(lambda: "ran"))

    callers = [
        Background(enter, loop, lambda following=following: call(following))
        for loop, following in zip(loops, loops[1:] + loops[:1], strict=True)
    ]
    return [caller.result() for caller in callers]


@pytest.mark.statement(94)
@pytest.mark.parametrize("enter", [on_loop, in_a_client])
@pytest.mark.parametrize("size", [2, 3])
def test_of_threads_that_hold_a_gate_each_and_wait_in_a_ring_one_gets_a_deadlock_error(ring, size, enter):
    outcomes = close_the_ring(ring[:size], enter)

    (error,) = [outcome for outcome in outcomes if outcome != "ran"]
    assert isinstance(error, DeadlockError)
    assert len(outcomes) == size


@pytest.mark.statement(94)
def test_the_deadlock_error_names_the_threads_and_the_gates_they_wait_for(ring):
    one, two = ring[:2]

    (error,) = [outcome for outcome in close_the_ring([one, two], on_loop) if outcome != "ran"]

    assert "thread 'one' waits for the gate of 'two'" in str(error)
    assert "thread 'two' waits for the gate of 'one'" in str(error)
    assert isinstance(error, UsageError)


@pytest.mark.statement(94)
def test_a_deadlock_is_found_every_time_and_the_gates_stay_usable(ring):
    for _ in range(100):
        outcomes = close_the_ring(ring)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["DeadlockError", "str", "str"]

    assert [loop.run_action(lambda: "free") for loop in ring] == ["free"] * 3


@pytest.mark.statement(94)
def test_threads_that_wait_in_a_row_and_not_in_a_ring_are_left_waiting(ring):
    one, two, three = ring
    holding = threading.Event()
    let_go = threading.Event()

    def hold() -> None:
        holding.set()
        assert let_go.wait(DEADLINE_S)

    holder = Background(three.run_action, hold)
    assert holding.wait(DEADLINE_S)
    behind = Background(two.run_action, three.run_action, lambda: "second")
    while not three.gate.waiting:
        os.sched_yield()
    last = Background(one.run_action, two.run_action, lambda: "third")
    while not two.gate.waiting:
        os.sched_yield()
    let_go.set()

    holder.result()
    assert (behind.result(), last.result()) == ("second", "third")


@pytest.mark.statement(94)
@pytest.mark.parametrize(
    "wait_a_while",
    [
        lambda loop, gate: loop.gate.within(Deadline.after(SOON_NS)).__enter__(),
        lambda loop, gate: gate.run_action(int, timeout_ns=SOON_NS),
    ],
    ids=["gate.within", "run_action with timeout_ns"],
)
def test_in_a_ring_with_a_deadline_there_is_a_timeout_and_no_deadlock_error(ring, wait_a_while):
    one, two = ring[:2]
    gate = CommandGate()
    two.add_event_source(gate)
    both_hold = threading.Barrier(2)

    def impatient() -> object:
        both_hold.wait(DEADLINE_S)
        return outcome_of(lambda: wait_a_while(two, gate))

    def patient() -> object:
        both_hold.wait(DEADLINE_S)
        return outcome_of(lambda: one.run_action(lambda: "ran"))

    callers = [Background(one.run_action, impatient), Background(two.run_action, patient)]

    timeout, ran = (caller.result() for caller in callers)
    assert isinstance(timeout, DeadlineExceededError)
    assert isinstance(timeout, TimeoutError)
    assert ran == "ran"


@pytest.mark.statement(94)
@pytest.mark.parametrize("wake", [True, False], ids=["woken", "timed out"])
def test_a_sleeper_that_takes_its_gate_back_is_never_the_one_to_hear_of_a_deadlock(ring, wake):
    one, two = ring[:2]
    dozing = threading.Event()

    def sleep_and_keep_the_other() -> WaitResult:
        with two.gate, one.gate:
            dozing.set()
            return one.gate.sleep("token", None if wake else Deadline.after(SOON_NS))

    sleeper = Background(sleep_and_keep_the_other)
    assert dozing.wait(DEADLINE_S)

    def wait_for_what_the_sleeper_keeps() -> object:
        one.gate.wakeup("token" if wake else "none")
        return outcome_of(lambda: two.run_action(lambda: "ran"))

    waiter = Background(one.run_action, wait_for_what_the_sleeper_keeps)

    assert sleeper.result() is (WaitResult.AWAKENED if wake else WaitResult.TIMED_OUT)
    assert isinstance(waiter.result(), DeadlockError)


@pytest.mark.statement(94)
def test_the_loops_go_on_after_a_deadlock_between_their_threads(ring):
    one, two = ring[:2]
    close_the_ring([one, two], on_loop)

    assert on_loop(one, one.on_thread)
    assert on_loop(two, two.on_thread)


@pytest.mark.statement(94)
def test_closing_a_loop_whose_thread_still_needs_what_the_closer_holds_does_not_hang(ring):
    one, two = ring[:2]
    outcomes: list[object] = []
    dozing = threading.Event()

    def action() -> None:
        dozing.set()
        two.gate.sleep("token", Deadline.after(int(DEADLINE_S * SECOND_NS)))  # until the loop is closed
        outcomes.append(outcome_of(lambda: one.run_action(lambda: "ran")))

    thread = Background(on_loop, two, action)
    assert dozing.wait(DEADLINE_S)
    with two.gate:
        pass
    closer = Background(one.run_action, lambda: outcome_of(two.close))

    closer.result()
    thread.result()
    assert len(outcomes) == 1


@pytest.mark.statement(94)
def test_closing_a_closed_loop_again_does_not_take_a_thread_with_its_number_for_its_own(ring):
    one, two = ring[:2]
    two.close()
    with one.gate:
        clients = [Background(one.run_action, lambda: "ran") for _ in range(20)]  # the first gets the number, as a rule
        while len(one.gate.waiting) < len(clients):
            os.sched_yield()
        two.close()

    assert [client.result() for client in clients] == ["ran"] * 20
