"""Who uses the device nodes below a device in sysfs: mounts, swap, processes, the network.

Source: proc(5), Documentation/filesystems/sysfs.rst; open(2) on O_EXCL and block devices.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

IFF_UP = 0x1  # linux/if.h
_HIDDEN_PATH = r"(nvme[0-9]+)c[0-9]+(n[0-9]+)"  # one of several paths to an NVMe disk that is elsewhere


@dataclass(frozen=True, slots=True)
class Node:
    """A device node: `/dev/vda1`, and its directory in sysfs."""

    path: str
    directory: str
    number: int
    is_block: bool


def nodes_below(directory: str) -> list[Node]:
    """Every device node of the device and of those that sit on it."""
    found = []
    for where, _, files in os.walk(os.path.realpath(directory)):
        if "dev" in files and os.path.exists(os.path.join(where, "subsystem")):
            found.append(_node(where))
        if match := re.fullmatch(_HIDDEN_PATH, os.path.basename(where)):
            found += _disk(f"/sys/class/block/{match[1]}{match[2]}")
    return [node for node in found if node is not None]


def _disk(directory: str) -> list[Node | None]:
    if not os.path.isdir(directory):
        return []
    return [_node(where) for where, _, files in os.walk(os.path.realpath(directory)) if "dev" in files]


def _node(directory: str) -> Node | None:
    try:
        major, _, minor = _read(f"{directory}/dev").partition(":")
        event = dict(line.split("=", 1) for line in _read(f"{directory}/uevent").splitlines() if "=" in line)
    except OSError:  # it left while we looked
        return None
    is_block = os.path.basename(os.path.realpath(f"{directory}/subsystem")) == "block"
    name = event.get("DEVNAME", os.path.basename(directory))
    return Node(f"/dev/{name}", directory, os.makedev(int(major), int(minor)), is_block)


def mount_points(node: Node) -> list[str]:
    """Where a disk or partition is mounted, as this process sees it."""
    number = f"{os.major(node.number)}:{os.minor(node.number)}"
    return [target for its_number, source, target in _mounts() if its_number == number or source == node.path]


def _mounts() -> Iterator[tuple[str, str, str]]:
    """Number, source, and where."""
    for line in _read("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        _, _, number, _, target, *_ = before.split()
        yield number, after.split()[1], target.replace("\\040", " ")


def is_swap(node: Node) -> bool:
    return any(line.split()[0] == node.path for line in _read("/proc/swaps").splitlines()[1:])


def holders(node: Node) -> list[str]:
    """The block devices built on this one, as `dm-0`."""
    try:
        return sorted(os.listdir(f"{node.directory}/holders"))
    except FileNotFoundError:
        return []


def is_held(node: Node) -> bool:
    """Whether anybody, seen from here or not, has the disk or partition for himself."""
    try:
        os.close(os.open(node.path, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def openers(nodes: list[Node]) -> list[tuple[Node, int, str]]:
    """Which processes have which of these nodes open: node, process, its name; as far as this user may look."""
    by_number = {(node.is_block, node.number): node for node in nodes}
    found: list[tuple[Node, int, str]] = []
    for pid in filter(str.isdigit, os.listdir("/proc") if by_number else ()):
        theirs = {by_number[key] for key in _open_devices(pid) if key in by_number}
        found += [(node, int(pid), process_name(int(pid))) for node in theirs]
    return found


def _open_devices(pid: str) -> Iterator[tuple[bool, int]]:
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:  # it has ended, or is another user's
        return
    for fd in descriptors:
        try:
            status = os.stat(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode):
            yield stat.S_ISBLK(status.st_mode), status.st_rdev


def process_name(pid: int) -> str:
    try:
        return _read(f"/proc/{pid}/comm")
    except OSError:
        return "ended meanwhile"


def interfaces_up(directory: str) -> list[str]:
    """The network interfaces of the device, or of those that sit on it, that are up."""
    interfaces = [
        where for where, _, files in os.walk(os.path.realpath(directory)) if {"ifindex", "flags"} <= set(files)
    ]
    return [os.path.basename(each) for each in interfaces if _is_up(each)]


def _is_up(interface: str) -> bool:
    try:
        return bool(int(_read(f"{interface}/flags"), 16) & IFF_UP)
    except OSError:  # it left while we looked
        return False


def has_interfaces_elsewhere(directory: str) -> bool:
    """Whether a network interface of the device is in another network namespace.

    Of those sysfs shows the directory they would be in, empty; once there is no interface, that goes, too.
    """
    return any(
        os.path.basename(where) == "net" and not names for where, names, _ in os.walk(os.path.realpath(directory))
    )


def keyboards(directory: str) -> list[str]:
    """The names of the keyboards on the device that type into the kernel's own terminals.

    Source: input_devices_seq_show in drivers/input/input.c. Of what has keys, sysrq takes real keyboards alone.
    """
    below = os.path.realpath(directory).removeprefix("/sys") + "/"
    found = []
    for paragraph in _read_if_there("/proc/bus/input/devices").split("\n\n"):
        parts = {line[0]: line[3:].partition("=")[2] for line in paragraph.splitlines() if line[1:3] == ": "}
        if {"kbd", "sysrq"} <= set(parts.get("H", "").split()) and parts.get("S", "").startswith(below):
            found.append(parts.get("N", "").strip('"'))
    return found


def shared_directories(directory: str) -> list[str]:
    """The names of directories of a host that the device brings into a virtual machine (9p, virtiofs).

    Whether one is mounted cannot be told: it may be the lower layer of the root, out of sight of every process.
    """
    found = []
    for where, directories, files in os.walk(os.path.realpath(directory)):
        if "mount_tag" in files:
            found.append(_read(f"{where}/mount_tag").strip("\0"))
        elif "driver" in directories and os.path.basename(os.path.realpath(f"{where}/driver")) == "virtiofs":
            found.append(os.path.basename(where))
    return found


def consoles() -> list[str]:
    """The terminals that the kernel's own messages go to, as `ttyS0`."""
    return _read_if_there("/sys/class/tty/console/active").split()


def lock_holder(fd: int) -> int | None:
    """The process that has the flock(2) on the file of this descriptor, if it can be seen from here."""
    status = os.fstat(fd)
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in _read("/proc/locks").splitlines():
        words = line.split()  # "1: FLOCK  ADVISORY  WRITE 812 00:06:93 0 EOF"; with "->" behind the number: it waits
        if words[1] == "FLOCK" and words[5] == file:
            return int(words[4]) or None
    return None


def _read(path: str) -> str:
    with open(path) as file:
        return file.read().strip()


def _read_if_there(path: str) -> str:
    try:
        return _read(path)
    except OSError:
        return ""
