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
from subjects import DeliberateError, InterruptSubject, Subject, TimerSubject, Turnstile, refusal_of

from uio_workloop import (
    AlreadyAttachedError,
    ClosedError,
    Deadline,
    GateBusyError,
    NotAttachedError,
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
    max_examples=STEPS * 11 // 10 // STEPS_EACH,  # some examples end early
    stateful_step_count=STEPS_EACH,
    derandomize="UIO_WORKLOOP_PROPERTY_STEPS" not in os.environ,
    phases=[Phase.generate, Phase.shrink],
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

INTERRUPTS: list[Callable[[Turnstile], InterruptSubject]] = [
    lambda turnstile: InterruptSubject(turnstile, "the first level line", Trigger.LEVEL),
    lambda turnstile: InterruptSubject(turnstile, "the second level line", Trigger.LEVEL),
    lambda turnstile: InterruptSubject(turnstile, "the first edge line", Trigger.EDGE),
    lambda turnstile: InterruptSubject(turnstile, "the second edge line", Trigger.EDGE),
]
TIMERS: list[Callable[[Turnstile], TimerSubject]] = [
    lambda turnstile: TimerSubject(turnstile, "the first timer"),
    lambda turnstile: TimerSubject(turnstile, "the second timer"),
]
MOST_ASLEEP = 2
WORKERS = MOST_ASLEEP + 3  # so that three can always do something at once

workers = st.integers(0, WORKERS - 1)
interrupts = st.integers(0, len(INTERRUPTS) - 1)
timers = st.integers(0, len(TIMERS) - 1)
sources = st.integers(0, len(INTERRUPTS) + len(TIMERS) - 1)
tokens = st.sampled_from(["red", "green"])
delays_ns = st.sampled_from([0, 100 * MICROSECOND_NS, 2 * MILLISECOND_NS, FAR_NS])


@dataclass
class Sleeper:
    """A worker asleep on the gate."""

    worker: Worker
    token: str
    outcome: Future[WaitResult]


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
        self.makers: list[Callable[[Turnstile], Subject]] = [*INTERRUPTS, *TIMERS]
        self.subjects: list[Subject] = [make(self.turnstile) for make in self.makers]
        for subject in self.subjects:
            subject.add(self.loop)
            subject.enable()
        self.visits = 0

    # Who does it

    def pick(self, first: int, n: int = 1) -> list[Worker]:
        """`n` workers who are not asleep."""
        sleeping = {sleeper.worker for sleeper in self.asleep}
        awake = [worker for worker in self.crew if worker not in sleeping]
        return [awake[(first + number) % len(awake)] for number in range(n)]

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

    # One after the other

    @rule(worker=workers, which=interrupts, n=st.integers(1, 5))
    def cause(self, worker: int, which: int, n: int) -> None:
        self.let(worker, lambda: self.interrupt(which).cause(n))

    @rule(worker=workers, which=sources)
    def add(self, worker: int, which: int) -> None:
        self.let(worker, lambda: self.subjects[which].add(self.loop))

    @rule(worker=workers, which=sources)
    def remove(self, worker: int, which: int) -> None:
        self.let(worker, lambda: self.subjects[which].remove(self.loop))
        self.settle()

    @rule(worker=workers, which=sources)
    def enable(self, worker: int, which: int) -> None:
        self.let(worker, self.subjects[which].enable)

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

    @rule(worker=workers, which=timers, delay_ns=delays_ns, by_instant=st.booleans())
    def arm(self, worker: int, which: int, delay_ns: int, by_instant: bool) -> None:
        self.let(worker, lambda: self.timer(which).arm(delay_ns, by_instant=by_instant))

    @rule(worker=workers, which=timers, delays=st.lists(delays_ns, min_size=1, max_size=3))
    def arm_to_be_armed_again_by_the_action(self, worker: int, which: int, delays: list[int]) -> None:
        timer = self.timer(which)
        with self.loop.gate:
            timer.again[:] = delays
        self.let(worker, lambda: timer.arm(0, by_instant=False))

    @rule(worker=workers, which=timers)
    def cancel(self, worker: int, which: int) -> None:
        self.let(worker, self.timer(which).cancel)
        self.settle()

    # Inside the action

    @rule(
        worker=workers,
        which=interrupts,
        deed=st.sampled_from(["raise", "disable", "remove", "close", "cause", "serve"]),
    )
    def have_the_action(self, worker: int, which: int, deed: str) -> None:
        subject = self.interrupt(which)
        subject.order = {
            "raise": self.raise_on_purpose,
            "disable": subject.disable,
            "remove": lambda: subject.remove(self.loop),
            "close": subject.close,
            "cause": lambda: subject.cause(2),
            "serve": self.loop.run_event_sources,
        }[deed]
        self.let(worker, subject.cause)
        self.settle()
        subject.order = None  # a silent one did not get to it

    @staticmethod
    def raise_on_purpose() -> None:
        raise DeliberateError

    @rule(worker=workers, which=interrupts)
    def let_clients_in_while_an_action_sleeps(self, worker: int, which: int) -> None:
        subject, asleep = self.interrupt(which), threading.Event()
        if subject.silent:
            return

        def sleep() -> None:
            asleep.set()
            outcomes.append(self.turnstile.sleep(self.loop, "bed", Deadline.after(FAR_NS)))

        outcomes: list[WaitResult] = []
        subject.order = sleep
        subject.cause()
        assert asleep.wait(DEADLINE_S)
        assert self.let(worker, lambda: self.visit(7)) == 7
        assert self.let(worker + 1, lambda: self.loop.gate.wakeup("bed")) == 1
        self.settle()
        assert outcomes == [WaitResult.AWAKENED]

    # At once

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
            (one, lambda: [subject.cause() for _ in range(n)]),
            (other, lambda: [subject.cause() for _ in range(n)]),
            (owner, lambda: [third[deed]() for deed in deeds]),
        )

    @rule(worker=workers, which=interrupts)
    def close_while_two_threads_cause(self, worker: int, which: int) -> None:
        subject = self.interrupt(which)
        one, other, owner = self.pick(worker, 3)
        at_once((one, subject.cause), (other, subject.cause), (owner, subject.close))

    @rule(worker=workers, which=timers, delay_ns=delays_ns)
    def arm_and_cancel_and_disable_at_once(self, worker: int, which: int, delay_ns: int) -> None:
        timer = self.timer(which)

        one, other, third = self.pick(worker, 3)
        run = self.loop.run_action  # done and in the book in one step, as it has two owners for once
        at_once(
            (one, lambda: run(timer.arm, delay_ns, by_instant=False)),
            (other, lambda: run(timer.cancel)),
            (third, timer.disable),
        )
        self.settle()

    @rule(worker=workers, which=sources)
    def add_by_two_at_once(self, worker: int, which: int) -> None:
        subject = self.subjects[which]
        if subject.closed or subject.loop is not None:
            return
        subject.silences.discard("it is on no loop")
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
            (third, lambda: self.interrupt(which).cause()),
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
            (causer, subject.cause),
            (attempter, lambda: refused.append(refusal_of(lambda: self.loop.attempt_action(self.raise_on_purpose)))),
        )
        assert refused == [GateBusyError]
        assert [each.calls for each in self.subjects] == calls
        stage.release()
        held.result(DEADLINE_S)

    @rule(worker=workers)
    def serve_as_a_client(self, worker: int) -> None:
        self.let(worker, self.loop.run_event_sources)

    # Sleep

    @precondition(lambda self: len(self.asleep) < MOST_ASLEEP)
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
        """After a completed pass everything was delivered that has to be, and every due timer fired, nothing twice."""
        fence(self.loop)
        changed = self.turnstile.changed
        with changed:
            for timer in self.subjects[len(INTERRUPTS) :]:
                assert isinstance(timer, TimerSubject)
                # the kernel wakes the loop for a timer a little after its deadline, hence the wait
                assert changed.wait_for(lambda timer=timer: timer.settled, DEADLINE_S), f"{timer} did not fire"
        for interrupt in self.subjects[: len(INTERRUPTS)]:
            assert isinstance(interrupt, InterruptSubject)
            assert interrupt.settled, f"{interrupt}: {interrupt.delivered} delivered of {interrupt.caused}"

    @invariant()
    def nobody_complains_and_the_book_is_right(self) -> None:
        assert self.turnstile.complaints == []
        with self.loop.gate:
            for subject in self.subjects:
                subject.check_book()
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
        try:
            self.the_end()
        finally:
            self.loop.close()
            for subject in self.subjects:
                subject.dispose()
                self.count(subject)
            for worker in self.crew:
                worker.dismiss()
            self.seen["examples"] += 1
            self.seen["steps"] += self.steps

    def count(self, subject: Subject) -> None:
        if isinstance(subject, InterruptSubject):
            self.seen["caused"] += subject.caused
            self.seen["delivered"] += subject.delivered
        elif isinstance(subject, TimerSubject):
            self.seen["armed"] += subject.armed
            self.seen["fired"] += subject.fired


@pytest.fixture
def _hypothesis_leaves_no_files(tmp_path):
    set_hypothesis_home_dir(tmp_path)
    yield
    set_hypothesis_home_dir(None)


@pytest.mark.usefixtures("_hypothesis_leaves_no_files")
@pytest.mark.timeout(420)  # seconds; hypothesis takes up to 300 of them to make a failure short
def test_whatever_several_threads_do_the_loop_keeps_its_promises(show, monkeypatch):
    monkeypatch.setattr(Promises, "seen", Counter())
    began_ns = monotonic_ns()

    run_state_machine_as_test(Promises, settings=SETTINGS)

    seen, seconds = Promises.seen, (monotonic_ns() - began_ns) / SECOND_NS
    assert seen["steps"] >= STEPS
    show(
        f"{seen['steps']:,} random steps in {seen['examples']} examples, {seconds:.1f} s: "
        f"{seen['caused']:,} interrupts caused, {seen['delivered']:,} delivered, "
        f"{seen['caused'] - seen['delivered']:,} on sources that were closed; "
        f"timers: {seen['armed']:,} armed, {seen['fired']:,} fired"
    )
