"""Who may open a device's file, and what somebody does who may not."""

from __future__ import annotations

import fnmatch
import grp
import os
import pwd
import stat
from collections.abc import Callable
from typing import Final

GROUP: Final = "uio"
RULES: Final = "70-uio-workloop.rules"  # udev/ has them, and they say which files the group gets
RULES_DIRECTORIES: Final = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")  # Source: udev(7)
COVERED: Final = ("/dev/uio[0-9]*", "/dev/gpiochip[0-9]*", "/dev/cpu_dma_latency", "/sys/*/config", "/sys/*/resource?")


def who_may(path: str) -> str:
    """Whom the file belongs to, and the way to be among those."""
    path = os.path.realpath(path)
    try:
        info = os.stat(path)
    except OSError:
        return "no permission; run as root"
    user = _name(lambda: pwd.getpwuid(info.st_uid).pw_name, info.st_uid)
    group = _name(lambda: grp.getgrgid(info.st_gid).gr_name, info.st_gid)
    belongs = f"no permission; it belongs to {user}:{group}, mode {stat.filemode(info.st_mode)}"
    if info.st_mode & stat.S_IWGRP and info.st_gid != 0:
        return f"{belongs}; {_joining(group)}"
    if any(fnmatch.fnmatch(path, pattern) for pattern in COVERED):
        return f"{belongs}; run as root, or {_applying_the_rules()}"
    return f"{belongs}; run as root, or have a udev rule give it to a group of yours"


def _joining(group: str) -> str:
    known_as = f"group {group}, to which {RULES} gives it" if group == GROUP else f"group {group}"
    user = _name(lambda: pwd.getpwuid(os.geteuid()).pw_name, os.geteuid())
    try:
        is_member = user in grp.getgrnam(group).gr_mem
    except KeyError:  # a group without a name
        is_member = False
    if is_member:
        return f"{user} has joined {known_as}, but this session is older: log in again"
    return f"join {known_as}: as root, usermod -aG {group} {user}; then log in again"


def _applying_the_rules() -> str:
    if any(os.path.exists(f"{top}/udev/rules.d/{RULES}") for top in RULES_DIRECTORIES):
        return f"have udev apply {RULES}, which gives it to group {GROUP}: as root, udevadm trigger"
    return f"make install-udev: its {RULES} gives it to group {GROUP}"


def _name(look_up: Callable[[], str], number: int) -> str:
    try:
        return look_up()
    except KeyError:
        return str(number)
