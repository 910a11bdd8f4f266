"""What a thread or a process asks of the scheduler, of memory management and of power management.

Threads are named by their system-wide number, `threading.get_native_id()`.
"""

from __future__ import annotations

import functools
import os
import re
import struct
from pathlib import Path
from typing import Any, Final

CPU_DMA_LATENCY: Final = "/dev/cpu_dma_latency"
CAP_IPC_LOCK: Final = 14  # Source: capabilities(7), linux/capability.h
CAP_SYS_NICE: Final = 23
_MICROSECONDS = struct.Struct("=i")
_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30
_MCL_CURRENT, _MCL_FUTURE = 1, 2  # on every architecture but alpha, powerpc and sparc


@functools.cache
def _libc() -> Any:
    import ctypes  # here: whoever asks for nothing does not pay for it

    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: Any) -> int:
    import ctypes

    result = int(getattr(_libc(), name)(*arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


# Threads


def policy_of(thread: int) -> tuple[int, int]:
    """Policy, with its flag SCHED_RESET_ON_FORK, and priority."""
    return os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority


def set_policy(thread: int, policy: int, priority: int) -> None:
    """EPERM: neither RLIMIT_RTPRIO nor CAP_SYS_NICE allows it. Source: sched(7)."""
    os.sched_setscheduler(thread, policy, os.sched_param(priority))


def timer_slack_ns() -> int:
    """How late the kernel may let a wait of the calling thread end so that it coincides with another's."""
    return _call("prctl", _PR_GET_TIMERSLACK, 0, 0, 0, 0)


def set_timer_slack_ns(slack_ns: int) -> None:
    """Of the calling thread; 0 means its default. Nobody is refused. Source: PR_SET_TIMERSLACK(2const)."""
    import ctypes

    _call("prctl", _PR_SET_TIMERSLACK, ctypes.c_ulong(slack_ns), 0, 0, 0)


def set_timer_slack_of(thread: int, slack_ns: int) -> None:
    """Of another thread. EPERM without CAP_SYS_NICE, even of one's own process. Source: fs/proc/base.c."""
    Path(f"/proc/{thread}/timerslack_ns").write_text(str(slack_ns))


def is_thread_of_ours(thread: int) -> bool:
    """Whether this process has a thread of that number now."""
    return os.path.exists(f"/proc/self/task/{thread}")


def has_capability(number: int) -> bool:
    """Whether the calling thread may do what that capability is for."""
    return bool(int(_status("CapEff", "0"), 16) >> number & 1)


def _status(field: str, otherwise: str) -> str:
    found = re.search(rf"^{field}:\s*(\S+)", Path("/proc/thread-self/status").read_text(), re.MULTILINE)
    return found[1] if found else otherwise


# The process


def locked_kib() -> int:
    """How much memory of this process cannot be swapped out."""
    return int(_status("VmLck", "0"))


def mapped_kib() -> int:
    """What mlockall() counts: all that is mapped, touched or not."""
    return int(_status("VmSize", "0"))


def lock_memory() -> None:
    """Have everything this process maps, now and from now on, present and never swapped out.

    ENOMEM, EPERM: RLIMIT_MEMLOCK is below what is mapped, and there is no CAP_IPC_LOCK. Source: mlockall(2).
    """
    _call("mlockall", _MCL_CURRENT | _MCL_FUTURE)


def unlock_memory() -> None:
    _call("munlockall")


def open_cpu_latency() -> int:
    """A descriptor that stands for a request of wake-up latency: none yet; closing it withdraws the request.

    EACCES: by default root's. ENOENT: a kernel without it. Source: kernel/power/qos.c.
    """
    return os.open(CPU_DMA_LATENCY, os.O_WRONLY | os.O_CLOEXEC)


def limit_cpu_latency(fd: int, microseconds: int) -> None:
    """Ask that no processor sleeps so deeply that it needs longer to wake up."""
    os.write(fd, _MICROSECONDS.pack(microseconds))
