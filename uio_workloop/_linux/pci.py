"""PCI functions in sysfs: configuration space, the BARs, and which driver has them.

Source: PCI Local Bus Specification 3.0, section 6.2.2; Documentation/PCI/sysfs-pci.rst; include/linux/ioport.h.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
import sys
import threading
from dataclasses import dataclass

DEVICES = "/sys/bus/pci/devices"
DRIVERS = "/sys/bus/pci/drivers"

# Interrupt Disable is bit 10 of the command register. The register is read and written as the 16-bit word it is, as
# pci_intx() of the kernel does: writing only its high byte would spare the low one (Bus Master, Memory Space) a race,
# but QEMU before 8.2 re-evaluates the line only on a write that covers the low byte, so that an interrupt pending
# while masked would never come, and a line masked by us would stay asserted until the kernel gives up on it.
_COMMAND = 4
_COMMAND_WORD = struct.Struct("<H")
_INTERRUPT_DISABLE = 1 << 10
_BUS_MASTER = 1 << 2
# A mask on one thread and Bus Master on another: neither may write back what it read before the other wrote.
_command_lock = threading.RLock()  # recursive, because a signal's handler may come in between

_INTERRUPT_PIN = 0x3D
_IORESOURCE_IO = 0x100
_IORESOURCE_MEM = 0x200
_IORESOURCE_UNSET = 0x20000000
_BARS = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """One base address register: memory or I/O ports.

    A mapping begins at a page; `offset` is where in it a region that is smaller than one begins.
    """

    index: int
    size: int
    is_memory: bool
    is_assigned: bool
    offset: int

    def __str__(self) -> str:
        return f"{self.index} ({'memory' if self.is_memory else 'I/O ports'}, {self.size:#x} bytes)"


def mask_intx(config_fd: int) -> None:
    """Set Interrupt Disable. ENODEV: the device has left."""
    _change_command(config_fd, _INTERRUPT_DISABLE, True)


def unmask_intx(config_fd: int) -> None:
    """Clear Interrupt Disable. ENODEV: the device has left."""
    _change_command(config_fd, _INTERRUPT_DISABLE, False)


def intx_is_masked(config_fd: int) -> bool:
    """Whether Interrupt Disable is set. ENODEV: the device has left."""
    return bool(_read_command(config_fd) & _INTERRUPT_DISABLE)


def silence(address: str) -> None:
    """Set Interrupt Disable of a function that nobody here has open. Whoever enables the function clears it.

    Source: do_pci_enable_device in drivers/pci/pci.c.
    """
    fd = os.open(f"{DEVICES}/{address}/config", os.O_RDWR | os.O_CLOEXEC)
    try:
        mask_intx(fd)
    finally:
        os.close(fd)


def set_bus_master(config_fd: int, allowed: bool) -> None:
    """Let the function reach memory by itself, or not. ENODEV: the device has left.

    One byte, so that Interrupt Disable, which the kernel may be setting at the same time, is not touched.
    """
    with _command_lock:
        low = _read_command(config_fd) & 0xFF
        os.pwrite(config_fd, bytes([low | _BUS_MASTER if allowed else low & ~_BUS_MASTER]), _COMMAND)


def is_bus_master(config_fd: int) -> bool:
    """ENODEV: the device has left."""
    return bool(_read_command(config_fd) & _BUS_MASTER)


def _change_command(config_fd: int, bit: int, value: bool) -> None:
    with _command_lock:
        command = _read_command(config_fd)
        os.pwrite(config_fd, _COMMAND_WORD.pack(command | bit if value else command & ~bit), _COMMAND)


def _read_command(config_fd: int) -> int:
    command: int
    (command,) = _COMMAND_WORD.unpack(os.pread(config_fd, _COMMAND_WORD.size, _COMMAND))
    return command


def read_port(resource_fd: int, offset: int, width: int) -> int:
    """Read 1, 2 or 4 bytes of a BAR of I/O ports: one port access, its value in the machine's byte order.

    ENODEV: the device has left. EPERM: the kernel is locked down. EIO: it has no such ports.
    """
    data = os.pread(resource_fd, width, offset)
    if len(data) != width:
        raise _no_ports()
    return int.from_bytes(data, sys.byteorder)


def write_port(resource_fd: int, offset: int, width: int, value: int) -> None:
    """As `read_port`."""
    if os.pwrite(resource_fd, value.to_bytes(width, sys.byteorder), offset) != width:
        raise _no_ports()


def read_port_repeatedly(resource_fd: int, offset: int, count: int) -> bytes:
    """As `read_port` of one byte, `count` times."""
    pread = os.pread  # looked up once: these are as many as a FIFO holds
    data = b"".join([pread(resource_fd, 1, offset) for _ in range(count)])
    if len(data) != count:
        raise _no_ports()
    return data


def write_port_repeatedly(resource_fd: int, offset: int, data: bytes) -> None:
    """As `write_port` of one byte, for each of these."""
    pwrite = os.pwrite
    for start in range(len(data)):
        if pwrite(resource_fd, data[start : start + 1], offset) != 1:
            raise _no_ports()


def _no_ports() -> OSError:
    """Beyond the resource the kernel moves nothing, and calls it the end of the file."""
    return OSError(errno.EIO, "the kernel knows no ports there")


def read_config(config_fd: int, offset: int, width: int) -> int | None:
    """1, 2 or 4 bytes of configuration space; None if the kernel does not show them to this user."""
    data = os.pread(config_fd, width, offset)
    return int.from_bytes(data, "little") if len(data) == width else None


def write_config(config_fd: int, offset: int, width: int, value: int) -> bool:
    """Whether the kernel took it."""
    return os.pwrite(config_fd, value.to_bytes(width, "little"), offset) == width


def config_size(config_fd: int) -> int:
    """256 bytes, or 4096 of a PCI Express function."""
    return os.fstat(config_fd).st_size


def has_interrupt_pin(address: str) -> bool:
    """Whether the function has an INTx interrupt at all."""
    fd = os.open(f"{DEVICES}/{address}/config", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(fd, 1, _INTERRUPT_PIN) not in (b"", b"\0")
    finally:
        os.close(fd)


def bars(address: str) -> dict[int, Bar]:
    """The BARs that exist, by number. A 64-bit BAR takes two numbers and has the lower one."""
    found = {}
    with open(f"{DEVICES}/{address}/resource") as file:
        for index, line in zip(range(_BARS), file, strict=False):  # bridges and the ROM have lines after the six
            start, end, flags = (int(word, 16) for word in line.split())
            if flags & (_IORESOURCE_IO | _IORESOURCE_MEM):
                found[index] = Bar(
                    index=index,
                    size=end - start + 1,
                    is_memory=bool(flags & _IORESOURCE_MEM),
                    is_assigned=not flags & _IORESOURCE_UNSET,
                    offset=start % mmap.PAGESIZE,
                )
    return found


def identity(address: str) -> tuple[str, str]:
    """Vendor and device, four hexadecimal digits each."""
    return _attribute(address, "vendor").removeprefix("0x"), _attribute(address, "device").removeprefix("0x")


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


def irqs(address: str) -> set[int]:
    """The number of the function's interrupt line, if it has one."""
    number = int(_attribute(address, "irq"))
    return {number} if number else set()


def class_code(address: str) -> int:
    """Base class, subclass and programming interface, a byte each: 0x020000 is an Ethernet controller."""
    return int(_attribute(address, "class"), 16)


def shows_the_boot_screen(address: str) -> bool:
    """Whether the firmware used this graphics card for the console."""
    try:
        return _attribute(address, "boot_vga") == "1"
    except FileNotFoundError:
        return False


def exists(address: str) -> bool:
    return os.path.isdir(f"{DEVICES}/{address}")


def has_driver(driver: str) -> bool:
    """Whether the kernel has this driver, loaded or built in."""
    return os.path.isdir(f"{DRIVERS}/{driver}")


def driver_override(address: str) -> str:
    """The only driver that may have the function; empty: any that knows it."""
    value = _attribute(address, "driver_override")
    return "" if value == "(null)" else value


def set_driver_override(address: str, driver: str) -> None:
    """Name the only driver that may have the function; empty: any that knows it. The one it is on stays on it."""
    _write(f"{DEVICES}/{address}/driver_override", driver + "\n")


def bind(address: str, driver: str) -> None:
    """Give a free function to a driver. ENODEV: the driver refuses it. Other errors are those of the driver's probe."""
    _write(f"{DRIVERS}/{driver}/bind", address)


def unbind(address: str, driver: str) -> None:
    """Take a function from its driver. ENODEV: it is not on that driver."""
    _write(f"{DRIVERS}/{driver}/unbind", address)


def probe_drivers(address: str) -> None:
    """Have the kernel look for a driver for a free function; finding none is no error."""
    _write("/sys/bus/pci/drivers_probe", address)


def _attribute(address: str, name: str) -> str:
    with open(f"{DEVICES}/{address}/{name}") as file:
        return file.read().strip()


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)  # one write, no buffer: the kernel answers the call itself
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
