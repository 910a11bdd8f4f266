"""From an error of this package, or of the kernel, to the errno that QNX's caller tests."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from uio_workloop.errors import (
    BadArgumentError,
    ClosedError,
    DeadlockError,
    DeviceGoneError,
    DeviceNotFoundError,
    NoInterruptError,
    NoResourcesError,
    PrivilegeError,
    UnsupportedError,
    WorkLoopError,
)

_BY_CLASS: Final[tuple[tuple[type[WorkLoopError], int], ...]] = (
    (BadArgumentError, errno.EINVAL),
    (DeviceNotFoundError, errno.EINVAL),
    (NoInterruptError, errno.EINVAL),
    (ClosedError, errno.EINVAL),
    (PrivilegeError, errno.EPERM),
    (NoResourcesError, errno.EBUSY),
    (DeviceGoneError, errno.ENODEV),
    (UnsupportedError, errno.ENOTSUP),
    (DeadlockError, errno.EDEADLK),
)
_BY_ERRNO: Final = {
    errno.EACCES: errno.EPERM,
    errno.ENOTUNIQ: errno.EINVAL,
    errno.EMFILE: errno.EAGAIN,
    errno.ENFILE: errno.EAGAIN,
    errno.ENOMEM: errno.EAGAIN,
}


def errno_of(error: Exception) -> int | None:
    """What QNX would answer; None if that is not for us to say."""
    for kind, code in _BY_CLASS:
        if isinstance(error, kind):
            return code
    if isinstance(error, OSError) and error.errno is not None:
        return _BY_ERRNO.get(error.errno, error.errno)
    return None


def raise_as_qnx_does(error: WorkLoopError | OSError) -> NoReturn:
    """Raise it as `OSError` with QNX's errno; the error of this package stays as the cause."""
    code = errno_of(error)
    if code is None or (not isinstance(error, WorkLoopError) and error.errno == code):
        raise error
    raise OSError(code, str(error)) from error


@contextmanager
def as_qnx_says_it() -> Iterator[None]:
    """`raise_as_qnx_does` for the block."""
    try:
        yield
    except (WorkLoopError, OSError) as error:
        raise_as_qnx_does(error)
