"""Interrupt sources of every kind, each with its book."""

from __future__ import annotations

import os
import threading

from subjects import NO_ACTION, NOT_ENABLED, Subject
from turnstile import Turnstile, refusal_of

from uio_workloop import (
    ClosedError,
    FilterInterruptEventSource,
    InterruptEventSource,
    NotAttachedError,
    SharedInterrupt,
    SoftwareInterrupt,
    Trigger,
    UsageError,
    WorkLoopError,
)


class InterruptSubject(Subject):
    """An interrupt source whose interrupts anybody may cause."""

    source: InterruptEventSource
    refused_on_no_loop = NotAttachedError

    def __init__(self, turnstile: Turnstile, name: str, *silences: str) -> None:
        super().__init__(turnstile, name, *silences)
        self.caused = 0
        self.delivered = 0
        self._counting = threading.Lock()

    def cause(self, n: int = 1) -> None:
        """Context: any thread, not only the owner's."""
        self._count(n)  # before, so that `delivered` never exceeds it
        try:
            self._trigger(n)
        except WorkLoopError:
            self._count(-n)
            raise

    def provoke(self) -> None:
        self.cause()

    @property
    def refuses_interrupts(self) -> type[WorkLoopError] | None:
        """What cause() is refused with."""
        return None

    @property
    def rejected(self) -> int:
        """How many did not get past a filter."""
        return 0

    @property
    def settled(self) -> bool:
        return self.silent or self.delivered + self.rejected == self.caused

    @property
    def progress(self) -> str:
        return f"{self.name}: {self.delivered} delivered and {self.rejected} rejected of {self.caused}"

    def take_action_away(self) -> None:
        self.source.set_action(None)
        self.silences.add(NO_ACTION)

    def give_action_back(self) -> None:
        self.silences.discard(NO_ACTION)
        self.source.set_action(self._action)

    def _trigger(self, n: int) -> None:
        raise NotImplementedError

    def _count(self, n: int) -> None:
        with self._counting:
            self.caused += n

    def _action(self, sender: InterruptEventSource, count: int) -> None:
        with self._call(sender):
            if count < 1:
                self._turnstile.complain(f"{self.name} was called with a count of {count}")
            self.delivered += count
            if self.delivered > self.caused:
                self._turnstile.complain(f"{self.name} delivered {self.delivered}, {self.caused} were caused")


class ObedientLine(SoftwareInterrupt):
    """An eventfd that is silent while it is masked, as hardware is: what is caused then comes when it is unmasked.

    Every interrupt masks it, whatever its trigger, as uio_pdrv_genirq does.
    """

    def __init__(self, trigger: Trigger, name: str) -> None:
        super().__init__(trigger, name=name)
        self.masked_by_interrupt = True
        self._held_back = 0

    def cause(self, n: int = 1) -> None:
        with self._lock:
            self.fileno()  # closed: say so
            self._held_back += n
            if not self.masked:
                self._let_go()

    def drain(self) -> int:
        count = super().drain()
        self.masked = self.masked or count > 0
        return count

    def unmask(self) -> None:
        with self._lock:
            super().unmask()
            self._let_go()

    def _let_go(self) -> None:
        n, self._held_back = self._held_back, 0
        if n:
            super().cause(n)


class LineSubject(InterruptSubject):
    """A source on a line."""

    def __init__(self, turnstile: Turnstile, name: str, trigger: Trigger) -> None:
        super().__init__(turnstile, name, NOT_ENABLED)
        self.line = ObedientLine(trigger, name)
        self.source = self._make_source()

    def dispose(self) -> None:
        self.line.close()  # closes the source first
        super().dispose()

    def check_book(self) -> None:
        super().check_book()
        assert self.line.masked or self.enabled, f"{self} is open"

    def _make_source(self) -> InterruptEventSource:
        return InterruptEventSource(self.line, self._action)

    def _trigger(self, n: int) -> None:
        self.line.cause(n)


class FilterSubject(LineSubject):
    """A source on a line whose filter says no every third time."""

    asked = 0

    @property
    def rejected(self) -> int:
        return self.source.statistics.rejected

    @property
    def settled(self) -> bool:
        return super().settled and (self.silent or self.rejected >= self.asked // 3)  # one at least with every no

    def _make_source(self) -> InterruptEventSource:
        return FilterInterruptEventSource(self.line, self._action, self._filter)

    def _filter(self, sender: FilterInterruptEventSource) -> bool:
        self._check_silence("had its filter asked", except_for=NO_ACTION)
        loop = sender.work_loop
        if loop is not None and refusal_of(loop.gate.__enter__) is not UsageError:
            self._turnstile.complain(f"the filter of {self.name} could take the gate")
        self.asked += 1
        os.sched_yield()
        return self.asked % 3 > 0


class SharedSubject(LineSubject):
    """One of two clients of a shared interrupt. The other one, which does not want it, goes wherever this one goes."""

    def enable(self) -> None:
        for companion in self._companions if self.loop is not None and not self.closed else ():
            if companion.work_loop is None:
                self.loop.add_event_source(companion)
            companion.enable()
        super().enable()

    def left_its_loop(self) -> None:
        super().left_its_loop()
        for companion in self._companions:
            if companion.work_loop is not None:
                companion.work_loop.remove_event_source(companion)

    def close(self) -> None:
        super().close()
        self._companions[0].close()  # and so its other client

    def _make_source(self) -> InterruptEventSource:
        shared = SharedInterrupt(self.line)
        self._companions = (shared, FilterInterruptEventSource(shared, None, self._let_others_have_it))
        return InterruptEventSource(shared, self._action)

    def _let_others_have_it(self, sender: FilterInterruptEventSource) -> bool:
        os.sched_yield()
        return False


class SoftwareSubject(InterruptSubject):
    """A source without provider: born enabled, triggered by hand, and only on a loop."""

    def __init__(self, turnstile: Turnstile, name: str) -> None:
        super().__init__(turnstile, name)
        self.source = InterruptEventSource(None, self._action)

    @property
    def refuses_interrupts(self) -> type[WorkLoopError] | None:
        return ClosedError if self.closed else NotAttachedError if self.loop is None else None

    def _trigger(self, n: int) -> None:
        self.source.interrupt_occurred(n=n)
