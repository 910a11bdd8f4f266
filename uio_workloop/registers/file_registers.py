"""Registers behind a descriptor: the kernel makes the access, and closing waits for it."""

from __future__ import annotations

import os
import threading

from uio_workloop.registers.space import ByteOrder, RegisterSpace, Why

NO_FILE = -1


class FileRegisters(RegisterSpace):
    """A region of little endian registers that a sysfs file stands for. For this package and `PciConfig`.

    Args:
        fd: open for reading and writing; owned from now on.
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

    def invalidate(self, why: Why) -> None:
        """See `RegisterSpace.invalidate`; the descriptor goes."""
        with self._lock:
            if self._why is None:
                self._why = why
                fd, self._fd = self._fd, NO_FILE
                os.close(fd)
