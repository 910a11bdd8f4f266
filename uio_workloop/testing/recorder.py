"""An action that remembers its calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from uio_workloop.clock import SECOND_NS
from uio_workloop.errors import DeadlineExceededError
from uio_workloop.loop.event_source import EventSource
from uio_workloop.testing.completed_pass import GENEROUS_NS


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an action: by whom, with what count (0 for a timer), on which thread, with the gate held or not."""

    sender: EventSource
    count: int
    thread: int
    in_gate: bool


class Recorder:
    """Use it as the action of any source: `InterruptEventSource(line, seen)`.

    Context: called by loops; the rest from any thread.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[Call] = []

    def __call__(self, sender: EventSource, count: int = 0) -> None:
        work_loop = sender.work_loop
        call = Call(sender, count, threading.get_ident(), work_loop is not None and work_loop.in_gate())
        with self._changed:
            self._calls.append(call)
            self._changed.notify_all()

    @property
    def calls(self) -> list[Call]:
        """A snapshot, oldest first."""
        with self._changed:
            return list(self._calls)

    @property
    def counts(self) -> list[int]:
        """The count of each call, oldest first."""
        return [call.count for call in self.calls]

    @property
    def total(self) -> int:
        """The sum of all counts."""
        return sum(self.counts)

    def wait_for(self, predicate: Callable[[list[Call]], bool], timeout_ns: int = GENEROUS_NS) -> list[Call]:
        """Block until the calls satisfy `predicate`, and return them.

        Raises:
            DeadlineExceededError: they did not in time; the message shows what was seen.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(list(self._calls)), timeout_ns / SECOND_NS):
                raise DeadlineExceededError(
                    f"not in {timeout_ns / SECOND_NS:g} s; seen {len(self._calls)} calls, the last: {self._calls[-5:]}"
                )
            return list(self._calls)

    def wait_for_calls(self, n: int) -> list[Call]:
        """Block until there were `n` calls or more."""
        return self.wait_for(lambda calls: len(calls) >= n)

    def wait_for_total(self, total: int) -> list[Call]:
        """Block until the counts add up to `total` or more."""
        return self.wait_for(lambda calls: sum(call.count for call in calls) >= total)
