"""PCI functions in sysfs: the command register and the BARs.

Source: PCI Local Bus Specification 3.0, section 6.2.2; Documentation/PCI/sysfs-pci.rst; include/linux/ioport.h.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from dataclasses import dataclass

DEVICES = "/sys/bus/pci/devices"

# Interrupt Disable is bit 10 of the command register. The register is read and written as the 16-bit word it is, as
# pci_intx() of the kernel does: writing only its high byte would spare the low one (Bus Master, Memory Space) a race,
# but QEMU before 8.2 re-evaluates the line only on a write that covers the low byte, so that an interrupt pending
# while masked would never come, and a line masked by us would stay asserted until the kernel gives up on it.
_COMMAND = 4
_COMMAND_WORD = struct.Struct("<H")
_INTERRUPT_DISABLE = 1 << 10

_IORESOURCE_IO = 0x100
_IORESOURCE_MEM = 0x200
_BARS = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """One base address register: memory or I/O ports."""

    index: int
    size: int
    is_memory: bool


def mask_intx(config_fd: int) -> None:
    """Set Interrupt Disable. ENODEV: the device has left."""
    os.pwrite(config_fd, _COMMAND_WORD.pack(_read_command(config_fd) | _INTERRUPT_DISABLE), _COMMAND)


def unmask_intx(config_fd: int) -> None:
    """Clear Interrupt Disable. ENODEV: the device has left."""
    os.pwrite(config_fd, _COMMAND_WORD.pack(_read_command(config_fd) & ~_INTERRUPT_DISABLE), _COMMAND)


def intx_is_masked(config_fd: int) -> bool:
    """Whether Interrupt Disable is set. ENODEV: the device has left."""
    return bool(_read_command(config_fd) & _INTERRUPT_DISABLE)


def _read_command(config_fd: int) -> int:
    (command,) = _COMMAND_WORD.unpack(os.pread(config_fd, _COMMAND_WORD.size, _COMMAND))
    return int(command)


def read_port(resource_fd: int, offset: int, width: int) -> int:
    """Read 1, 2 or 4 bytes of a BAR of I/O ports: one port access, its value in the machine's byte order.

    ENODEV: the device has left. EPERM: the kernel is locked down. EIO: it has no such ports.
    """
    data = os.pread(resource_fd, width, offset)
    _check_whole(len(data), width)
    return int.from_bytes(data, sys.byteorder)


def write_port(resource_fd: int, offset: int, width: int, value: int) -> None:
    """As `read_port`."""
    _check_whole(os.pwrite(resource_fd, value.to_bytes(width, sys.byteorder), offset), width)


def _check_whole(moved: int, width: int) -> None:
    if moved != width:  # beyond the resource the kernel moves nothing, and calls it the end of the file
        raise OSError(errno.EIO, "the kernel knows no ports there")


def bars(address: str) -> dict[int, Bar]:
    """The BARs that exist, by number. A 64-bit BAR takes two numbers and has the lower one."""
    found = {}
    with open(f"{DEVICES}/{address}/resource") as file:
        for index, line in zip(range(_BARS), file, strict=False):  # bridges and the ROM have lines after the six
            start, end, flags = (int(word, 16) for word in line.split())
            if flags & (_IORESOURCE_IO | _IORESOURCE_MEM):
                found[index] = Bar(index, end - start + 1, bool(flags & _IORESOURCE_MEM))
    return found


def identity(address: str) -> str:
    """Vendor and device, as `1234:11e8`."""
    return ":".join(_attribute(address, name).removeprefix("0x") for name in ("vendor", "device"))


def uio_nodes(address: str) -> list[str]:
    """The UIO devices of a function, as `uio0`: one if a UIO driver is bound to it, else none."""
    try:
        return sorted(os.listdir(f"{DEVICES}/{address}/uio"))
    except FileNotFoundError:
        return []


def driver(address: str) -> str | None:
    """The kernel driver bound to a function."""
    try:
        return os.path.basename(os.readlink(f"{DEVICES}/{address}/driver"))
    except FileNotFoundError:
        return None


def _attribute(address: str, name: str) -> str:
    with open(f"{DEVICES}/{address}/{name}") as file:
        return file.read().strip()
