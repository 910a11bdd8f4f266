"""The errors this package raises on purpose: one tree, each with the code it stands for.

`UsageError` means the calling code broke a rule, `DeviceError` that the world refused. *You closed it*
(`ClosedError`) and *it went away while you waited* (`AbortedError`) are different things. Every class also inherits
the built-in exception a caller would try first, and every message names the object, what was tried and the way out.

IOKit: `io_return` is the kIOReturn code of IOReturn.h where IOKit has one. Source: reference table in docs/iokit.md.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class WorkLoopError(Exception):
    """Everything this package raises on purpose."""

    io_return: ClassVar[int] = 0xE00002BC  # kIOReturnError


class UsageError(WorkLoopError, RuntimeError):
    """The caller broke a rule; the program has to change."""


class GateNotHeldError(UsageError):
    """The operation needs the gate and the calling thread does not hold it. IOKit panics here."""


class WrongThreadError(UsageError):
    """The operation belongs to another thread."""


class BadArgumentError(UsageError, ValueError):
    """A value outside what the operation accepts."""

    io_return = 0xE00002C2  # kIOReturnBadArgument


class DeadlockError(UsageError):
    """Waiting would never end: each of some threads holds a gate that another of them waits for. IOKit hangs here."""


class HoldTimeError(UsageError):
    """The gate was held for longer than `WorkLoop.set_maximum_lock_time` allows. IOKit panics here."""


class NotAttachedError(UsageError):
    """The event source is not on this work loop."""

    io_return = 0xE00002D8  # kIOReturnNotReady


class AlreadyAttachedError(UsageError):
    """The event source is on a work loop already. IOKit ignores the second add in silence."""


class LifecycleError(UsageError):
    """A step out of order in the life of a driver: started twice, stopped before it was started."""


class ClosedError(WorkLoopError, RuntimeError):
    """The object was closed by its owner and cannot be used any more."""


class AbortedError(WorkLoopError, RuntimeError):
    """What the caller waited for went away while he waited."""

    io_return = 0xE00002EB  # kIOReturnAborted


class GateBusyError(WorkLoopError, RuntimeError):
    """An attempt_... call found the gate held by another thread."""

    io_return = 0xE00002CC  # kIOReturnCannotLock


class SourceDisabledError(WorkLoopError, RuntimeError):
    """An attempt_... call found its command gate disabled."""

    io_return = 0xE00002E2  # kIOReturnNotPermitted


class NoResourcesError(WorkLoopError, RuntimeError):
    """What it takes is not there: somebody else has the interrupt, or a timer has no action."""

    io_return = 0xE00002BE  # kIOReturnNoResources


class UnsupportedError(WorkLoopError, RuntimeError):
    """The device, its kernel driver or this kernel cannot do that."""

    io_return = 0xE00002C7  # kIOReturnUnsupported


class DeadlineExceededError(WorkLoopError, TimeoutError):
    """What was waited for did not happen in time; the message says what that was."""

    io_return = 0xE00002D6  # kIOReturnTimeout


class DeviceError(WorkLoopError, OSError):
    """The kernel or the device refused.

    Args:
        message: one sentence: the object, what was tried, the way out.
        code: the errno the kernel answered, or the one that describes the refusal best.
        path: the file, device or line it is about.
    """

    default_errno: ClassVar[int] = errno.EIO

    def __init__(self, message: str, *, code: int | None = None, path: str | None = None) -> None:
        super().__init__(self.default_errno if code is None else code, message, path)

    def __str__(self) -> str:
        return self.strerror or ""  # the sentence alone: it names path and way out already


class DeviceNotFoundError(DeviceError, FileNotFoundError):
    """No such device."""

    io_return = 0xE00002C0  # kIOReturnNoDevice
    default_errno = errno.ENOENT


class DeviceGoneError(DeviceError):
    """The device was there and has left: unbound, unplugged, or its driver unloaded."""

    io_return = 0xE00002D7  # kIOReturnOffline
    default_errno = errno.ENODEV


class NoInterruptError(DeviceError):
    """The device has no interrupt (of that index)."""

    io_return = 0xE00002DF  # kIOReturnNoInterrupt
    default_errno = errno.ENXIO


class MapError(DeviceError):
    """No such region of registers, or it cannot be mapped."""

    io_return = 0xE00002C8  # kIOReturnVMError
    default_errno = errno.EINVAL


class PrivilegeError(DeviceError, PermissionError):
    """The kernel refused for want of permission."""

    io_return = 0xE00002C1  # kIOReturnNotPrivileged
    default_errno = errno.EACCES


class RegisterError(WorkLoopError, ValueError):
    """A register access that cannot be, or a layout that no device can have; nothing reached the bus."""

    io_return = 0xE00002D0  # kIOReturnNotAligned


class DriverError(WorkLoopError, RuntimeError):
    """A driver could not start on its device; raise it in `start()` to say why."""


class RealtimeError(WorkLoopError, RuntimeError):
    """The kernel did not grant what a `RealtimeProfile` requires; the message names each limit and how to raise it."""


class LabError(WorkLoopError, RuntimeError):
    """The virtual machine of the lab could not be built, was lost, or fell silent."""
