"""Opening device files, with the kernel's refusals turned into sentences."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Callable

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
        return PrivilegeError(f"cannot {attempt} {path}: {_who_may(path)}", code=error.errno, path=path)
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return DeviceGoneError(f"cannot {attempt} {path}: its device has left", code=error.errno, path=path)
    return DeviceError(f"cannot {attempt} {path}: {error.strerror}", code=error.errno, path=path)


def _who_may(path: str) -> str:
    """Who may, and what to do about it."""
    try:
        info = os.stat(path)
    except OSError:
        return "no permission; run as root"
    group = _name(lambda: grp.getgrgid(info.st_gid).gr_name, info.st_gid)
    user = _name(lambda: pwd.getpwuid(info.st_uid).pw_name, info.st_uid)
    may_by_group = info.st_mode & stat.S_IWGRP and info.st_gid != 0
    way_out = f"join group {group}" if may_by_group else "run as root, or have a udev rule give it to a group of yours"
    return f"no permission; it belongs to {user}:{group}, mode {stat.filemode(info.st_mode)}; {way_out}"


def _name(look_up: Callable[[], str], number: int) -> str:
    try:
        return look_up()
    except KeyError:
        return str(number)
