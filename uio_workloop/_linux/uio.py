"""/dev/uioN and its sysfs attributes. Source: drivers/uio/uio.c, Documentation/driver-api/uio-howto.rst."""

from __future__ import annotations

import errno
import mmap
import os
import stat
import struct
from dataclasses import dataclass

CLASS = "/sys/class/uio"

_SIGNED = struct.Struct("i")  # the one size and type that read() and write() take; anything else is EINVAL
_MASK = _SIGNED.pack(0)
_UNMASK = _SIGNED.pack(1)


@dataclass(frozen=True, slots=True)
class UioMap:
    """One entry of maps/: `size` bytes of registers, which start `offset` bytes into the mapping."""

    index: int
    name: str
    size: int
    offset: int


def read_total(fd: int) -> int:
    """The device's interrupts since it was bound, modulo 2^32, signed.

    EAGAIN: none since this descriptor's last read. EIO: no interrupt, or the device has left.
    """
    total: int
    (total,) = _SIGNED.unpack(os.read(fd, 4))
    return total


def mask(fd: int) -> None:
    """ENOSYS: the kernel driver has no irqcontrol. EIO: there is no interrupt. EINVAL: the device has left."""
    os.write(fd, _MASK)


def unmask(fd: int) -> None:
    """As `mask`."""
    os.write(fd, _UNMASK)


def directory_of(path: str) -> str:
    """The sysfs directory of a device node, found by its number, so that links and renamed nodes work.

    OSError of stat(2), or FileNotFoundError: not a character device the kernel knows.
    """
    status = os.stat(path)
    if not stat.S_ISCHR(status.st_mode):
        raise FileNotFoundError(errno.ENOENT, "not a character device", path)
    number = status.st_rdev
    link = f"/sys/dev/char/{os.major(number)}:{os.minor(number)}"
    return os.path.realpath(link, strict=True)


def is_uio(directory: str) -> bool:
    return os.path.basename(os.path.realpath(os.path.join(directory, "subsystem"))) == "uio"


def driver(directory: str) -> str:
    """The kernel driver of the device behind; its `name` attribute is not that."""
    return os.path.basename(os.path.realpath(os.path.join(directory, "device", "driver")))


def read_attribute(directory: str, attribute: str) -> str:
    with open(os.path.join(directory, attribute)) as file:
        return file.read().strip()


def maps(directory: str) -> list[UioMap]:
    """The memory maps of a device, in order of index."""
    try:
        entries = os.listdir(os.path.join(directory, "maps"))
    except FileNotFoundError:
        return []
    found = [_map(os.path.join(directory, "maps", entry), int(entry.removeprefix("map"))) for entry in entries]
    return sorted(found, key=lambda each: each.index)


def _map(directory: str, index: int) -> UioMap:
    addr, size, offset = (int(read_attribute(directory, attribute), 16) for attribute in ("addr", "size", "offset"))
    # Drivers say it in two ways: an address that begins a page, with `offset` beside it and `size` rounded up to pages
    # (uio_pdrv_genirq, uio_pci_generic), or the address as it is and the size as it is. The core maps the pages of
    # `addr` and `size`, and not one more. Source: uio_mmap in drivers/uio/uio.c.
    within_page = addr % mmap.PAGESIZE
    length = -(-(within_page + size) // mmap.PAGESIZE) * mmap.PAGESIZE
    start = within_page + offset
    return UioMap(index, read_attribute(directory, "name"), min(size, length - start), start)
