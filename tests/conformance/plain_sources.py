"""Event sources of the tests' own: the base class with hardly anything on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from helpers import DEADLINE_S

from uio_workloop import EventSource


class Counting(EventSource):
    """Counts its visits and calls its action at each; says so to whoever waits."""

    def __init__(self, action: Callable[..., object] | None = None, **how: Any) -> None:
        super().__init__(action, **how)
        self.visits = 0
        self._visited = threading.Condition()

    def check_for_work(self) -> bool:
        if self.action is not None:
            self.action(self)
        with self._visited:
            self.visits += 1
            self._visited.notify_all()
        return False

    def await_visits(self, n: int) -> None:
        with self._visited:
            assert self._visited.wait_for(lambda: self.visits >= n, DEADLINE_S), f"visited {self.visits} times, not {n}"


class Passive(EventSource):
    """Has nothing to check for."""
