"""Registers behind a descriptor: the kernel makes the access, and closing waits for it."""

from __future__ import annotations

import os
import threading
from typing import ClassVar

from uio_workloop.errors import RegisterError
from uio_workloop.registers.space import ByteOrder, RegisterSpace, Why, in_hex

WIDEST = 4  # bytes; neither processors nor the bus have a wider access to these
NO_FILE = -1


class FileRegisters(RegisterSpace):
    """A region of little endian registers that a sysfs file stands for. For this package and `PciConfig`.

    Args:
        fd: open for reading and writing; owned from now on.
    """

    _they_are: ClassVar[str]  # how the sentence begins that says how wide

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

    def _check_offset(self, what: str, offset: int, width: int) -> None:
        if width > WIDEST:
            raise RegisterError(
                f"cannot {what} {8 * width} bits of {self._name} at {in_hex(offset)}: "
                f"{self._they_are} 8, 16 or 32 bits wide"
            )
        # As in RegisterSpace; asking it would make every access a fifth slower.
        if not isinstance(offset, int) or offset % width or not 0 <= offset <= self._size - width:
            self._refuse(what, offset, width)
