"""Configuration space of a PCI function."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import NoReturn, TypeVar

from uio_workloop._linux import pci
from uio_workloop.errors import DeviceError, DeviceGoneError, PrivilegeError, RegisterError, WorkLoopError

T = TypeVar("T")


class PciConfig:
    """Configuration space: 256 bytes, 4096 of a PCI Express card; little endian, as the bus has it.

    Args:
        fd: of the sysfs file `config`, open for reading and writing; owned from now on.
        name: for messages: `0000:00:04.0 configuration space`.

    Context: any thread. The command register (offset 4) is also written to mask the interrupt: leave it to that, and to
        `PciDevice.bus_master`.
    Raises (every access):
        RegisterError: outside the space, misaligned, or a value wider than the register.
        PrivilegeError: beyond the first 64 bytes the kernel answers root alone.
        DeviceGoneError: the card has left.
        ClosedError: the card was closed.
    Source: Documentation/PCI/sysfs-pci.rst; pci_read_config in drivers/pci/pci-sysfs.c.
    """

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self._name = name
        self._size = pci.config_size(fd)
        self._why: Callable[[], WorkLoopError] | None = None
        # Closing the descriptor waits for the access that uses it: its number may be another file's a moment later.
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<PciConfig {self._name}, {self._size:#x} bytes>"

    @property
    def size(self) -> int:
        """Bytes in the space."""
        return self._size

    def read8(self, offset: int) -> int:
        """Read one byte."""
        return self._read(offset, 1)

    def read16(self, offset: int) -> int:
        """Read 16 bits."""
        return self._read(offset, 2)

    def read32(self, offset: int) -> int:
        """Read 32 bits."""
        return self._read(offset, 4)

    def write8(self, offset: int, value: int) -> None:
        """Write one byte."""
        self._write(offset, 1, value)

    def write16(self, offset: int, value: int) -> None:
        """Write 16 bits."""
        self._write(offset, 2, value)

    def write32(self, offset: int, value: int) -> None:
        """Write 32 bits."""
        self._write(offset, 4, value)

    @property
    def bus_master(self) -> bool:
        """See `PciDevice.bus_master`."""
        return self._reach("read", pci.is_bus_master)

    @bus_master.setter
    def bus_master(self, allowed: bool) -> None:
        self._reach("write", lambda fd: pci.set_bus_master(fd, allowed))

    def invalidate(self, why: Callable[[], WorkLoopError]) -> None:
        """Close the descriptor; every access from now on raises what `why` makes. The first reason stays."""
        with self._lock:
            if self._why is None:
                self._why = why
                os.close(self._fd)

    def _read(self, offset: int, width: int) -> int:
        self._check("read", offset, width)
        value = self._reach("read", lambda fd: pci.read_config(fd, offset, width))
        if value is None:
            self._not_shown("read", offset, width)
        return value

    def _write(self, offset: int, width: int, value: int) -> None:
        self._check("write", offset, width)
        if value < 0 or value >> 8 * width:
            raise RegisterError(
                f"cannot write {value:#x} to {self._name} at {offset:#x}: it does not fit {8 * width} bits"
            )
        if not self._reach("write", lambda fd: pci.write_config(fd, offset, width, value)):
            self._not_shown("write", offset, width)

    def _check(self, what: str, offset: int, width: int) -> None:
        if offset % width or not 0 <= offset <= self._size - width:
            why = "is not aligned" if offset % width else f"is outside its {self._size:#x} bytes"
            raise RegisterError(f"cannot {what} {8 * width} bits of {self._name} at {offset:#x}: the offset {why}")

    def _not_shown(self, what: str, offset: int, width: int) -> NoReturn:
        raise PrivilegeError(
            f"cannot {what} {8 * width} bits of {self._name} at {offset:#x}: the kernel gives what is beyond the first "
            "0x40 bytes to root alone; run as root",
            path=self._name,
        )

    def _reach(self, what: str, operation: Callable[[int], T]) -> T:
        with self._lock:
            if self._why is not None:
                raise self._why()
            try:
                return operation(self._fd)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    raise DeviceGoneError(f"cannot {what} {self._name}: the card has left", path=self._name) from error
                raise DeviceError(
                    f"cannot {what} {self._name}: {error.strerror}", code=error.errno, path=self._name
                ) from error
