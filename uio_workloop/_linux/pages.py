"""mmap(2) of whole pages, whatever size the file says it has.

Python's mmap refuses to map more than fstat(2) tells. A BAR smaller than a page is a file of sysfs that tells the BAR's
size; the kernel maps the page that the BAR is in, and the BAR need not be at its beginning.
Source: mmap(2); drivers/pci/pci-sysfs.c, pci_mmap_resource; Modules/mmapmodule.c of CPython.
"""

from __future__ import annotations

import ctypes
import mmap
import os

_MAP_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


def map_pages(fd: int, length: int) -> int:
    """Map the first `length` bytes of a file, shared, for reading and writing; the address."""
    address = _libc.mmap(None, length, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, 0)
    if address == _MAP_FAILED:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(address)


def unmap_pages(address: int, length: int) -> None:
    """Undo `map_pages`."""
    if _libc.munmap(address, length) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
