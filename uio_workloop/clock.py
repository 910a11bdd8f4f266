"""Time: integer nanoseconds of CLOCK_MONOTONIC, and deadlines that keep an instant, not a length.

CLOCK_MONOTONIC stops while the machine is suspended, as IOKit's absolute time does; CLOCK_BOOTTIME goes on, as its
continuous time does. Source: clock_gettime(2).
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from uio_workloop.errors import BadArgumentError

MICROSECOND_NS = 1_000
MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000

monotonic_ns = time.monotonic_ns


def boottime_ns() -> int:
    """CLOCK_BOOTTIME: time since boot, suspension included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Deadline(NamedTuple):
    """An instant on CLOCK_MONOTONIC; it survives retries and being passed down."""

    at_ns: int

    @classmethod
    def after(cls, delay_ns: int) -> Deadline:
        """The instant `delay_ns` from now.

        Raises:
            BadArgumentError: `delay_ns` is negative, or no whole number.
        """
        if not isinstance(delay_ns, int) or delay_ns < 0:  # not a number would never expire
            raise BadArgumentError(f"cannot wait {delay_ns!r} ns: a delay is a whole number, 0 or more")
        return cls(monotonic_ns() + delay_ns)

    @property
    def remaining_ns(self) -> int:
        """Nanoseconds left, never below 0."""
        return max(0, self.at_ns - monotonic_ns())

    @property
    def remaining_s(self) -> float:
        """What is left as the waiting calls of `threading` take it: in seconds, and no more than they accept."""
        return min(self.remaining_ns / SECOND_NS, threading.TIMEOUT_MAX)

    @property
    def expired(self) -> bool:
        return monotonic_ns() >= self.at_ns
