"""Where everything that runs under a gate passes, so that two at once are seen, and where broken promises are kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from uio_workloop import Deadline, EventSource, WaitResult, WorkLoop, WorkLoopError


class DeliberateError(Exception):
    """What actions raise when they are told to."""


class Turnstile:
    """Everything that runs under a gate passes here; two at once, or one without the gate, is a complaint.

    Actions and loops have nobody to raise to, so what goes wrong there is written down as a complaint.
    """

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.changed = threading.Condition()  # something was delivered
        self._inside: dict[WorkLoop, int] = {}

    def complain(self, complaint: str) -> None:
        self.complaints.append(complaint)

    def on_error(self, source: EventSource, error: BaseException) -> None:
        """The error handler of every loop: only what was raised on purpose is no complaint."""
        if not isinstance(error, DeliberateError):
            self.complain(f"{source!r} raised {error!r}")

    @contextmanager
    def passage(self, loop: WorkLoop | None, who: str) -> Iterator[None]:
        if loop is None or not loop.in_gate():
            self.complain(f"{who} ran without the gate of {loop!r}")
            yield
            return
        before, me = self._inside.get(loop), get_ident()
        if before not in (None, me):  # a pass run by an action enters again, on the same thread
            self.complain(f"{who} ran while something else did")
        self._inside[loop] = me
        os.sched_yield()  # an invitation to whoever should not be able to come in
        try:
            yield
        finally:
            if self._inside.get(loop) != me:
                self.complain(f"something else ran before {who} was done")
            self._inside[loop] = before

    def sleep(self, loop: WorkLoop, token: Hashable, deadline: Deadline | None) -> WaitResult:
        """Sleep on the gate in the middle of a passage: others may pass meanwhile."""
        before = self._inside.get(loop)
        self._inside[loop] = None
        try:
            return loop.gate.sleep(token, deadline)
        finally:
            self._inside[loop] = before


def refusal_of(operation: Callable[[], object]) -> type[WorkLoopError] | None:
    """The kind of error an operation ends with, if it does."""
    try:
        operation()
    except WorkLoopError as error:
        return type(error)
    return None


@contextmanager
def holding_the_gate_of(loop: WorkLoop | None) -> Iterator[Any]:
    if loop is None:
        yield
    else:
        with loop.gate:
            yield
