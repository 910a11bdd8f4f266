"""What one thread after the other does to the sources, or has their actions do."""

from __future__ import annotations

import threading
from typing import Any

import hypothesis.strategies as st
from helpers import DEADLINE_S
from hypothesis.stateful import rule
from interrupt_subjects import FilterSubject
from machine import (
    FAR_NS,
    INTERRUPTS,
    Machine,
    delays_ns,
    interrupts,
    sources,
    timers,
    workers,
)
from turnstile import refusal_of

from uio_workloop import (
    Deadline,
    WaitResult,
)
from uio_workloop.clock import MILLISECOND_NS

DEEDS = st.sampled_from(["raise", "disable", "remove", "close", "cause", "cause and serve", "take its action away"])
leeways_ns = st.sampled_from([0, 0, MILLISECOND_NS])


class SourceRules(Machine):
    """On, off, armed, away and back."""

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
