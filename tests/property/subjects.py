"""Event sources with a book kept about them: what each was given, what it delivered, and why it has to be silent.

The books are the model the core is compared with. They are kept by whoever acts on a subject, and read by the
subject's own action, so that a broken promise is noticed in the moment it is broken, by the thread that breaks it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from helpers import DEADLINE_S
from turnstile import Turnstile, holding_the_gate_of, refusal_of

from uio_workloop import (
    AlreadyAttachedError,
    ClosedError,
    CommandGate,
    Deadline,
    EventSource,
    NotAttachedError,
    SourceDisabledError,
    TimerEventSource,
    WorkLoop,
    WorkLoopError,
)
from uio_workloop.clock import SECOND_NS, boottime_ns, monotonic_ns

NOT_ENABLED = "it is not enabled"
ON_NO_LOOP = "it is on no loop"
CANCELLED = "its timeout was cancelled"
CLOSED = "it was closed"
NO_ACTION = "its action was taken away"


class Subject:
    """One event source in its whole life. One thread at a time owns it, which is who calls the methods below.

    Every method acts on the real source, checks that it does or refuses what the book says it must, and brings the book
    up to date: a reason for silence is entered as soon as the call that promises it is back, and struck out right
    before the call that ends it.
    """

    source: EventSource
    refused_on_no_loop: type[WorkLoopError] | None = None  # what enable() says there

    def __init__(self, turnstile: Turnstile, name: str, *silences: str) -> None:
        self.name = name
        self.loop: WorkLoop | None = None
        self.silences = {ON_NO_LOOP, *silences}
        self.calls = 0
        self._in_call = False
        self.order: Callable[[], object] | None = None
        """What the next call of the action does besides."""
        self._turnstile = turnstile

    def __repr__(self) -> str:
        return self.name

    @property
    def closed(self) -> bool:
        return CLOSED in self.silences

    @property
    def enabled(self) -> bool:
        return not {NOT_ENABLED, CLOSED} & self.silences

    @property
    def silent(self) -> bool:
        return bool(self.silences)

    @property
    def settled(self) -> bool:
        """Whether everything happened that has to."""
        return True

    @property
    def progress(self) -> str:
        return self.name

    def add(self, loop: WorkLoop) -> None:
        refused = ClosedError if self.closed else AlreadyAttachedError if self.loop is not None else None
        if refused is None:
            self.silences.discard(ON_NO_LOOP)
        assert refusal_of(lambda: loop.add_event_source(self.source)) is refused
        if refused is None:
            self.loop = loop

    def remove(self, loop: WorkLoop) -> None:
        refused = NotAttachedError if self.loop is not loop else None
        assert refusal_of(lambda: loop.remove_event_source(self.source)) is refused
        if refused is None:
            self.left_its_loop()

    def left_its_loop(self) -> None:
        self.loop = None
        self.silences.update({ON_NO_LOOP, NOT_ENABLED})

    def enable(self) -> None:
        refused = ClosedError if self.closed else self.refused_on_no_loop if self.loop is None else None
        if refused is None:
            self.silences.discard(NOT_ENABLED)
        assert refusal_of(self.source.enable) is refused

    def disable(self) -> None:
        self.source.disable()
        self.silences.add(NOT_ENABLED)

    def close(self) -> None:
        self.source.close()
        self.silences.add(CLOSED)
        self.loop = None

    def dispose(self) -> None:
        """Let go of everything."""
        self.close()

    def provoke(self) -> None:
        """Do what makes its action be called, if it is not silent."""

    def check_book(self) -> None:
        """The source says of itself what the book says of it. Context: gate held, so that no action is under way."""
        assert self.source.closed == self.closed
        assert self.source.enabled == self.enabled
        assert self.source.work_loop is self.loop

    @contextmanager
    def _call(self, sender: EventSource) -> Iterator[None]:
        """What every action of a subject does."""
        try:
            with self._turnstile.passage(sender.work_loop, self.name):
                self._check_silence("was called")
                if self._in_call:
                    self._turnstile.complain(f"{self.name} was called again before its action had returned")
                self._in_call = True
                self.calls += 1
                yield
                os.sched_yield()  # if whoever silences us does not wait for us, let him be quicker
                order, self.order = self.order, None
                if order is None:
                    self._check_silence("went on")
                else:
                    order()
        finally:
            self._in_call = False
            with self._turnstile.changed:
                self._turnstile.changed.notify_all()

    def _check_silence(self, what: str, *, except_for: str = "") -> None:
        if reasons := self.silences - {except_for}:
            self._turnstile.complain(f"{self.name} {what} although {' and '.join(sorted(reasons))}")


class TimerSubject(Subject):
    """A timer; `due` is the instant it is armed for, which it must reach and must not overshoot for ever."""

    source: TimerEventSource

    def __init__(self, turnstile: Turnstile, name: str) -> None:
        super().__init__(turnstile, name)
        self.due: int | None = None
        self.armed = 0
        self.fired = 0
        self.overtaken = 0  # armed anew or cancelled before it fired
        self.again: list[int] = []  # delays the action arms it with
        self.leeway_ns = 0
        self.clock = monotonic_ns
        self.source = TimerEventSource(self._action)

    def arm(self, delay_ns: int, *, by_instant: bool = False, leeway_ns: int = 0, continuous: bool = False) -> None:
        if self.closed:
            assert refusal_of(lambda: self.source.set_timeout_ns(delay_ns)) is ClosedError
            return
        with holding_the_gate_of(self.loop):  # armed and in the book in one step
            self._arm(delay_ns, by_instant, leeway_ns, continuous)

    def provoke(self) -> None:
        self.arm(0)

    def cancel(self) -> None:
        self.source.cancel_timeout()
        self.silences.add(CANCELLED)
        self.again.clear()
        self._overtake()

    def close(self) -> None:
        super().close()
        self._overtake()

    @property
    def settled(self) -> bool:
        return self.silent or self.due is None or self.due + self.leeway_ns > self.clock()

    def check_book(self) -> None:
        super().check_book()
        assert bool(self.source.abstime) == (self.due is not None)
        assert self.armed == self.fired + self.overtaken + (self.due is not None)

    def _arm(self, delay_ns: int, by_instant: bool, leeway_ns: int, continuous: bool) -> None:
        clock = boottime_ns if continuous else monotonic_ns
        now = clock()
        if by_instant:
            self.source.wake_at_time_ns(now + delay_ns, leeway_ns=leeway_ns, continuous=continuous)
        else:
            self.source.set_timeout_ns(delay_ns, leeway_ns=leeway_ns, continuous=continuous)
        self._overtake()
        self.silences.discard(CANCELLED)
        self.due, self.clock, self.leeway_ns = now + delay_ns, clock, leeway_ns
        self.armed += 1

    def _overtake(self) -> None:
        if self.due is not None:
            self.due = None
            self.overtaken += 1

    def _action(self, sender: TimerEventSource) -> None:
        with self._call(sender):
            due, self.due = self.due, None
            self.fired += 1
            if sender.abstime:
                self._turnstile.complain(f"{self.name} is still armed while it fires")
            if due is None:
                self._turnstile.complain(f"{self.name} fired without being armed")
            elif (early := due - self.clock()) > 0:
                self._turnstile.complain(f"{self.name} fired {early} ns early")
            if self.again:
                self._arm(self.again.pop(), False, 0, False)


class DoorSubject(Subject):
    """A command gate. Silence means that no command begins: callers are stalled or refused."""

    source: CommandGate

    def __init__(self, turnstile: Turnstile, name: str) -> None:
        super().__init__(turnstile, name)
        self.source = CommandGate(self._command)

    @property
    def refuses_commands(self) -> type[WorkLoopError] | None:
        return ClosedError if self.closed else NotAttachedError if self.loop is None else None

    @property
    def refuses_attempts(self) -> type[WorkLoopError] | None:
        return self.refuses_commands or (None if self.enabled else SourceDisabledError)

    def _command(self, result: int) -> int:
        with self._call(self.source):
            return result


def await_delivery(turnstile: Turnstile, subjects: list[Subject]) -> None:
    """Until everything was delivered that has to be, with nobody waking the loops for it."""
    deadline = Deadline.after(int(DEADLINE_S * SECOND_NS))
    with turnstile.changed:
        while unsettled := [each for each in subjects if not each.settled]:
            turnstile.changed.wait(1e-3)  # a filter that says no notifies nobody
            assert not deadline.expired, f"not delivered: {[each.progress for each in unsettled]}"
