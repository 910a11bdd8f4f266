"""Pages of a file, mapped: for BARs that share a page with something else."""

from __future__ import annotations

import ctypes
import mmap

from uio_workloop._linux import pages


class MappedPages:
    """The pages that hold the first `length` bytes of a file; unlike those of Python's mmap, whole ones.

    Args:
        fd: stays the caller's.

    Raises (construction):
        OSError: as mmap(2).
    """

    def __init__(self, fd: int, length: int) -> None:
        self._length = -(-length // mmap.PAGESIZE) * mmap.PAGESIZE
        self._address = pages.map_pages(fd, self._length)
        self.buffer = memoryview((ctypes.c_ubyte * self._length).from_address(self._address)).cast("B")

    def close(self) -> None:
        """Unmap the pages. No view of the buffer may be left: touching one would end the process. Twice is fine."""
        address, self._address = self._address, 0
        if address:
            pages.unmap_pages(address, self._length)
