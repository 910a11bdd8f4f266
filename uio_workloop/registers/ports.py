"""Registers in I/O ports: the kernel makes the access, one per call.

Source: drivers/pci/pci-sysfs.c, pci_resource_io.
"""

from __future__ import annotations

import errno

from uio_workloop._linux import pci
from uio_workloop.errors import DeviceError, DeviceGoneError, PrivilegeError, WorkLoopError
from uio_workloop.registers.file_registers import FileRegisters


class PortRegisters(FileRegisters):
    """A region of I/O ports, little endian; 8, 16 and 32 bits wide.

    Args:
        fd: of the sysfs file `resourceN`, open for reading and writing; owned from now on.
        name: for messages: `0000:00:04.0 BAR 0`.
        size: bytes in the region.

    Raises (every access), besides those of `RegisterSpace`:
        PrivilegeError: the kernel is locked down.
    """

    _they_are = "I/O ports are"

    def _load(self, offset: int, width: int) -> int:
        self._check_offset("read", offset, width)
        try:
            with self._lock:
                return pci.read_port(self._fd, offset, width)
        except OSError as error:
            raise self._translated("read", offset, width, error) from error

    def _store(self, offset: int, width: int, value: int) -> None:
        self._check_offset("write", offset, width)
        if not isinstance(value, int) or value < 0 or value >> 8 * width:
            raise self._misfit(offset, width, value)
        try:
            with self._lock:
                pci.write_port(self._fd, offset, width, value)
        except OSError as error:
            raise self._translated("write", offset, width, error) from error

    def read8_repeatedly(self, offset: int, count: int) -> bytes:
        self._check_offset("read", offset, 1)
        try:
            with self._lock:
                return pci.read_port_repeatedly(self._fd, offset, count)
        except OSError as error:
            raise self._translated("read", offset, 1, error) from error

    def write8_repeatedly(self, offset: int, data: bytes) -> None:
        self._check_offset("write", offset, 1)
        try:
            with self._lock:
                pci.write_port_repeatedly(self._fd, offset, data)
        except OSError as error:
            raise self._translated("write", offset, 1, error) from error

    def _translated(self, what: str, offset: int, width: int, error: OSError) -> WorkLoopError:
        if self._why is not None:  # the descriptor is none any more
            return self._why()
        attempt = f"cannot {what} {8 * width} bits of {self._name} at {offset:#x}"
        if error.errno == errno.ENODEV:
            return DeviceGoneError(f"{attempt}: the device has left", path=self._name)
        if error.errno == errno.EPERM:
            return PrivilegeError(
                f"{attempt}: this kernel is locked down and lets nobody use I/O ports; turn Secure Boot off",
                code=errno.EPERM,
                path=self._name,
            )
        return DeviceError(f"{attempt}: {error.strerror}", code=error.errno, path=self._name)
