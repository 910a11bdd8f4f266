"""The edges of a GPIO line one by one, for drivers to which their number says too little."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple


class GpioEdge(NamedTuple):
    """One edge of a GPIO line; edges of several lines sort by time."""

    timestamp_ns: int
    """The kernel's own time of it, on CLOCK_MONOTONIC."""
    rising: bool


class EdgeRecord:
    """The newest edges of a line, until somebody takes them.

    Context: any thread; filled in the ready phase, emptied in actions. Filling is one atomic operation, and so is
        taking an edge.

    Args:
        most: how many are kept; what does not fit pushes out the oldest.
    """

    def __init__(self, most: int) -> None:
        self._edges: deque[GpioEdge] = deque(maxlen=most)
        self._added = 0
        self._taken = 0

    def extend(self, edges: Sequence[GpioEdge]) -> None:
        self._added += len(edges)
        self._edges.extend(edges)

    def take(self) -> list[GpioEdge]:
        """Every edge that came since the last call, oldest first."""
        taken: list[GpioEdge] = []
        try:
            while True:
                taken.append(self._edges.popleft())
        except IndexError:  # asked first, the ready phase might push one out in between
            self._taken += len(taken)
        return taken

    @property
    def dropped(self) -> int:
        """Edges that were pushed out before somebody took them."""
        return self._added - self._taken - len(self._edges)

    def clear(self) -> None:
        """Begin anew, with nothing kept and nothing dropped."""
        self._edges.clear()
        self._added = self._taken = 0
