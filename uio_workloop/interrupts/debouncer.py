"""Software debounce: which changes of a bouncing line last. Pure: time comes in as time stamps.

Theory of operation
-------------------
A change counts once the line has been quiet for the period after it, as with the kernel's own debouncing. Every edge
begins the quiet anew, whatever it says. So whether a change counts depends on the time between two edges alone, or
after the last one, and never on when somebody came to read them: a loop that was busy counts the same changes, later.
Nothing is decided at the first edge, and the last one ends in a quiet in any case: the level that stays is always told.
"""

from __future__ import annotations

from uio_workloop.interrupts.gpio_edges import GpioEdge


class Debouncer:
    """Turns raw edges into those that last.

    Args:
        period_ns: how long a line has to be quiet.
        level: where the line is now; that much is known.
    """

    def __init__(self, period_ns: int, level: bool) -> None:
        self.period_ns = period_ns
        self._told = level
        self._level = level
        self._since_ns = 0

    @property
    def deadline_ns(self) -> int | None:
        """When to call `settle`, if no edge comes before; None if there is nothing to wait for."""
        return None if self._level == self._told else self._since_ns + self.period_ns

    def edge(self, edge: GpioEdge, *, gap: bool = False) -> GpioEdge | None:
        """A raw edge; returns the change before it, if that one lasted until now.

        Args:
            gap: edges between this and the one before were lost, so nobody knows for how long the line was quiet.
        """
        change = None if gap else self.settle(edge.timestamp_ns)
        self._since_ns, self._level = edge
        return change

    def settle(self, now_ns: int) -> GpioEdge | None:
        """No edge came until now; returns the last change, with its own time, if it has lasted and was not told yet."""
        if self._level == self._told or now_ns - self._since_ns < self.period_ns:
            return None
        self._told = self._level
        return GpioEdge(self._since_ns, self._level)
