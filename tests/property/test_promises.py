"""Random work for one work loop, by several threads, compared with a model after every step.

The model is the book kept about each source (subjects.py). 10,000 steps, the same in every run, so that a red run can
be repeated. For more, and others every time:

    UIO_WORKLOOP_PROPERTY_STEPS=200000 python -m pytest tests/property/test_promises.py
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from crew import Worker, at_once
from helpers import DEADLINE_S, Stage
from hypothesis import HealthCheck, Phase, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from subjects import (
    CLOSED,
    NOT_ENABLED,
    ON_NO_LOOP,
    DeliberateError,
    DoorSubject,
    FilterSubject,
    InterruptSubject,
    LineSubject,
    SoftwareSubject,
    Subject,
    TimerSubject,
    Turnstile,
    await_delivery,
    refusal_of,
)
from watchdog import give_up_on_loops, stacks

from uio_workloop import (
    AbortedError,
    AlreadyAttachedError,
    ClosedError,
    Deadline,
    DeadlineExceededError,
    GateBusyError,
    NotAttachedError,
    SourceDisabledError,
    Trigger,
    WaitResult,
    WorkLoop,
)
from uio_workloop.clock import MICROSECOND_NS, MILLISECOND_NS, SECOND_NS, monotonic_ns
from uio_workloop.testing import fence

STEPS = int(os.environ.get("UIO_WORKLOOP_PROPERTY_STEPS", "10000"))
STEPS_EACH = 100
FAR_NS = 3_600 * SECOND_NS
SETTINGS = settings(
    max_examples=STEPS * 14 // 10 // STEPS_EACH,  # some end early
    stateful_step_count=STEPS_EACH,
    derandomize="UIO_WORKLOOP_PROPERTY_STEPS" not in os.environ,
    phases=[Phase.generate, Phase.shrink],
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

INTERRUPTS: list[Callable[[Turnstile], InterruptSubject]] = [
    lambda turnstile: LineSubject(turnstile, "the level line", Trigger.LEVEL),
    lambda turnstile: LineSubject(turnstile, "the edge line", Trigger.EDGE),
    lambda turnstile: FilterSubject(turnstile, "the filtered level line", Trigger.LEVEL),
    lambda turnstile: FilterSubject(turnstile, "the filtered edge line", Trigger.EDGE),
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
DEEDS = st.sampled_from(["raise", "disable", "remove", "close", "cause", "cause and serve", "take its action away"])
tokens = st.sampled_from(["red", "green"])
delays_ns = st.sampled_from([0, 100 * MICROSECOND_NS, 2 * MILLISECOND_NS, FAR_NS])
leeways_ns = st.sampled_from([0, 0, MILLISECOND_NS])


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


def give_turns(n: int) -> None:
    for _ in range(n):
        os.sched_yield()


class Promises(RuleBasedStateMachine):
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

    # One after the other

    @rule(worker=workers, which=interrupts, n=st.integers(1, 5))
    def cause(self, worker: int, which: int, n: int) -> None:
        subject = self.interrupt(which)
        assert self.let(worker, lambda: refusal_of(lambda: subject.cause(n))) is subject.refuses_interrupts

    @rule(worker=workers, which=sources)
    def add(self, worker: int, which: int) -> None:
        self.let(worker, lambda: self.subjects[which].add(self.loop))

    @rule(worker=workers, which=sources)
    def remove(self, worker: int, which: int) -> None:
        self.let(worker, lambda: self.subjects[which].remove(self.loop))
        self.settle()

    @rule(worker=workers, which=sources, settle=st.booleans())
    def enable(self, worker: int, which: int, settle: bool) -> None:
        self.let(worker, self.subjects[which].enable)
        if settle:
            self.settle()

    @rule(worker=workers, which=sources)
    def put_to_use(self, worker: int, which: int) -> None:
        """Add and enable it, a new one if it was closed; without this rule most sources would lie about unused."""
        if self.subjects[which].closed:
            self.dispose_and_make_new(worker, which)
        self.let(worker, lambda: self.subjects[which].add(self.loop))
        self.let(worker + 1, self.subjects[which].enable)

    @rule(worker=workers, which=sources)
    def disable(self, worker: int, which: int) -> None:
        self.let(worker, self.subjects[which].disable)
        self.settle()

    @rule(worker=workers, which=sources)
    def close(self, worker: int, which: int) -> None:
        self.let(worker, self.subjects[which].close)
        self.settle()

    @rule(worker=workers, which=sources)
    def dispose_and_make_new(self, worker: int, which: int) -> None:
        self.let(worker, self.subjects[which].dispose)
        self.count(self.subjects[which])
        self.subjects[which] = self.let(worker, lambda: self.makers[which](self.turnstile))

    @rule(worker=workers, enabled=st.booleans())
    def enable_or_disable_all(self, worker: int, enabled: bool) -> None:
        mine = [subject for subject in self.subjects if subject.loop is self.loop]
        # one by one in the book, all at once on the loop: enabling what is enabled changes nothing
        if enabled:
            self.let(worker, lambda: [subject.enable() for subject in mine])
            self.let(worker, self.loop.enable_all_event_sources)
        else:
            self.let(worker, self.loop.disable_all_event_sources)
            self.let(worker, lambda: [subject.disable() for subject in mine])
        self.settle()

    @rule(
        worker=workers,
        which=timers,
        delay_ns=delays_ns,
        how=st.fixed_dictionaries({"by_instant": st.booleans(), "leeway_ns": leeways_ns, "continuous": st.booleans()}),
    )
    def arm(self, worker: int, which: int, delay_ns: int, how: dict[str, Any]) -> None:
        self.let(worker, lambda: self.timer(which).arm(delay_ns, **how))

    @rule(worker=workers, which=timers, delays=st.lists(delays_ns, min_size=1, max_size=3))
    def arm_to_be_armed_again_by_the_action(self, worker: int, which: int, delays: list[int]) -> None:
        timer = self.timer(which)

        def arm() -> None:
            timer.again[:] = delays
            timer.arm(0)

        self.let(worker, lambda: self.loop.run_action(arm))

    @rule(worker=workers, which=timers)
    def cancel(self, worker: int, which: int) -> None:
        self.let(worker, self.timer(which).cancel)
        self.settle()

    @rule(worker=workers, which=timers, delay_ns=delays_ns)
    def arm_before_adding(self, worker: int, which: int, delay_ns: int) -> None:
        self.dispose_and_make_new(worker, len(INTERRUPTS) + which)
        self.let(worker, lambda: self.timer(which).arm(delay_ns))
        self.let(worker + 1, lambda: self.timer(which).add(self.loop))
        self.settle()

    # Inside the action

    @rule(
        worker=workers,
        which=interrupts,
        deed=DEEDS,
    )
    def have_the_action(self, worker: int, which: int, deed: str) -> None:
        subject = self.interrupt(which)
        subject.order = {
            "raise": self.raise_on_purpose,
            "disable": subject.disable,
            "remove": lambda: subject.remove(self.loop),
            "close": subject.close,
            "cause": lambda: subject.cause(2),
            "take its action away": subject.take_action_away,
            "cause and serve": lambda: (subject.cause(), self.loop.run_event_sources()),
        }[deed]
        self.let(worker, lambda: refusal_of(subject.cause))
        self.settle()
        subject.order = None  # a silent one did not get to it
        subject.give_action_back()

    @rule(worker=workers, which=interrupts, n=st.integers(1, 5))
    def be_without_action_for_a_while(self, worker: int, which: int, n: int) -> None:
        subject = self.interrupt(which)
        self.let(worker, subject.take_action_away)
        refusal_of(lambda: subject.cause(n))
        self.settle()
        self.let(worker + 1, subject.give_action_back)

    @staticmethod
    def raise_on_purpose() -> None:
        raise DeliberateError

    @rule(worker=workers, which=interrupts)
    def let_clients_in_while_an_action_sleeps(self, worker: int, which: int) -> None:
        subject, asleep = self.interrupt(which), threading.Event()
        if subject.silent or isinstance(subject, FilterSubject):  # which may not let it through
            return

        def sleep() -> None:
            asleep.set()
            outcomes.append(self.turnstile.sleep(self.loop, "bed", Deadline.after(FAR_NS)))

        outcomes: list[WaitResult] = []
        subject.order = sleep
        subject.cause()
        assert asleep.wait(DEADLINE_S)
        assert self.let(worker, lambda: self.visit(7)) == 7
        subject.cause(2)
        self.let(worker, self.loop.run_event_sources)
        assert self.let(worker + 1, lambda: self.loop.gate.wakeup("bed")) == 1
        self.settle()
        assert outcomes == [WaitResult.AWAKENED]

    # At once

    @rule(worker=workers, which=interrupts, turns=st.integers(0, 8), removed=st.booleans())
    def disable_it_as_it_is_called(self, worker: int, which: int, turns: int, removed: bool) -> None:
        subject = self.interrupt(which)
        silence = (lambda: subject.remove(self.loop)) if removed else subject.disable
        self.let(worker, lambda: self.provoke_and_silence(subject, silence, turns))

    @rule(worker=workers, which=timers, turns=st.integers(0, 8))
    def cancel_it_as_it_fires(self, worker: int, which: int, turns: int) -> None:
        subject = self.timer(which)
        self.let(worker, lambda: self.provoke_and_silence(subject, subject.cancel, turns))

    def provoke_and_silence(self, subject: Subject, silence: Callable[[], object], turns: int) -> None:
        """Several times, with more and more turns for the other threads in between, so that one time it is close."""
        for n in range(turns, turns + 6) if not subject.closed else ():
            if subject.loop is None:
                subject.add(self.loop)
            subject.enable()
            subject.provoke()
            give_turns(n)
            silence()
            give_turns(4)  # an opportunity to break the promise

    @rule(
        worker=workers,
        which=interrupts,
        n=st.integers(1, 20),
        deeds=st.lists(
            st.sampled_from(["enable", "disable", "remove", "add", "fence", "serve"]), min_size=1, max_size=6
        ),
    )
    def cause_from_two_threads_while_a_third_acts_on_it(
        self, worker: int, which: int, n: int, deeds: list[str]
    ) -> None:
        subject = self.interrupt(which)
        third = {
            "enable": subject.enable,
            "disable": subject.disable,
            "remove": lambda: subject.remove(self.loop),
            "add": lambda: subject.add(self.loop),
            "fence": lambda: fence(self.loop),
            "serve": self.loop.run_event_sources,
        }
        one, other, owner = self.pick(worker, 3)
        at_once(
            (one, lambda: [refusal_of(subject.cause) for _ in range(n)]),
            (other, lambda: [refusal_of(subject.cause) for _ in range(n)]),
            (owner, lambda: [third[deed]() for deed in deeds]),
        )

    @rule(worker=workers, which=interrupts)
    def close_while_two_threads_cause(self, worker: int, which: int) -> None:
        subject = self.interrupt(which)
        one, other, owner = self.pick(worker, 3)
        cause = lambda: refusal_of(subject.cause)  # noqa: E731
        at_once((one, cause), (other, cause), (owner, subject.close))

    @rule(worker=workers, which=timers, delay_ns=delays_ns)
    def arm_and_cancel_and_disable_at_once(self, worker: int, which: int, delay_ns: int) -> None:
        timer = self.timer(which)

        one, other, third = self.pick(worker, 3)
        run = self.loop.run_action  # done and in the book in one step, as it has two owners for once
        at_once(
            (one, lambda: run(timer.arm, delay_ns)),
            (other, lambda: run(timer.cancel)),
            (third, timer.disable),
        )
        self.settle()

    @rule(worker=workers, which=sources)
    def add_by_two_at_once(self, worker: int, which: int) -> None:
        subject = self.subjects[which]
        if subject.closed or subject.loop is not None:
            return
        subject.silences.discard(ON_NO_LOOP)
        add = lambda: refusal_of(lambda: self.loop.add_event_source(subject.source))  # noqa: E731
        one, other = self.pick(worker, 2)
        assert Counter(at_once((one, add), (other, add))) == Counter([None, AlreadyAttachedError])
        subject.loop = self.loop

    @rule(worker=workers, which=sources)
    def remove_by_two_at_once(self, worker: int, which: int) -> None:
        subject = self.subjects[which]
        if subject.loop is None:
            return
        remove = lambda: refusal_of(lambda: self.loop.remove_event_source(subject.source))  # noqa: E731
        one, other = self.pick(worker, 2)
        assert Counter(at_once((one, remove), (other, remove))) == Counter([None, NotAttachedError])
        subject.left_its_loop()
        self.settle()

    # Clients of the gate

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
        run = lambda: door.source.run_command(result)  # noqa: E731
        if door.refuses_commands is not None:
            assert self.let(worker, lambda: refusal_of(run)) is door.refuses_commands
        elif door.enabled:
            assert self.let(worker, run) == result
        else:
            self.stalled.append(Stalled(caller, door, caller.do(run)))

    @rule(worker=workers, which=doors)
    def run_a_command_that_cannot_wait(self, worker: int, which: int) -> None:
        door = self.door(which)
        attempt = lambda: door.source.attempt_command(1)  # noqa: E731
        assert self.let(worker, lambda: refusal_of(attempt)) in (door.refuses_attempts, GateBusyError)
        if door.refuses_attempts is SourceDisabledError:
            short_wait = lambda: door.source.run_command(1, timeout_ns=100 * MICROSECOND_NS)  # noqa: E731
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
        late_command = lambda: door.source.run_command(1)  # noqa: E731
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


@pytest.fixture
def _hypothesis_leaves_no_files(tmp_path):
    set_hypothesis_home_dir(tmp_path)
    yield
    set_hypothesis_home_dir(None)


@pytest.mark.usefixtures("_hypothesis_leaves_no_files")
@pytest.mark.timeout(400 + STEPS // 50)  # seconds; hypothesis takes up to 300 of them to make a failure short
def test_whatever_several_threads_do_the_loop_keeps_its_promises(show, monkeypatch):
    monkeypatch.setattr(Promises, "seen", Counter())
    began_ns = monotonic_ns()

    run_state_machine_as_test(Promises, settings=SETTINGS)

    seen, seconds = Promises.seen, (monotonic_ns() - began_ns) / SECOND_NS
    assert seen["steps"] >= STEPS
    show(
        f"{seen['steps']:,} random steps in {seen['examples']} examples, {seconds:.1f} s: "
        f"{seen['caused']:,} interrupts caused, {seen['delivered']:,} delivered, "
        f"{seen['rejected']:,} rejected by filters, "
        f"{seen['caused'] - seen['delivered'] - seen['rejected']:,} on sources that were closed; "
        f"timers: {seen['armed']:,} armed, {seen['fired']:,} fired"
    )
