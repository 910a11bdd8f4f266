"""What an attachment, and a wait, can be told besides; the numbers are QNX's."""

from __future__ import annotations

import enum
import errno
import operator
from typing import Final


class IntrFlags(enum.IntFlag):
    """How something is attached: for `interrupt_attach_event` and `interrupt_attach`.

    - END: at the back of the list, told last; otherwise at the front.
    - NO_UNMASK: it begins with one mask of its own, which it has to release before anything arrives.
    - PROCESS: it lives as long as the process, not as the thread that attached it.
    - TRK_MSK: its masks are booked to its id, and given back when it goes. Always set it.
    - EXCLUSIVE: no other attachment beside it.

    QNX: _NTO_INTR_FLAGS_...
    """

    END = 0x01
    NO_UNMASK = 0x02
    PROCESS = 0x04
    TRK_MSK = 0x08
    EXCLUSIVE = 0x20


class WaitFlags(enum.IntFlag):
    """How `interrupt_wait` waits.

    - UNMASK: first unmask what the last wait has returned.
    - FAST: changes nothing, and goes with no timeout; it is there for what is ported.

    QNX: _NTO_INTR_WAIT_FLAGS_...
    """

    FAST = 0x1
    UNMASK = 0x2


_NOT_HERE: Final = {0x40: "FPU", 0x80: "CPU_LOCAL", 0x100: "EVENT_PRIORITY"}


def check_intr_flags(flags: int) -> IntrFlags:
    """The flags as such.

    Raises:
        TypeError: they are of a wait.
        OSError: EINVAL, a bit means nothing. ENOTSUP, it means something that Linux does not have.
    """
    if isinstance(flags, WaitFlags):  # the same numbers mean something else
        raise TypeError(f"cannot attach with {flags!r}: the flags of an attachment are IntrFlags")
    unknown = operator.index(flags) & ~int(IntrFlags(0x2F))
    for bit, name in _NOT_HERE.items():
        if flags >= 0 and unknown & bit:
            raise OSError(errno.ENOTSUP, f"cannot attach with flag {name}: there is no such thing on Linux")
    if flags < 0 or unknown:
        raise OSError(errno.EINVAL, f"cannot attach with flags {flags:#x}: the bits are those of IntrFlags")
    return IntrFlags(flags)


_NONE: Final = WaitFlags(0)


def check_wait_flags(flags: int, timeout_ns: int | None) -> WaitFlags:
    """The flags as such.

    Raises:
        TypeError: they are of an attachment.
        OSError: EINVAL, a bit means nothing. ENOTSUP, FAST does not go with a timeout.
    """
    if not operator.index(flags):
        return _NONE
    if isinstance(flags, IntrFlags):
        raise TypeError(f"cannot wait with {flags!r}: the flags of a wait are WaitFlags")
    if not 0 <= flags <= 0x3:
        raise OSError(errno.EINVAL, f"cannot wait with flags {flags:#x}: the bits are those of WaitFlags")
    if flags & WaitFlags.FAST and timeout_ns is not None:
        raise OSError(errno.ENOTSUP, "a wait with flag FAST takes no timeout; leave out one of the two")
    return WaitFlags(flags)
