"""timerfd: absolute deadlines as a descriptor.

Python has it from 3.13 on; below, the C library is called. There `struct timespec` is two `long` on every system we
know, 32-bit ones included, because the plain symbols keep the old layout. Source: timerfd_create(2).
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from uio_workloop.clock import SECOND_NS

_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC  # TFD_NONBLOCK and TFD_CLOEXEC are these by definition
_ABSOLUTE = 1  # TFD_TIMER_ABSTIME
_LATEST_NS = ((1 << 31) - 1) * SECOND_NS  # 68 years of uptime; what a 32-bit time_t holds


def _within_range(at_ns: int) -> int:
    return min(max(1, at_ns), _LATEST_NS)  # 0 would disarm


if sys.version_info >= (3, 13):

    def create(clock: int) -> int:
        """A disarmed, non-blocking timer on that clock, such as time.CLOCK_MONOTONIC."""
        return os.timerfd_create(clock, flags=_FLAGS)

    def arm_at(fd: int, at_ns: int) -> None:
        """Expire once, at that instant; at once if it has passed. An unread earlier expiry is discarded."""
        os.timerfd_settime_ns(fd, flags=os.TFD_TIMER_ABSTIME, initial=_within_range(at_ns))

    def disarm(fd: int) -> None:
        os.timerfd_settime_ns(fd, initial=0)

else:
    # A call that lets go of the interpreter has to wait for it afterwards, beside a busy thread for milliseconds; these
    # never block, so PyDLL, which keeps it.
    _libc = ctypes.PyDLL(None, use_errno=True)
    _libc.timerfd_settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    _settime = _libc.timerfd_settime
    _itimerspec = struct.Struct("@4l").pack  # interval and value, each in seconds and nanoseconds

    def _checked(result: int, call: str) -> int:
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{call}: {os.strerror(code)}")
        return result

    def create(clock: int) -> int:
        """A disarmed, non-blocking timer on that clock, such as time.CLOCK_MONOTONIC."""
        return _checked(_libc.timerfd_create(clock, _FLAGS), "timerfd_create")

    def _set(fd: int, at_ns: int) -> None:
        setting = _itimerspec(0, 0, *divmod(at_ns, SECOND_NS))
        if _settime(fd, _ABSOLUTE, setting, None):
            _checked(-1, "timerfd_settime")

    def arm_at(fd: int, at_ns: int) -> None:
        """Expire once, at that instant; at once if it has passed. An unread earlier expiry is discarded."""
        _set(fd, _within_range(at_ns))

    def disarm(fd: int) -> None:
        _set(fd, 0)


def drain(fd: int) -> int:
    """Expirations since the last drain or arming, 0 if none."""
    try:
        (expirations,) = struct.unpack("Q", os.read(fd, 8))
    except BlockingIOError:
        return 0
    return int(expirations)
