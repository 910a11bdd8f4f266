"""Eight threads do everything at once to two loops for a minute, and no promise is broken.

Every source has one owner at a time, who adds, removes, enables, disables, arms, cancels or closes it, while everybody
else causes its interrupts. For another duration: UIO_WORKLOOP_STRESS_SECONDS=600.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random

import pytest
from subjects import (
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
    holding_the_gate_of,
    refusal_of,
)
from watchdog import STUCK_S, StuckError, watch

from uio_workloop import (
    AbortedError,
    ClosedError,
    Deadline,
    DeadlineExceededError,
    DeadlockError,
    GateBusyError,
    InterruptEventSource,
    NotAttachedError,
    SoftwareInterrupt,
    SourceDisabledError,
    Trigger,
    WaitResult,
    WorkLoop,
)
from uio_workloop.clock import MICROSECOND_NS, MILLISECOND_NS, SECOND_NS
from uio_workloop.testing import fence

SECONDS = float(os.environ.get("UIO_WORKLOOP_STRESS_SECONDS", "60"))
THREADS = 8
FAR_NS = 3_600 * SECOND_NS
DELAYS_NS = [0, 50 * MICROSECOND_NS, MILLISECOND_NS, FAR_NS]
NAPS_NS = [0, 100 * MICROSECOND_NS, 2 * MILLISECOND_NS]

MAKERS: list[Callable[[Turnstile, str], Subject]] = [
    lambda turnstile, name: LineSubject(turnstile, f"level line {name}", Trigger.LEVEL),
    lambda turnstile, name: LineSubject(turnstile, f"edge line {name}", Trigger.EDGE),
    lambda turnstile, name: FilterSubject(turnstile, f"filtered level line {name}", Trigger.LEVEL),
    lambda turnstile, name: FilterSubject(turnstile, f"filtered edge line {name}", Trigger.EDGE),
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
            "enable": (8, lambda: self.own(Subject.enable)),
            "disable": (6, lambda: self.own_and_silence(Subject.disable)),
            "add": (4, lambda: self.own(lambda subject: subject.add(self.a_loop()))),
            "remove": (4, lambda: self.own_and_silence(lambda subject: subject.remove(subject.loop or self.a_loop()))),
            "close": (2, lambda: self.own_and_silence(Subject.close)),
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
        assert result is WaitResult.AWAKENED or (result is WaitResult.TIMED_OUT and deadline.expired)
        self.stress.count("sleepers awakened" if result is WaitResult.AWAKENED else "sleepers timed out")

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


@pytest.mark.timeout(SECONDS + 5 * STUCK_S)
def test_eight_threads_for_a_minute_break_no_promise(show):
    stress = Stress()
    with ExitStack() as at_the_end:
        at_the_end.callback(stress.close)
        try:
            done = watch(SECONDS, {f"client {number}": Client(stress, number) for number in range(THREADS)})
        except StuckError:
            at_the_end.pop_all()  # closing would only be stuck, too
            raise
        settled = settle(stress)

    everybody = [subject for place in stress.places for subject in place.everybody]
    lines = [subject for subject in everybody if isinstance(subject, InterruptSubject)]
    timers = [subject for subject in everybody if isinstance(subject, TimerSubject)]
    caused, delivered, rejected = (sum(getattr(line, what) for line in lines) for what in LINE_FIGURES)
    unheard = sum(line.caused - line.delivered - line.rejected for line in lines if line not in settled)
    armed, fired, overtaken = (sum(getattr(timer, what) for timer in timers) for what in TIMER_FIGURES)
    counts = stress.counts
    assert stress.turnstile.complaints == []
    assert caused == delivered + rejected + unheard
    assert armed == fired + overtaken
    assert counts["woken"] == counts["sleepers awakened"]
    assert counts["visits"] == stress.visits.total()
    assert min(done[kind] for kind in Client(stress, 0).kinds) > 0, f"not everything was done: {done}"

    show(f"{THREADS} threads, {SECONDS:g} s, {done.total():,} operations on 2 loops and {len(everybody):,} sources:")
    show("    " + ", ".join(f"{kind} {times:,}" for kind, times in done.most_common()))
    show(f"    interrupts: {caused:,} caused = {delivered:,} delivered + {rejected:,} rejected by filters")
    show(f"        + {unheard:,} on sources closed before they could be")
    show(f"    timers: {armed:,} armings = {fired:,} fired + {overtaken:,} cancelled or armed anew before")
    show(f"    promises of silence checked: {counts['promises']:,}")
    show("    " + ", ".join(f"{what} {counts[what]:,}" for what in OTHER_FIGURES))


LINE_FIGURES = ["caused", "delivered", "rejected"]
TIMER_FIGURES = ["armed", "fired", "overtaken"]
OTHER_FIGURES = [
    "sleepers awakened",
    "sleepers timed out",
    "commands run",
    "commands given up",
    "commands thrown out",
    "attempts refused",
    "deadlocks broken",
    "errors in actions",
]


def settle(stress: Stress) -> list[Subject]:
    """Whatever is open is put to use and delivers what it still has."""
    subjects = [place.subject for place in stress.places if not place.subject.closed]
    await_delivery(stress.turnstile, subjects)  # of those in use already, before a second enable() may help them
    for subject in subjects:
        if subject.loop is None:
            subject.add(stress.loops[0])
        subject.enable()
    await_delivery(stress.turnstile, subjects)
    return subjects


class Failing:
    """A line whose action delivers and then raises, always, sometimes or never."""

    def __init__(self, loop: WorkLoop, trigger: Trigger, chance: float) -> None:
        self.raised = 0
        self.revived = 0
        self.caused = 0
        self.delivered = 0
        self._chance = chance
        self._random = Random(0)
        self._line = SoftwareInterrupt(trigger, name=f"a line that fails at {chance:.0%}")
        self.source = InterruptEventSource(self._line, self._action)
        loop.add_event_source(self.source)
        self.source.enable()

    def cause(self) -> str:
        self.caused += 1
        self._line.cause()
        os.sched_yield()  # more calls, and so more errors, for as many interrupts
        return "cause"

    def revive(self) -> str:
        if not self.source.enabled:
            self.revived += 1
            self.source.enable()
        os.sched_yield()
        return "revive"

    def close(self) -> None:
        self._line.close()

    def _action(self, sender: InterruptEventSource, count: int) -> None:
        self.delivered += count
        if self._random.random() < self._chance:
            self.raised += 1
            raise DeliberateError


class KeptLog(logging.Handler):
    """Keeps the messages and prints none: there will be thousands."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def kept_log(monkeypatch):
    log, handler = logging.getLogger("uio_workloop"), KeptLog()
    monkeypatch.setattr(log, "propagate", False)
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


def test_actions_that_raise_for_a_while_lose_no_interrupt_and_stop_nobody_but_themselves(show, kept_log):
    with WorkLoop("of failures") as loop, ExitStack() as at_the_end:
        always, sometimes, never = lines = [
            Failing(loop, Trigger.LEVEL, 1.0),
            Failing(loop, Trigger.EDGE, 0.5),
            Failing(loop, Trigger.LEVEL, 0.0),
        ]
        for line in lines:
            at_the_end.callback(line.close)

        jobs = {f"cause {number}": line.cause for number, line in enumerate(lines)}
        watch(min(3.0, SECONDS), jobs | {"revive": always.revive, "revive others": sometimes.revive})
        for line in lines:
            line.revive()
        fence(loop)

        assert [line.delivered for line in lines] == [line.caused for line in lines]
        assert [line.source.statistics.errors for line in lines] == [line.raised for line in lines]
        assert always.raised > 10
        assert always.revived > 0
        assert never.raised == 0
    raised = sum(line.raised for line in lines)
    stopped = sum(message.count("disabled after") for message in kept_log.messages)
    assert sum(message.endswith("the action raised") for message in kept_log.messages) == raised
    show(f"{raised:,} errors in actions, each logged; sources stopped after 10 in a row: {stopped:,}")
    caused, delivered = sum(line.caused for line in lines), sum(line.delivered for line in lines)
    show(f"    interrupts: {caused:,} caused = {delivered:,} delivered")
