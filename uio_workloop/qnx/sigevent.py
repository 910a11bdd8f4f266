"""The events an interrupt can be turned into."""

from __future__ import annotations

import enum
import errno
import operator
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from uio_workloop._linux import signals
from uio_workloop.qnx.channel import PULSE_PRIO_INHERIT, Channel, check_code, check_priority
from uio_workloop.qnx.thread_record import ThreadRecord

SI_MINAVAIL: Final = -128
"""The lowest code of a signal for programs."""
SI_MAXAVAIL: Final = -64
WORD: Final = 1 << 32


class Event(ABC):
    """What somebody is told with: one of the kinds below, which are not meant to be added to.

    They are immutable, so that what was attached is what is delivered. What of them is out of range is refused when
    they are attached: `OSError` with EINVAL, or `TypeError`.

    QNX: struct sigevent.
    """

    for_process: ClassVar[bool] = False
    """It is aimed at the process, so an attachment with it outlives its thread."""
    never_waits: ClassVar[bool] = False
    """Delivering it runs no code of others, and waits for nothing."""

    def check(self) -> None:  # noqa: B027 - some kinds can always be delivered
        """Refuse what could not be delivered. Context: any thread, before anything is attached.

        Raises:
            OSError: EINVAL, a part of it is out of range. ENOTSUP, the kind does not exist here.
        """

    @abstractmethod
    def deliver(self, thread: ThreadRecord, id: int) -> bool:  # noqa: A002 - QNX's word
        """Tell whoever it is for; false if nobody could be told. What it raises counts as that, too.

        Args:
            thread: that attached it.
            id: of the attachment.

        Context: the thread that delivers, with the gate of the hidden loop held if it never waits.
        """


@dataclass(frozen=True, slots=True)
class SigevNone(Event):
    """Nobody is told; the interrupt is masked all the same. QNX: SIGEV_NONE."""

    never_waits: ClassVar[bool] = True

    def deliver(self, thread: ThreadRecord, id: int) -> bool:  # noqa: A002 - QNX's word
        return True


@dataclass(frozen=True, slots=True)
class SigevIntr(Event):
    """The `interrupt_wait()` of the thread that attached it returns. QNX: SIGEV_INTR."""

    never_waits: ClassVar[bool] = True

    def deliver(self, thread: ThreadRecord, id: int) -> bool:  # noqa: A002 - QNX's word
        return thread.tell(id)


@dataclass(frozen=True, slots=True)
class SigevPulse(Event):
    """A pulse is queued in a channel of this process.

    Args:
        channel: where.
        priority, code, value: as in `Channel.send_pulse`; the system's codes are allowed, too.
        noqueue: drop it if nobody is waiting for one.

    QNX: SIGEV_PULSE, SIGEV_FLAG_NOQUEUE.
    """

    channel: Channel
    priority: int = PULSE_PRIO_INHERIT
    code: int = 0
    value: object = 0
    noqueue: bool = False

    for_process: ClassVar[bool] = True
    never_waits: ClassVar[bool] = True

    def check(self) -> None:
        if not isinstance(self.channel, Channel):
            raise TypeError(f"a pulse goes to a Channel, not to {self.channel!r}")
        if self.channel.closed:
            raise OSError(errno.EINVAL, "a pulse cannot go to this channel: it is closed; make a new one")
        check_priority(self.priority)
        check_code(self.code)

    def deliver(self, thread: ThreadRecord, id: int) -> bool:  # noqa: A002 - QNX's word
        if self.noqueue:
            return self.channel.send_pulse_if_awaited(self.priority, self.code, self.value)
        self.channel.send_pulse(self.priority, self.code, self.value)
        return True


@dataclass(frozen=True, slots=True)
class SigevSignal(Event):
    """A signal for the process.

    A Python handler runs in the main thread and learns nothing but the number. Signals from SIGRTMIN on queue, others
    merge. A signal that nothing handles or blocks ends the process.

    Args:
        signo: which.
        value: a number of 32 bits, signed, for the receiver; None: none.

    QNX: SIGEV_SIGNAL.
    """

    signo: int
    value: int | None = None

    for_process: ClassVar[bool] = True
    never_waits: ClassVar[bool] = True

    def check(self) -> None:
        _check_signal(self.signo, signals.SI_QUEUE, self.value)

    def deliver(self, thread: ThreadRecord, id: int) -> bool:  # noqa: A002 - QNX's word
        if self.value is None:
            os.kill(os.getpid(), self.signo)
        else:
            signals.to_process(self.signo, signals.SI_QUEUE, self.value)
        return True


@dataclass(frozen=True, slots=True)
class SigevSignalCode(Event):
    """A signal for the process, with a code and a value.

    Args:
        signo: which.
        value: a number of 32 bits, signed.
        code: `SI_MINAVAIL` to `SI_MAXAVAIL`; other negative ones of 8 bits pass, too, but for -6, the kernel's own.

    QNX: SIGEV_SIGNAL_CODE.
    """

    signo: int
    value: int = 0
    code: int = SI_MINAVAIL

    for_process: ClassVar[bool] = True
    never_waits: ClassVar[bool] = True

    def check(self) -> None:
        _check_signal(self.signo, self.code, self.value)

    def deliver(self, thread: ThreadRecord, id: int) -> bool:  # noqa: A002 - QNX's word
        signals.to_process(self.signo, self.code, self.value)
        return True


@dataclass(frozen=True, slots=True)
class SigevSignalThread(Event):
    """As `SigevSignalCode`, for the thread that attached it alone.

    It has to take it itself, with a `SignalReceiver`: Python runs handlers in the main thread only.

    QNX: SIGEV_SIGNAL_THREAD.
    """

    signo: int
    value: int = 0
    code: int = SI_MINAVAIL

    never_waits: ClassVar[bool] = True

    def check(self) -> None:
        _check_signal(self.signo, self.code, self.value)

    def deliver(self, thread: ThreadRecord, id: int) -> bool:  # noqa: A002 - QNX's word
        if thread.ended:  # its number may be another's by now
            return False
        signals.to_thread(thread.native_id, self.signo, self.code, self.value)
        return True


class _Releasable(Protocol):
    def release(self) -> object: ...


@dataclass(frozen=True, slots=True)
class SigevSem(Event):
    """A semaphore is posted.

    Args:
        sem: anything with `release()`, such as `threading.Semaphore`, which must not wait; or the descriptor of an
            eventfd, made with EFD_SEMAPHORE, which can be polled and inherited.

    QNX: SIGEV_SEM.
    """

    sem: _Releasable | int

    def check(self) -> None:
        if isinstance(self.sem, bool | type) or not (
            isinstance(self.sem, int) or callable(getattr(self.sem, "release", None))
        ):
            raise TypeError(f"{self.sem!r} is no semaphore: it has no release(), and is no descriptor of an eventfd")
        if isinstance(self.sem, int) and not _is_eventfd(self.sem):
            raise OSError(
                errno.EINVAL,
                f"descriptor {self.sem} is no eventfd; make a semaphore with os.eventfd(0, os.EFD_SEMAPHORE)",
            )

    def deliver(self, thread: ThreadRecord, id: int) -> bool:  # noqa: A002 - QNX's word
        if isinstance(self.sem, int):
            os.eventfd_write(self.sem, 1)
        else:
            self.sem.release()
        return True


@dataclass(frozen=True, slots=True)
class SigevThread(Event):
    """A new thread calls `function(value)`; each firing costs one, a daemon that nobody waits for.

    Args:
        function: what it calls.
        value: with what.
        name: of the thread.

    QNX: SIGEV_THREAD.
    """

    function: Callable[[object], object]
    value: object = None
    name: str | None = None

    def check(self) -> None:
        if not callable(self.function):
            raise TypeError(f"a thread cannot call {self.function!r}: it is not callable")

    def deliver(self, thread: ThreadRecord, id: int) -> bool:  # noqa: A002 - QNX's word
        threading.Thread(target=self.function, args=(self.value,), name=self.name, daemon=True).start()
        return True


class MemOp(enum.IntEnum):
    """What is done to a word of memory. QNX: SIGEV_MEM_..."""

    ASSIGN = 1
    ADD = 2
    SUB = 3
    BITSET = 4
    BITCLR = 5
    BITTOGGLE = 6


_OPERATIONS: Final[dict[MemOp, Callable[[int, int], int]]] = {
    MemOp.ASSIGN: lambda word, value: value,
    MemOp.ADD: operator.add,
    MemOp.SUB: operator.sub,
    MemOp.BITSET: operator.or_,
    MemOp.BITCLR: lambda word, value: word & ~value,
    MemOp.BITTOGGLE: operator.xor,
}
_memory = threading.Lock()


def _begin_anew() -> None:
    global _memory
    _memory = threading.Lock()  # a thread that the child of a fork does not have may hold the old one


os.register_at_fork(after_in_child=_begin_anew)


@dataclass(frozen=True, slots=True)
class SigevMemory(Event):
    """A word of memory is changed, modulo 2^32; atomically for other events, but not for C or other processes.

    Args:
        view: of format "I"; its first word is changed.
        value: with what.
        op: how.

    QNX: SIGEV_MEMORY.
    """

    view: memoryview
    value: int
    op: MemOp = MemOp.ADD

    never_waits: ClassVar[bool] = True

    def check(self) -> None:
        if not isinstance(self.view, memoryview):
            raise TypeError(f"{self.view!r} is no memoryview; write memoryview(buffer).cast('I')")
        if _is_released(self.view):
            raise OSError(errno.EINVAL, "the memory of an event was released; give a view that stays")
        if self.view.readonly or self.view.format != "I" or self.view.ndim != 1 or not len(self.view):
            raise OSError(errno.EINVAL, "the memory of an event is a writable view of 32-bit words: cast it to 'I'")
        if self.op not in _OPERATIONS:
            raise OSError(errno.EINVAL, f"memory cannot be changed by operation {self.op!r}: write one of MemOp")
        if not 0 <= operator.index(self.value) < WORD:
            raise OSError(
                errno.EINVAL, f"memory cannot be changed with {self.value}: a word has 32 bits, 0 to {WORD - 1:#x}"
            )

    def deliver(self, thread: ThreadRecord, id: int) -> bool:  # noqa: A002 - QNX's word
        with _memory:
            self.view[0] = _OPERATIONS[MemOp(self.op)](self.view[0], self.value) % WORD
        return True


@dataclass(frozen=True, slots=True)
class SigevUnblock(Event):
    """Ends a blocking call when a timeout is over; no event of an interrupt.

    QNX: SIGEV_UNBLOCK, which is meant for TimerTimeout.
    """

    def check(self) -> None:
        raise OSError(
            errno.ENOTSUP, "an interrupt cannot unblock a system call: attach SigevIntr() and wait with a timeout"
        )

    def deliver(self, thread: ThreadRecord, id: int) -> bool:  # noqa: A002 - QNX's word
        return False


def _is_eventfd(fd: int) -> bool:
    """Source: proc(5), /proc/PID/fd."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:[eventfd]"
    except OSError:
        return False


def _is_released(view: memoryview) -> bool:
    try:
        view.nbytes  # noqa: B018 - which is refused then
    except ValueError:
        return True
    return False


def _check_signal(signo: int, code: int, value: int | None) -> None:
    signals.check_number(signo)
    if not SI_MINAVAIL <= operator.index(code) < 0 or code == signals.SI_TKILL:
        raise OSError(
            errno.EINVAL,
            f"a signal cannot have code {code}: yours are {SI_MINAVAIL} to {SI_MAXAVAIL}, the rest is taken",
        )
    if value is None:
        return
    if not -WORD // 2 <= operator.index(value) < WORD // 2:
        raise OSError(errno.EINVAL, f"a signal cannot carry {value}: its value has 32 bits, signed")
    if not signals.available():
        raise OSError(errno.ENOTSUP, "signals cannot carry a value here: the system call's number is not known")
