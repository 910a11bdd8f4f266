"""Registers in I/O ports: the kernel makes the access, one per call.

Source: drivers/pci/pci-sysfs.c, pci_resource_io.
"""

from __future__ import annotations

import errno
import os
import threading

from uio_workloop._linux import pci
from uio_workloop.errors import DeviceError, DeviceGoneError, PrivilegeError, RegisterError, WorkLoopError
from uio_workloop.registers.space import ByteOrder, RegisterSpace, Why, in_hex

WIDEST = 4  # bytes; processors have no wider port access


class PortRegisters(RegisterSpace):
    """A region of I/O ports, little endian; 8, 16 and 32 bits wide.

    Args:
        fd: of the sysfs file `resourceN`, open for reading and writing; owned from now on.
        name: for messages: `0000:00:04.0 BAR 0`.
        size: bytes in the region.

    Raises (every access), besides those of `RegisterSpace`:
        PrivilegeError: the kernel is locked down.
    """

    def __init__(self, fd: int, name: str, size: int) -> None:
        super().__init__(name, size)
        self._fd = fd
        self._why: Why | None = None
        # Closing the descriptor waits for the access that uses it: its number may be another file's a moment later.
        # Recursive, because a signal's handler may come in between.
        self._lock = threading.RLock()

    @property
    def byte_order(self) -> ByteOrder:
        return "little"

    @property
    def unusable(self) -> bool:
        return self._why is not None

    def _load(self, offset: int, width: int) -> int:
        self._check("read", offset, width)
        with self._lock:
            self._check_usable()
            try:
                return pci.read_port(self._fd, offset, width)
            except OSError as error:
                raise self._translated("read", offset, width, error) from error

    def _store(self, offset: int, width: int, value: int) -> None:
        self._check("write", offset, width)
        self._check_fits(offset, width, value)
        with self._lock:
            self._check_usable()
            try:
                pci.write_port(self._fd, offset, width, value)
            except OSError as error:
                raise self._translated("write", offset, width, error) from error

    def _check(self, what: str, offset: int, width: int) -> None:
        if width > WIDEST:
            raise RegisterError(
                f"cannot {what} {8 * width} bits of {self._name} at {in_hex(offset)}: "
                "I/O ports are 8, 16 or 32 bits wide"
            )
        self._check_offset(what, offset, width)

    def _check_usable(self) -> None:
        if self._why is not None:
            raise self._why()

    def _translated(self, what: str, offset: int, width: int, error: OSError) -> WorkLoopError:
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

    def invalidate(self, why: Why) -> None:
        """See `RegisterSpace.invalidate`; the descriptor goes."""
        with self._lock:
            if self._why is None:
                self._why = why
                os.close(self._fd)
