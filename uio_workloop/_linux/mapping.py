"""Mapping a part of a page of device memory.

A mapping has whole pages. Python's mmap refuses to make one that is longer than the file, and the sysfs file of a BAR
of 256 bytes is 256 bytes long, wherever in its page the BAR begins.

Source: mmap(2); pci_mmap_fits in drivers/pci/mmap.c, which counts in pages.
"""

from __future__ import annotations

import ctypes
import mmap
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_libc.mmap.restype = ctypes.c_void_p
_MAP_FIXED = 0x10
_FAILED = ctypes.c_void_p(-1).value


def map_page_of(fd: int, size: int) -> mmap.mmap:
    """The page that a file of `size` bytes, less than a page, is in: a page of our own, with this one put in its place.

    OSError: as mmap(2).
    """
    mmap.mmap(fd, size).close()  # what is refused is refused here, before there is anything to undo
    page = mmap.mmap(-1, mmap.PAGESIZE)
    anchor = ctypes.c_char.from_buffer(page)
    mapped = _libc.mmap(
        ctypes.addressof(anchor), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | _MAP_FIXED, fd, 0
    )
    del anchor  # a page that is pointed to cannot be closed
    if mapped == _FAILED:
        page.close()
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return page
