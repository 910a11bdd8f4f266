"""One loop, its sources, and the workers that act on them: what the random steps work with, and what holds after each.

The model is the book kept about each source (subjects.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from crew import Worker
from helpers import DEADLINE_S
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from interrupt_subjects import FilterSubject, InterruptSubject, LineSubject, SharedSubject, SoftwareSubject
from subjects import NOT_ENABLED, DoorSubject, Subject, TimerSubject, await_delivery
from turnstile import DeliberateError, Turnstile
from watchdog import give_up_on_loops, stacks

from uio_workloop import (
    AbortedError,
    ClosedError,
    Trigger,
    WaitResult,
    WorkLoop,
)
from uio_workloop.clock import MICROSECOND_NS, MILLISECOND_NS, SECOND_NS
from uio_workloop.testing import fence

FAR_NS = 3_600 * SECOND_NS

INTERRUPTS: list[Callable[[Turnstile], InterruptSubject]] = [
    lambda turnstile: LineSubject(turnstile, "the level line", Trigger.LEVEL),
    lambda turnstile: LineSubject(turnstile, "the edge line", Trigger.EDGE),
    lambda turnstile: FilterSubject(turnstile, "the filtered level line", Trigger.LEVEL),
    lambda turnstile: FilterSubject(turnstile, "the filtered edge line", Trigger.EDGE),
    lambda turnstile: SharedSubject(turnstile, "the shared level line", Trigger.LEVEL),
    lambda turnstile: SharedSubject(turnstile, "the shared edge line", Trigger.EDGE),
    lambda turnstile: SoftwareSubject(turnstile, "the software source"),
]
TIMERS: list[Callable[[Turnstile], TimerSubject]] = [
    lambda turnstile: TimerSubject(turnstile, "the first timer"),
    lambda turnstile: TimerSubject(turnstile, "the second timer"),
]
DOORS: list[Callable[[Turnstile], DoorSubject]] = [lambda turnstile: DoorSubject(turnstile, "the command gate")]
MOST_BLOCKED = 3
WORKERS = MOST_BLOCKED + 3  # so that three can always do something at once

workers = st.integers(0, WORKERS - 1)
interrupts = st.integers(0, len(INTERRUPTS) - 1)
timers = st.integers(0, len(TIMERS) - 1)
doors = st.integers(0, len(DOORS) - 1)
sources = st.integers(0, len(INTERRUPTS) + len(TIMERS) + len(DOORS) - 1)
delays_ns = st.sampled_from([0, 100 * MICROSECOND_NS, 2 * MILLISECOND_NS, FAR_NS])


@dataclass
class Sleeper:
    """A worker asleep on the gate."""

    worker: Worker
    token: str
    outcome: Future[WaitResult]


@dataclass
class Stalled:
    """A worker in front of a command gate that is disabled."""

    worker: Worker
    door: DoorSubject
    outcome: Future[int]


class Machine(RuleBasedStateMachine):
    """One loop, its sources, and the workers that act on them."""

    seen: ClassVar[Counter[str]] = Counter()
    """Figures of all examples."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = -1  # the invariants are looked at once before the first step
        self.turnstile = Turnstile()
        self.loop = WorkLoop("under test", on_error=self.turnstile.on_error)
        self.crew = [Worker(f"worker {number}") for number in range(WORKERS)]
        self.asleep: list[Sleeper] = []  # in the order of falling asleep
        self.stalled: list[Stalled] = []
        self.makers: list[Callable[[Turnstile], Subject]] = [*INTERRUPTS, *TIMERS, *DOORS]
        self.subjects: list[Subject] = [make(self.turnstile) for make in self.makers]
        for subject in self.subjects:
            subject.add(self.loop)
            subject.enable()
        self.visits = 0

    # Who does it

    def pick(self, first: int, n: int = 1) -> list[Worker]:
        """`n` workers who are neither asleep nor stalled."""
        idle = [worker for worker in self.crew if worker not in self.blocked]
        return [idle[(first + number) % len(idle)] for number in range(n)]

    @property
    def blocked(self) -> list[Worker]:
        return [each.worker for each in (*self.asleep, *self.stalled)]

    def let(self, worker: int, job: Callable[[], Any]) -> Any:
        """Have one of the workers do something, and wait for it."""
        return self.pick(worker)[0].do(job).result(DEADLINE_S)

    def interrupt(self, which: int) -> InterruptSubject:
        subject = self.subjects[which]
        assert isinstance(subject, InterruptSubject)
        return subject

    def timer(self, which: int) -> TimerSubject:
        subject = self.subjects[len(INTERRUPTS) + which]
        assert isinstance(subject, TimerSubject)
        return subject

    def door(self, which: int) -> DoorSubject:
        subject = self.subjects[len(INTERRUPTS) + len(TIMERS) + which]
        assert isinstance(subject, DoorSubject)
        return subject

    @staticmethod
    def raise_on_purpose() -> None:
        raise DeliberateError

    # What holds

    @rule()
    def settle(self) -> None:
        """Everything is delivered that has to be, every timer that is due fires, and nothing happens twice."""
        await_delivery(self.turnstile, self.subjects)  # before the fence, which would wake the loop
        self.let(0, lambda: fence(self.loop))

    @invariant()
    def whoever_is_stalled_goes_on_if_he_can_and_only_then(self) -> None:
        for each in tuple(self.stalled):
            if each.door.silences != {NOT_ENABLED}:
                self.stalled.remove(each)
                error = each.outcome.exception(DEADLINE_S)
                assert error is None or (isinstance(error, AbortedError) and each.door.loop is None)
        assert not any(each.outcome.done() for each in self.stalled)

    @invariant()
    def nobody_complains_and_the_book_is_right(self) -> None:
        assert self.turnstile.complaints == []
        self.let(0, lambda: self.loop.run_action(lambda: [subject.check_book() for subject in self.subjects]))
        self.steps += 1

    # The end

    def the_end(self) -> None:
        """Everything adds up; then closing the loop silences what is left and wakes who is asleep."""
        for subject in self.subjects:
            if not subject.closed:
                if subject.loop is None:
                    subject.add(self.loop)
                subject.enable()
        self.settle()
        self.nobody_complains_and_the_book_is_right()
        assert not any(sleeper.outcome.done() for sleeper in self.asleep)

        self.loop.close()
        for subject in self.subjects:
            subject.close()
            subject.add(self.loop)  # refused
        assert [sleeper.outcome.result(DEADLINE_S) for sleeper in self.asleep] == [WaitResult.INTERRUPTED] * len(
            self.asleep
        )
        with pytest.raises(ClosedError):
            self.loop.run_action(self.raise_on_purpose)
        assert self.turnstile.complaints == []

    def teardown(self) -> None:
        undertaker = Worker("undertaker")  # if a gate is stuck, then this thread is, and not the one that says so
        try:
            undertaker.do(self.the_end).result(3 * DEADLINE_S)
        finally:
            try:
                undertaker.do(self.clear_away).result(DEADLINE_S)
            except TimeoutError:
                give_up_on_loops()
                raise AssertionError(f"the loop cannot be closed:\n{stacks()}") from None
            for worker in (undertaker, *self.crew):
                worker.dismiss()
            self.seen["examples"] += 1
            self.seen["steps"] += self.steps

    def clear_away(self) -> None:
        self.loop.close()
        for subject in self.subjects:
            subject.dispose()
            self.count(subject)

    def count(self, subject: Subject) -> None:
        if isinstance(subject, InterruptSubject):
            self.seen["caused"] += subject.caused
            self.seen["delivered"] += subject.delivered
            self.seen["rejected"] += subject.rejected
        elif isinstance(subject, TimerSubject):
            self.seen["armed"] += subject.armed
            self.seen["fired"] += subject.fired
