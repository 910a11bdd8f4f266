"""Opening device files, with the kernel's refusals turned into sentences."""

from __future__ import annotations

import errno
import os

from uio_workloop.devices.permission import who_may
from uio_workloop.errors import DeviceError, DeviceGoneError, DeviceNotFoundError, PrivilegeError


def open_node(path: str, flags: int) -> int:
    """Open a device or sysfs file, close-on-exec.

    Raises:
        DeviceNotFoundError: it does not exist.
        PrivilegeError: no permission; the sentence says who would have it.
        DeviceGoneError: the node is there, but its device has left.
        DeviceError: anything else the kernel answers.
    """
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError as error:
        raise refusal(path, "open", error) from error


def refusal(path: str, attempt: str, error: OSError) -> DeviceError:
    """The error to raise when the kernel refused `attempt` on `path`."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return DeviceNotFoundError(f"cannot {attempt} {path}: there is no such file", path=path)
    if error.errno in (errno.EACCES, errno.EPERM):
        return PrivilegeError(f"cannot {attempt} {path}: {who_may(path)}", code=error.errno, path=path)
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return DeviceGoneError(f"cannot {attempt} {path}: its device has left", code=error.errno, path=path)
    return DeviceError(f"cannot {attempt} {path}: {error.strerror}", code=error.errno, path=path)
