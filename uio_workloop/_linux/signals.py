"""Signals with a code and a value: sent to this process or one of its threads, and received as a descriptor; and a
wait that they interrupt.

sigqueue(3) and pthread_sigqueue(3) would put SI_QUEUE in place of the code, so the system calls are made directly;
their numbers differ by architecture. Source: rt_sigqueueinfo(2), sigaction(2) for the layout of siginfo_t, signalfd(2).
"""

from __future__ import annotations

import ctypes
import errno
import functools
import operator
import os
import select
import signal
import struct
from collections.abc import Iterable
from typing import Any, Final

from uio_workloop.clock import SECOND_NS

SI_QUEUE: Final = -1
SI_TKILL: Final = -6  # the one negative code that the kernel refuses from others than itself
_SIGINFO_SIZE: Final = 128
_LONGEST_NS: Final = (2**31 - 1) * SECOND_NS  # what fits in a timespec everywhere
_POINTER: Final = struct.calcsize("P")
# rt_sigqueueinfo and rt_tgsigqueueinfo, by kind of processor and size of a pointer. Source: Linux' tables of syscalls.
_NUMBERS: Final = {
    ("x86", 8): (129, 297),
    ("x86", 4): (178, 335),
    ("arm", 8): (138, 240),
    ("arm", 4): (178, 363),
    ("riscv", 8): (138, 240),
}


def check_number(signo: int) -> None:
    """Refuse what is no signal, or one that the C library keeps to itself.

    Raises:
        OSError: EINVAL.
    """
    if operator.index(signo) not in signal.valid_signals():
        raise OSError(
            errno.EINVAL,
            f"there is no signal {signo} for programs: it is 1 to 31, or {int(signal.SIGRTMIN)} to "
            f"{int(signal.SIGRTMAX)}",
        )


def available() -> bool:
    """Whether the numbers of the calls are known here."""
    return _numbers() is not None


def to_process(signo: int, code: int, value: int) -> None:
    """Queue a signal for the process. Source: rt_sigqueueinfo(2)."""
    _call(0, os.getpid(), signo, info=_siginfo(signo, code, value))


def to_thread(thread: int, signo: int, code: int, value: int) -> None:
    """Queue a signal for one thread, by its native id; ESRCH once it has ended. Source: rt_tgsigqueueinfo(2)."""
    _call(1, os.getpid(), thread, signo, info=_siginfo(signo, code, value))


# Receiving

_RECEIVED: Final = struct.Struct("=IiiI28xi80x")  # ssi_signo, ssi_errno, ssi_code, ssi_pid, ssi_int
_SIGSET_SIZE: Final = 128  # of the C library; the kernel's is smaller


def open_signalfd(signals: Iterable[int]) -> int:
    """A descriptor that is readable while one of these is pending; they have to be blocked. Source: signalfd(2)."""
    libc, wanted = _libc(), ctypes.create_string_buffer(_SIGSET_SIZE)
    libc.sigemptyset(wanted)
    for each in signals:
        libc.sigaddset(wanted, ctypes.c_int(each))
    fd = int(libc.signalfd(ctypes.c_int(-1), wanted, ctypes.c_int(os.O_NONBLOCK | os.O_CLOEXEC)))
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return fd


def read_signal(fd: int) -> tuple[int, int, int, int]:
    """Number, code, value and sender of the next signal; BlockingIOError if none is pending."""
    signo, _, code, pid, value = _RECEIVED.unpack(os.read(fd, _RECEIVED.size))
    return signo, code, value, pid


# Being interrupted

_POLLFD: Final = struct.Struct("=ihh")
_TIMESPEC: Final = struct.Struct("@ll")


def await_readable(fd: int, timeout_ns: int | None) -> None:
    """Wait until this can be read, or time is over; and once only, while Python's own calls go on after a signal.

    Raises:
        InterruptedError: a signal was handled.
    Source: ppoll(2), PEP 475.
    """
    timeout = None if timeout_ns is None else _TIMESPEC.pack(*divmod(min(timeout_ns, _LONGEST_NS), SECOND_NS))
    if _libc().ppoll(_POLLFD.pack(fd, select.POLLIN, 0), ctypes.c_ulong(1), timeout, None) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


# The calls


@functools.cache
def _numbers() -> tuple[int, int] | None:
    machine = os.uname().machine
    kind = "x86" if machine in ("x86_64", "i386", "i486", "i586", "i686") else ""
    kind = "arm" if machine.startswith(("arm", "aarch64")) else kind or machine[:5]
    return _NUMBERS.get((kind, _POINTER))


@functools.cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _call(which: int, *arguments: int, info: bytes) -> None:
    numbers = _numbers()
    if numbers is None:
        raise OSError(errno.ENOSYS, "signals with a value: the number of the system call is not known here")
    if _libc().syscall(ctypes.c_long(numbers[which]), *map(ctypes.c_long, arguments), info) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _siginfo(signo: int, code: int, value: int) -> bytes:
    """What the receiver finds: the union after the three numbers begins where a pointer can."""
    union = struct.pack("=iIi", os.getpid(), os.getuid(), value)
    return (struct.pack("=iii", signo, 0, code).ljust(12 if _POINTER == 4 else 16, b"\0") + union).ljust(
        _SIGINFO_SIZE, b"\0"
    )
