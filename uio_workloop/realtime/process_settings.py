"""What is asked for the whole process: locked memory, the interpreter's switch interval, processors kept awake.

Profiles may overlap. Memory is locked as long as one of them wants it; of switch intervals, and of wake-up latencies,
the smallest that is asked for counts.
"""

from __future__ import annotations

import os
import resource
import sys
from threading import Lock
from typing import ClassVar, Final

from uio_workloop._linux import scheduling
from uio_workloop.clock import MICROSECOND_NS
from uio_workloop.realtime.grant import RealtimeGrant

_lock: Final = Lock()  # of what profiles share


class LockedMemory:
    """Everything mapped, now and later, present and never swapped out; so the stack of a thread counts in full.

    If the program had locked memory by itself before, closing leaves all of it locked.
    """

    asked = "locked memory"
    _holders: ClassVar[int] = 0
    _locked_before: ClassVar[bool] = False

    def ask(self, whose: str) -> RealtimeGrant:
        with _lock:
            locked_before = scheduling.locked_kib() > 0
            try:
                scheduling.lock_memory()  # also for the second: in the child of a fork nothing is locked any more
            except OSError as error:
                return RealtimeGrant(whose, self.asked, False, self._way_out(error))
            if not LockedMemory._holders:
                LockedMemory._locked_before = locked_before
            LockedMemory._holders += 1
        limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
        if limit == resource.RLIM_INFINITY or scheduling.has_capability(scheduling.CAP_IPC_LOCK):
            return RealtimeGrant(whose, self.asked, True)
        return RealtimeGrant(
            whose, self.asked, True, f"with more than RLIMIT_MEMLOCK, {limit >> 20} MiB, it gets no more memory"
        )

    def _way_out(self, error: OSError) -> str:
        limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
        return (
            f"RLIMIT_MEMLOCK allows {limit >> 10} KiB, {scheduling.mapped_kib()} KiB are mapped, and CAP_IPC_LOCK is "
            "missing; LimitMEMLOCK=infinity in the systemd service, or memlock unlimited for a group of yours in "
            "/etc/security/limits.conf, or run as root"
        )

    def undo(self) -> None:
        with _lock:
            LockedMemory._holders -= 1
            if not (LockedMemory._holders or LockedMemory._locked_before):
                scheduling.unlock_memory()


class SwitchInterval:
    """How long a thread that waits for the interpreter leaves it to the one that has it.

    Whoever calls `sys.setswitchinterval` himself meanwhile keeps what he set.
    """

    _asked_for: ClassVar[list[float]] = []
    _before: ClassVar[float] = 0.0
    _ours: ClassVar[float] = 0.0

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self.asked = f"a switch interval of {interval_s * 1e6:g} us"

    def ask(self, whose: str) -> RealtimeGrant:
        with _lock:
            now = sys.getswitchinterval()
            if not self._asked_for or now != self._ours:
                SwitchInterval._before = now
            self._asked_for.append(self._interval_s)
            least = min(self._asked_for)
            self._put(least)
        if least < self._interval_s:
            return RealtimeGrant(whose, self.asked, True, f"another profile has it at {least * 1e6:g} us")
        return RealtimeGrant(whose, self.asked, True)

    @classmethod
    def _put(cls, interval_s: float) -> None:
        # It cuts fractions of a microsecond off: what it returns, given back to it, could become one less.
        sys.setswitchinterval(interval_s + 1e-7)
        cls._ours = sys.getswitchinterval()

    def undo(self) -> None:
        with _lock:
            self._asked_for.remove(self._interval_s)
            if sys.getswitchinterval() == self._ours:
                self._put(min(self._asked_for, default=self._before))


class CpuLatency:
    """How long a processor may need to wake up; the kernel lets none sleep more deeply than anybody here can bear."""

    def __init__(self, latency_ns: int) -> None:
        self._microseconds = latency_ns // MICROSECOND_NS
        self.asked = f"processors awake within {self._microseconds} us"
        self._fd = -1

    def ask(self, whose: str) -> RealtimeGrant:
        try:
            self._fd = scheduling.open_cpu_latency()
            scheduling.limit_cpu_latency(self._fd, self._microseconds)
        except OSError as error:
            self.undo()
            return RealtimeGrant(whose, self.asked, False, self._way_out(error))
        return RealtimeGrant(whose, self.asked, True)

    def _way_out(self, error: OSError) -> str:
        device = scheduling.CPU_DMA_LATENCY
        if isinstance(error, PermissionError):
            return f"{device} is root's; make install-udev gives it to group uio: join that, or run as root"
        return f"{device}: {error.strerror}; this kernel has no such thing: do without"

    def undo(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
