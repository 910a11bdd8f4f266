"""timerfd as a hand-written loop uses it; by ctypes where Python has no os.timerfd_create yet (before 3.13)."""

from __future__ import annotations

import ctypes
import os
import sys
import time

_ABSOLUTE = 1


def create() -> int:
    if sys.version_info >= (3, 13):
        return os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.O_NONBLOCK)
    return int(_libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK))


def arm(fd: int, at_ns: int, period_ns: int = 0) -> None:
    """Expire at that instant, and every `period_ns` from then on."""
    if sys.version_info >= (3, 13):
        os.timerfd_settime_ns(fd, flags=_ABSOLUTE, initial=at_ns, interval=period_ns)
        return
    setting = _FourLongs(*divmod(period_ns, 10**9), *divmod(at_ns, 10**9))
    if _libc.timerfd_settime(fd, _ABSOLUTE, ctypes.byref(setting), None):
        raise OSError(ctypes.get_errno(), "timerfd_settime")


_FourLongs = ctypes.c_long * 4
_libc = ctypes.CDLL(None, use_errno=True)
