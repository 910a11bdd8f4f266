"""What makes a timer expire: a clock, and a descriptor that is readable when its instant has come."""

from __future__ import annotations

import os
import time

from uio_workloop._linux import timerfd
from uio_workloop.clock import boottime_ns, monotonic_ns


class Callout:
    """A timerfd on CLOCK_MONOTONIC, or on CLOCK_BOOTTIME if `continuous`.

    IOKit: the thread_call entry behind IOTimerEventSource::calloutEntry.
    Source: timerfd_create(2).
    """

    def __init__(self, *, continuous: bool = False) -> None:
        self.now_ns = boottime_ns if continuous else monotonic_ns
        self._fd = timerfd.create(time.CLOCK_BOOTTIME if continuous else time.CLOCK_MONOTONIC)

    def fileno(self) -> int:
        return self._fd

    def arm_at(self, at_ns: int) -> None:
        """Expire once, at that instant; at once if it has passed. An unread earlier expiry is discarded."""
        timerfd.arm_at(self._fd, at_ns)

    def disarm(self) -> None:
        timerfd.disarm(self._fd)

    def drain(self) -> bool:
        """Whether it has expired since the last drain."""
        return timerfd.drain(self._fd) > 0

    def close(self) -> None:
        os.close(self._fd)
