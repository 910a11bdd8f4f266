"""What clients of the gate and of command gates do, and those who sleep on it."""

from __future__ import annotations

import os
import threading
from functools import partial

import hypothesis.strategies as st
import pytest
from crew import at_once
from helpers import DEADLINE_S, Stage
from hypothesis.stateful import precondition, rule
from machine import (
    FAR_NS,
    MOST_BLOCKED,
    Machine,
    Sleeper,
    Stalled,
    doors,
    interrupts,
    workers,
)
from subjects import CLOSED, ON_NO_LOOP
from turnstile import DeliberateError, refusal_of

from uio_workloop import (
    AbortedError,
    Deadline,
    DeadlineExceededError,
    GateBusyError,
    SourceDisabledError,
    WaitResult,
)
from uio_workloop.clock import MICROSECOND_NS, SECOND_NS

tokens = st.sampled_from(["red", "green"])


class ClientRules(Machine):
    """In by turns, in front of a closed door, asleep."""

    def visit(self, result: int) -> int:
        """A client's action: returns what it was given, and counts in a way that two at once would spoil."""
        return self.loop.run_action(self.counted_visit, result)

    def counted_visit(self, result: int) -> int:
        with self.turnstile.passage(self.loop, "a client"):
            visits = self.visits
            os.sched_yield()
            self.visits = visits + 1
            return result

    @rule(worker=workers, result=st.integers(), which=interrupts)
    def run_actions_at_once(self, worker: int, result: int, which: int) -> None:
        before = self.visits
        one, other, third = self.pick(worker, 3)
        results = at_once(
            (one, lambda: self.visit(result)),
            (other, lambda: self.visit(result + 1)),
            (third, lambda: refusal_of(self.interrupt(which).cause)),
        )
        assert results[:2] == [result, result + 1]
        assert self.visits == before + 2

    @rule(worker=workers)
    def run_an_action_that_raises(self, worker: int) -> None:
        with pytest.raises(DeliberateError):
            self.let(worker, lambda: self.loop.run_action(self.raise_on_purpose))
        assert self.let(worker + 1, lambda: self.visit(1)) == 1  # the gate is free again

    @rule(worker=workers, which=interrupts)
    def hold_the_gate_while_others_cause_and_attempt(self, worker: int, which: int) -> None:
        """While a client holds the gate, nobody attempts with success and no action runs."""
        subject, stage = self.interrupt(which), Stage()
        holder, attempter, causer = self.pick(worker, 3)
        held = holder.do(lambda: self.loop.run_action(stage.hold))
        stage.await_reached()
        calls = [each.calls for each in self.subjects]
        refused: list[object] = []
        at_once(
            (causer, lambda: refusal_of(subject.cause)),
            (attempter, lambda: refused.append(refusal_of(lambda: self.loop.attempt_action(self.raise_on_purpose)))),
        )
        assert refused == [GateBusyError]
        assert [each.calls for each in self.subjects] == calls
        stage.release()
        held.result(DEADLINE_S)

    @rule(worker=workers)
    def serve_as_a_client(self, worker: int) -> None:
        self.let(worker, self.loop.run_event_sources)

    # Command gates

    @precondition(lambda self: len(self.blocked) < MOST_BLOCKED)
    @rule(worker=workers, which=doors, result=st.integers())
    def run_a_command(self, worker: int, which: int, result: int) -> None:
        door, (caller,) = self.door(which), self.pick(worker)
        run = partial(door.source.run_command, result)
        if door.refuses_commands is not None:
            assert self.let(worker, lambda: refusal_of(run)) is door.refuses_commands
        elif door.enabled:
            assert self.let(worker, run) == result
        else:
            self.stalled.append(Stalled(caller, door, caller.do(run)))

    @rule(worker=workers, which=doors)
    def run_a_command_that_cannot_wait(self, worker: int, which: int) -> None:
        door = self.door(which)
        attempt = partial(door.source.attempt_command, 1)
        assert self.let(worker, lambda: refusal_of(attempt)) in (door.refuses_attempts, GateBusyError)
        if door.refuses_attempts is SourceDisabledError:
            short_wait = partial(door.source.run_command, 1, timeout_ns=100 * MICROSECOND_NS)
            assert self.let(worker, lambda: refusal_of(short_wait)) is DeadlineExceededError

    @rule(worker=workers, which=doors, result=st.integers(), let_in=st.booleans())
    def wait_at_a_disabled_command_gate(self, worker: int, which: int, result: int, let_in: bool) -> None:
        """Until it is enabled or removed."""
        door = self.door(which)
        if {ON_NO_LOOP, CLOSED} & door.silences:
            return
        caller, owner = self.pick(worker, 2)
        owner.do(door.disable).result(DEADLINE_S)
        outcome = caller.do(lambda: door.source.run_command(result))
        deadline = Deadline.after(int(DEADLINE_S * SECOND_NS))
        while door.source._stalled <= len(self.stalled):  # observed, not guessed
            assert not deadline.expired
            os.sched_yield()
        if let_in:
            owner.do(door.enable).result(DEADLINE_S)
            assert outcome.result(DEADLINE_S) == result
        else:
            owner.do(lambda: door.remove(self.loop)).result(DEADLINE_S)
            assert isinstance(outcome.exception(DEADLINE_S), AbortedError)

    @rule(worker=workers, which=doors)
    def remove_a_command_gate_while_its_command_sleeps(self, worker: int, which: int) -> None:
        """It stays with its loop until the command is done, and lets nobody in any more."""
        door, asleep = self.door(which), threading.Event()
        if door.silent:
            return

        def sleep() -> WaitResult:
            asleep.set()
            return door.source.command_sleep("pillow", Deadline.after(FAR_NS))

        sleeper, remover = self.pick(worker, 2)
        outcome = sleeper.do(lambda: door.source.run_action(sleep))
        assert asleep.wait(DEADLINE_S)
        remover.do(lambda: door.remove(self.loop)).result(DEADLINE_S)
        assert door.source.work_loop is self.loop
        late_command = partial(door.source.run_command, 1)
        assert remover.do(lambda: refusal_of(late_command)).result(DEADLINE_S) is AbortedError
        assert door.source.command_wakeup("pillow", one_thread=True) == 1
        assert outcome.result(DEADLINE_S) is WaitResult.AWAKENED

    # Sleep

    @precondition(lambda self: len(self.blocked) < MOST_BLOCKED)
    @rule(worker=workers, token=tokens, for_ever=st.booleans())
    def go_to_sleep(self, worker: int, token: str, for_ever: bool) -> None:
        going = threading.Event()

        def sleep() -> WaitResult:
            with self.loop.gate, self.loop.gate:  # both levels are given up
                going.set()  # whoever takes the gate from now on finds us asleep
                result = self.loop.gate.sleep(token, None if for_ever else Deadline.after(FAR_NS))
                with self.turnstile.passage(self.loop, "a client that slept"):
                    return result

        (sleeper,) = self.pick(worker)
        self.asleep.append(Sleeper(sleeper, token, sleeper.do(sleep)))
        assert going.wait(DEADLINE_S)

    @precondition(lambda self: len(self.blocked) < MOST_BLOCKED - 1)
    @rule(worker=workers, token=tokens)
    def wake_up_the_older_of_two(self, worker: int, token: str) -> None:
        self.go_to_sleep(worker, token, for_ever=True)
        self.go_to_sleep(worker, token, for_ever=False)
        self.wake_up(worker, token, one=True)

    @rule(worker=workers, token=tokens, one=st.booleans())
    def wake_up(self, worker: int, token: str, one: bool) -> None:
        expected = [sleeper for sleeper in self.asleep if sleeper.token == token][: 1 if one else None]
        assert self.let(worker, lambda: self.loop.gate.wakeup(token, one=one)) == len(expected)
        for sleeper in expected:
            assert sleeper.outcome.result(DEADLINE_S) is WaitResult.AWAKENED
            self.asleep.remove(sleeper)
        assert not any(sleeper.outcome.done() for sleeper in self.asleep)

    def nap(self, delay_ns: int) -> WaitResult:
        deadline = Deadline.after(delay_ns)
        with self.loop.gate:
            result = self.loop.gate.sleep("nap", deadline)
            assert self.loop.in_gate()
            assert deadline.expired or result is not WaitResult.TIMED_OUT
            return result

    @rule(worker=workers, delay_ns=st.sampled_from([0, 100 * MICROSECOND_NS]))
    def sleep_until_the_deadline(self, worker: int, delay_ns: int) -> None:
        assert self.let(worker, lambda: self.nap(delay_ns)) is WaitResult.TIMED_OUT

    @rule(worker=workers, delay_ns=st.sampled_from([0, 20 * MICROSECOND_NS, 100 * MICROSECOND_NS]))
    def wake_up_at_the_deadline(self, worker: int, delay_ns: int) -> None:
        """Whoever counts as woken was awakened, and nobody else."""
        one, other = self.pick(worker, 2)
        result, woken = at_once((one, lambda: self.nap(delay_ns)), (other, lambda: self.loop.gate.wakeup("nap")))
        assert result is (WaitResult.AWAKENED if woken else WaitResult.TIMED_OUT)
