"""What several threads do to a source at the same time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial

import hypothesis.strategies as st
from crew import at_once
from hypothesis.stateful import rule
from machine import (
    Machine,
    delays_ns,
    interrupts,
    sources,
    timers,
    workers,
)
from subjects import ON_NO_LOOP, Subject
from turnstile import refusal_of

from uio_workloop import (
    AlreadyAttachedError,
    NotAttachedError,
)
from uio_workloop.testing import fence


def give_turns(n: int) -> None:
    for _ in range(n):
        os.sched_yield()


class ConcurrentRules(Machine):
    """Silenced as it is called, added and removed by two."""

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
        cause = partial(refusal_of, subject.cause)
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
        add = partial(refusal_of, partial(self.loop.add_event_source, subject.source))
        one, other = self.pick(worker, 2)
        assert Counter(at_once((one, add), (other, add))) == Counter([None, AlreadyAttachedError])
        subject.loop = self.loop

    @rule(worker=workers, which=sources)
    def remove_by_two_at_once(self, worker: int, which: int) -> None:
        subject = self.subjects[which]
        if subject.loop is None:
            return
        remove = partial(refusal_of, partial(self.loop.remove_event_source, subject.source))
        one, other = self.pick(worker, 2)
        assert Counter(at_once((one, remove), (other, remove))) == Counter([None, NotAttachedError])
        subject.left_its_loop()
        self.settle()
