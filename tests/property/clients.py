"""What one of many threads does to loops, sources and gates that it shares with the others.

Every source has one owner at a time, who adds, removes, enables, disables, arms, cancels or closes it, while everybody
else causes its interrupts.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

from interrupt_subjects import FilterSubject, InterruptSubject, LineSubject, SharedSubject, SoftwareSubject
from subjects import DoorSubject, Subject, TimerSubject
from turnstile import DeliberateError, Turnstile, holding_the_gate_of, refusal_of

from uio_workloop import (
    AbortedError,
    ClosedError,
    Deadline,
    DeadlineExceededError,
    DeadlockError,
    GateBusyError,
    NotAttachedError,
    SourceDisabledError,
    Trigger,
    WaitResult,
    WorkLoop,
)
from uio_workloop.clock import MICROSECOND_NS, MILLISECOND_NS, SECOND_NS
from uio_workloop.testing import fence

FAR_NS = 3_600 * SECOND_NS
DELAYS_NS = [0, 50 * MICROSECOND_NS, MILLISECOND_NS, FAR_NS]
NAPS_NS = [0, 100 * MICROSECOND_NS, 2 * MILLISECOND_NS]

MAKERS: list[Callable[[Turnstile, str], Subject]] = [
    lambda turnstile, name: LineSubject(turnstile, f"level line {name}", Trigger.LEVEL),
    lambda turnstile, name: LineSubject(turnstile, f"edge line {name}", Trigger.EDGE),
    lambda turnstile, name: FilterSubject(turnstile, f"filtered level line {name}", Trigger.LEVEL),
    lambda turnstile, name: FilterSubject(turnstile, f"filtered edge line {name}", Trigger.EDGE),
    lambda turnstile, name: SharedSubject(turnstile, f"shared level line {name}", Trigger.LEVEL),
    lambda turnstile, name: SharedSubject(turnstile, f"shared edge line {name}", Trigger.EDGE),
    lambda turnstile, name: SoftwareSubject(turnstile, f"software source {name}"),
    lambda turnstile, name: TimerSubject(turnstile, f"timer {name}"),
    lambda turnstile, name: TimerSubject(turnstile, f"other timer {name}"),
    lambda turnstile, name: DoorSubject(turnstile, f"command gate {name}"),
]


class Place:
    """Where one subject lives, and after it the next; whoever has the lock owns it."""

    def __init__(self, maker: Callable[[Turnstile, str], Subject], turnstile: Turnstile, name: str) -> None:
        self.owned = threading.Lock()
        self.former: list[Subject] = []
        self._make = lambda: maker(turnstile, name)
        self.subject = self._make()

    def make_new(self) -> None:
        self.former.append(self.subject)
        self.subject = self._make()

    @property
    def everybody(self) -> list[Subject]:
        return [*self.former, self.subject]


class Stress:
    """What the threads share, and what each of them may do to it."""

    def __init__(self) -> None:
        self.turnstile = Turnstile()
        self.loops = [WorkLoop(f"loop {number}", on_error=self.turnstile.on_error) for number in range(2)]
        self.places = [Place(maker, self.turnstile, str(number)) for maker in MAKERS for number in range(2)]
        self.visits: Counter[WorkLoop] = Counter()  # spoilt by two at once
        self.counts: Counter[str] = Counter()
        self._counting = threading.Lock()

    def count(self, what: str, n: int = 1) -> None:
        with self._counting:
            self.counts[what] += n

    def close(self) -> None:
        for loop in self.loops:
            loop.close()
        for place in self.places:
            place.subject.dispose()


class Client:
    """One thread's part: each call does one thing, chosen at random, and names it."""

    def __init__(self, stress: Stress, number: int) -> None:
        self.stress = stress
        self.turnstile = stress.turnstile
        self.random = Random(number)
        self.kinds: dict[str, tuple[int, Callable[[], object]]] = {
            "cause": (30, self.cause),
            "put to use": (15, self.put_to_use),
            "enable": (8, lambda: self.own(lambda subject: subject.enable())),
            "disable": (6, lambda: self.own_and_silence(lambda subject: subject.disable())),
            "add": (4, lambda: self.own(lambda subject: subject.add(self.a_loop()))),
            "remove": (4, lambda: self.own_and_silence(lambda subject: subject.remove(subject.loop or self.a_loop()))),
            "close": (2, lambda: self.own_and_silence(lambda subject: subject.close())),
            "close and make new": (2, self.close_and_make_new),
            "arm": (12, self.arm),
            "cancel": (5, lambda: self.own_and_silence(TimerSubject.cancel, TimerSubject)),
            "order": (6, self.order),
            "run_action": (10, self.run_action),
            "attempt_action": (6, self.attempt_action),
            "run_action in run_action": (6, self.run_action_in_run_action),
            "run_command": (8, self.run_command),
            "attempt_command": (4, self.attempt_command),
            "run_event_sources": (4, lambda: self.a_loop().run_event_sources()),
            "sleep": (5, self.sleep),
            "sleep holding another gate": (2, self.sleep_holding_another_gate),
            "wake up": (10, self.wake_up),
            "a loop of its own": (1, self.have_a_loop_of_its_own),
        }
        self._names = list(self.kinds)
        self._weights = [weight for weight, _ in self.kinds.values()]

    def __call__(self) -> str:
        (kind,) = self.random.choices(self._names, self._weights)
        self.kinds[kind][1]()
        return kind

    def a_loop(self) -> WorkLoop:
        return self.random.choice(self.stress.loops)

    def a_place(self, kind: type[Subject] = Subject) -> Place:
        return self.random.choice([place for place in self.stress.places if isinstance(place.subject, kind)])

    # To a source

    def cause(self) -> None:
        subject = self.a_place(InterruptSubject).subject
        assert isinstance(subject, InterruptSubject)
        if not subject.closed:  # or most would be for nothing
            assert refusal_of(lambda: subject.cause(self.random.randint(1, 10))) in (
                None,
                ClosedError,
                NotAttachedError,
            )

    @contextmanager
    def owning(self, kind: type[Subject] = Subject) -> Iterator[Place]:
        """A place that nobody else owns at the moment."""
        while not (place := self.a_place(kind)).owned.acquire(blocking=False):
            pass
        try:
            yield place
        finally:
            place.owned.release()

    def own(self, deed: Callable[..., object], kind: type[Subject] = Subject) -> None:
        with self.owning(kind) as place:
            deed(place.subject)

    def own_and_silence(self, deed: Callable[..., object], kind: type[Subject] = Subject) -> None:
        with self.owning(kind) as place:
            deed(place.subject)
            self.check_silence(place.subject)

    def check_silence(self, subject: Subject) -> None:
        """What has just been silenced is called by neither loop; its action keeps an eye on that from then on."""
        calls = subject.calls
        for loop in self.stress.loops:
            fence(loop)
        assert subject.silences
        assert subject.calls == calls, f"{subject} was called although {subject.silences}"
        self.stress.count("promises")

    def put_to_use(self) -> None:
        with self.owning() as place:
            if place.subject.closed:
                place.subject.dispose()
                place.make_new()
            if place.subject.loop is None:
                place.subject.add(self.a_loop())
            place.subject.enable()

    def close_and_make_new(self) -> None:
        with self.owning() as place:
            place.subject.dispose()
            self.check_silence(place.subject)
            place.make_new()

    def arm(self) -> None:
        delay_ns, by_instant = self.random.choice(DELAYS_NS), self.random.random() < 0.5
        with self.owning(TimerSubject) as place:
            timer = place.subject
            assert isinstance(timer, TimerSubject)
            with holding_the_gate_of(timer.loop):
                timer.again[:] = self.random.choices(DELAYS_NS, k=self.random.randint(0, 3))
                timer.arm(
                    delay_ns,
                    by_instant=by_instant,
                    leeway_ns=self.random.choice([0, MILLISECOND_NS]),
                    continuous=self.random.random() < 0.2,
                )

    def order(self) -> None:
        """Have the next call of an action do something unusual."""
        place = self.a_place(self.random.choice([InterruptSubject, TimerSubject]))
        subject = place.subject

        def in_action() -> None:
            deed = Random(subject.calls).choice([self.raise_on_purpose, self.nap, self.serve, self.silence_itself])
            deed(place, subject)

        subject.order = in_action

    def raise_on_purpose(self, *_: object) -> None:
        self.stress.count("errors in actions")
        raise DeliberateError

    def nap(self, _: Place, subject: Subject) -> None:
        loop = subject.source.work_loop
        assert loop is not None
        self.sleep_on(loop, "bed", MILLISECOND_NS)

    def serve(self, _: Place, subject: Subject) -> None:
        loop = subject.source.work_loop
        assert loop is not None
        loop.run_event_sources()

    def silence_itself(self, place: Place, subject: Subject) -> None:
        if place.owned.acquire(blocking=False):
            try:
                subject.disable()
            finally:
                place.owned.release()
            self.stress.count("promises")

    # To a gate

    def visit(self, loop: WorkLoop) -> int:
        with self.turnstile.passage(loop, "a client"):
            visits = self.stress.visits[loop]
            os.sched_yield()
            self.stress.visits[loop] = visits + 1
        self.stress.count("visits")
        return visits

    def run_action(self) -> None:
        loop = self.a_loop()
        assert loop.run_action(self.visit, loop) >= 0

    def attempt_action(self) -> None:
        loop = self.a_loop()
        refused = refusal_of(lambda: loop.attempt_action(self.visit, loop))
        assert refused in (None, GateBusyError)
        self.stress.count("attempts refused", refused is not None)

    def run_command(self) -> None:
        door = self.a_place(DoorSubject).subject
        assert isinstance(door, DoorSubject)
        timeout_ns = self.random.choice(NAPS_NS)
        refused = refusal_of(lambda: door.source.run_command(1, timeout_ns=timeout_ns))
        assert refused in (None, DeadlineExceededError, NotAttachedError, ClosedError, AbortedError)
        self.stress.count("commands run", refused is None)
        self.stress.count("commands given up", refused is DeadlineExceededError)
        self.stress.count("commands thrown out", refused is AbortedError)

    def attempt_command(self) -> None:
        door = self.a_place(DoorSubject).subject
        assert isinstance(door, DoorSubject)
        refused = refusal_of(lambda: door.source.attempt_command(1))
        assert refused in (None, GateBusyError, SourceDisabledError, NotAttachedError, ClosedError, AbortedError)
        self.stress.count("commands run", refused is None)

    def run_action_in_run_action(self) -> None:
        """From one loop into the other; two that come from opposite sides would wait for each other for ever."""
        outer, inner = self.random.sample(self.stress.loops, 2)
        refused = refusal_of(lambda: outer.run_action(self.visit_another, outer, inner))
        assert refused in (None, DeadlockError)
        self.stress.count("deadlocks broken", refused is not None)

    def visit_another(self, outer: WorkLoop, inner: WorkLoop) -> None:
        with self.turnstile.passage(outer, "a client on its way to another loop"):
            inner.run_action(self.visit, inner)

    def sleep(self) -> None:
        loop = self.a_loop()
        with loop.gate:
            self.sleep_on(loop, "bed", self.random.choice(NAPS_NS))
            self.visit(loop)

    def sleep_on(self, loop: WorkLoop, token: str, delay_ns: int) -> None:
        deadline = Deadline.after(delay_ns)
        result = self.turnstile.sleep(loop, token, deadline)
        assert loop.in_gate()
        possible = {
            WaitResult.AWAKENED: True,
            WaitResult.TIMED_OUT: deadline.expired,
            WaitResult.INTERRUPTED: loop.closed,  # at the end of the test: an action that was told to sleep is last
        }
        assert possible[result], result
        self.stress.count(f"sleepers {result.name.lower().replace('_', ' ')}")

    def sleep_holding_another_gate(self) -> None:
        """Always in this order: of two who sleep on gates held by each other, neither could go on."""
        outer, inner = self.stress.loops
        refused = refusal_of(lambda: outer.run_action(self.sleep_on_another, outer, inner))
        assert refused in (None, DeadlockError)
        self.stress.count("deadlocks broken", refused is not None)

    def sleep_on_another(self, outer: WorkLoop, inner: WorkLoop) -> None:
        with self.turnstile.passage(outer, "a client on its way to bed"), inner.gate:
            self.sleep_on(inner, "bed", self.random.choice(NAPS_NS))

    def wake_up(self) -> None:
        self.stress.count("woken", self.a_loop().gate.wakeup("bed", one=self.random.random() < 0.5))

    def have_a_loop_of_its_own(self) -> None:
        subject = LineSubject(self.turnstile, "a line of a short life", self.random.choice(list(Trigger)))
        try:
            with WorkLoop("of a short life", on_error=self.turnstile.on_error) as loop:
                subject.add(loop)
                subject.enable()
                subject.cause(3)
                fence(loop)
                assert subject.delivered == 3
            subject.close()
        finally:
            subject.dispose()
