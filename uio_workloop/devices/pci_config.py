"""Configuration space of a PCI function."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import NoReturn, TypeVar

from uio_workloop._linux import pci
from uio_workloop.errors import DeviceError, DeviceGoneError, PrivilegeError
from uio_workloop.registers.file_registers import FileRegisters

T = TypeVar("T")


class PciConfig(FileRegisters):
    """Configuration space: 256 bytes, 4096 of a PCI Express card; little endian; 8, 16 and 32 bits wide.

    The command register (offset 4) is also written to mask the interrupt: leave it to that, and to
    `PciDevice.bus_master`.

    Args:
        fd: of the sysfs file `config`, open for reading and writing; owned from now on.
        name: for messages: `0000:00:04.0 configuration space`.

    Raises (every access), besides those of `RegisterSpace`:
        PrivilegeError: beyond the first 64 bytes the kernel answers root alone.
    Source: Documentation/PCI/sysfs-pci.rst; pci_read_config in drivers/pci/pci-sysfs.c.
    """

    _they_are = "it is"

    def __init__(self, fd: int, name: str) -> None:
        super().__init__(fd, name, pci.config_size(fd))

    @property
    def bus_master(self) -> bool:
        """See `PciDevice.bus_master`."""
        return self._reach("read", pci.is_bus_master)

    @bus_master.setter
    def bus_master(self, allowed: bool) -> None:
        self._reach("write", lambda fd: pci.set_bus_master(fd, allowed))

    def _load(self, offset: int, width: int) -> int:
        self._check_offset("read", offset, width)
        value = self._reach("read", lambda fd: pci.read_config(fd, offset, width))
        if value is None:
            self._not_shown("read", offset, width)
        return value

    def _store(self, offset: int, width: int, value: int) -> None:
        self._check_offset("write", offset, width)
        self._check_fits(offset, width, value)
        if not self._reach("write", lambda fd: pci.write_config(fd, offset, width, value)):
            self._not_shown("write", offset, width)

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
