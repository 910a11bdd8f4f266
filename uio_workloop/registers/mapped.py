"""Registers in memory: typed views of a mapping.

`memoryview(...).cast("I")[i]` was traced at the bus: one access; so was a view without dimensions. Two ways that were
not taken: assigning through ctypes (as periphery.MMIO does) reads the register before it writes it, which destroys
read-to-clear state; struct.pack_into writes zeros first, and a slice may write twice.

Each access is written out, once per width: a call that they would share costs as much as the access. What is not plain
goes to `_load` and `_store`, which do it in full, or say what is wrong with it.
"""

from __future__ import annotations

import contextlib
import mmap
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal, cast

from uio_workloop.errors import WorkLoopError
from uio_workloop.registers.mapped_pages import MappedPages
from uio_workloop.registers.space import ByteOrder, RegisterSpace, Why

# These bits are not in an offset that is aligned, not negative and below 2^29: one look instead of three. (Beyond 30
# bits, Python's arithmetic is slower.)
STRAY_8: Final = -(1 << 29)
STRAY_16: Final = STRAY_8 | 1
STRAY_32: Final = STRAY_8 | 3
STRAY_64: Final = STRAY_8 | 7

FORMATS: Final[dict[int, Literal["B", "H", "I", "Q"]]] = {8: "B", 16: "H", 32: "I", 64: "Q"}


class Registers(RegisterSpace):
    """A mapped region of registers, in the machine's byte order.

    Args:
        mapping: owned from now on; `MappedPages` where Python's mmap cannot map what is wanted.
        name: for messages: `/dev/uio0 map 0`.
        start, size: where in the mapping the registers are.
        check_present: raises if the device has left, which a mapping does not notice.
    """

    def __init__(
        self,
        mapping: mmap.mmap | MappedPages,
        name: str,
        start: int,
        size: int,
        check_present: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name, size, check_present)
        self._mapping = mapping
        self._why: Why | None = None
        region = memoryview(mapping.buffer if isinstance(mapping, MappedPages) else mapping)[start : start + size]
        self._bytes = region.cast("B")
        self._halves = region[: size - size % 2].cast("H")
        self._words = region[: size - size % 4].cast("I")
        self._quads = region[: size - size % 8].cast("Q")
        self._views: dict[int, memoryview[int]] = {1: self._bytes, 2: self._halves, 4: self._words, 8: self._quads}
        self._cells: dict[tuple[int, int], memoryview[int]] = {}
        self._readers: dict[tuple[int, int], partial[int]] = {}
        self._lock = threading.RLock()  # invalidate() finds every cell; recursive for signals' handlers

    @property
    def byte_order(self) -> ByteOrder:
        return sys.byteorder

    @property
    def unusable(self) -> bool:
        return self._why is not None

    def read8(self, offset: int) -> int:
        try:
            if offset & STRAY_8:
                raise IndexError
            return self._bytes[offset]
        except (IndexError, TypeError, ValueError):
            return self._load(offset, 1)

    def read16(self, offset: int) -> int:
        try:
            if offset & STRAY_16:
                raise IndexError
            return self._halves[offset >> 1]
        except (IndexError, TypeError, ValueError):
            return self._load(offset, 2)

    def read32(self, offset: int) -> int:
        try:
            if offset & STRAY_32:
                raise IndexError
            return self._words[offset >> 2]
        except (IndexError, TypeError, ValueError):
            return self._load(offset, 4)

    def read64(self, offset: int) -> int:
        try:
            if offset & STRAY_64:
                raise IndexError
            return self._quads[offset >> 3]
        except (IndexError, TypeError, ValueError):
            return self._load(offset, 8)

    def write8(self, offset: int, value: int) -> None:
        try:
            if offset & STRAY_8:
                raise IndexError
            self._bytes[offset] = value
        except (IndexError, TypeError, ValueError):
            self._store(offset, 1, value)

    def write16(self, offset: int, value: int) -> None:
        try:
            if offset & STRAY_16:
                raise IndexError
            self._halves[offset >> 1] = value
        except (IndexError, TypeError, ValueError):
            self._store(offset, 2, value)

    def write32(self, offset: int, value: int) -> None:
        try:
            if offset & STRAY_32:
                raise IndexError
            self._words[offset >> 2] = value
        except (IndexError, TypeError, ValueError):
            self._store(offset, 4, value)

    def write64(self, offset: int, value: int) -> None:
        try:
            if offset & STRAY_64:
                raise IndexError
            self._quads[offset >> 3] = value
        except (IndexError, TypeError, ValueError):
            self._store(offset, 8, value)

    def reader(self, offset: int, *, width: int = 32) -> Callable[[], int]:
        with self._lock:
            cell = self._cell("read", offset, width)
            if (offset, width) not in self._readers:
                # Nothing of this is Python code: of a view without dimensions, tolist() is its one value.
                self._readers[offset, width] = partial(cast(Callable[[], int], cell.tolist))
            return self._readers[offset, width]

    def writer(self, offset: int, *, width: int = 32) -> Callable[[int], None]:
        with self._lock:
            cell: memoryview[Any] = self._cell("write", offset, width)
        refuse = partial(self._store, offset, width // 8)

        def write(value: int) -> None:  # each variable from outside costs a little at every call
            try:
                cell[()] = value  # exactly one store
            except (TypeError, ValueError):
                refuse(value)

        return write

    def _cell(self, what: str, offset: int, width: int) -> memoryview[int]:
        """A view of one register, without dimensions: twice as fast as an index."""
        self._check_register(what, offset, width)
        if self._why is not None:
            raise self._why()
        if (offset, width) not in self._cells:
            place = self._bytes[offset : offset + width // 8]
            self._cells[offset, width] = place.cast(FORMATS[width], shape=[])
        return self._cells[offset, width]

    def _load(self, offset: int, width: int) -> int:
        try:
            if offset % width or offset < 0:
                raise IndexError
            return self._views[width][offset // width]
        except ValueError:  # the view was released, before or just now in another thread
            raise self._reason() from None
        except (IndexError, TypeError):
            self._refuse("read", offset, width)

    def _store(self, offset: int, width: int, value: int) -> None:
        try:
            if offset % width or offset < 0:
                raise IndexError
            self._views[width][offset // width] = value  # exactly one store
        except IndexError:
            self._refuse("write", offset, width)
        except (ValueError, TypeError):
            if self._why is not None:
                raise self._reason() from None
            self._check_offset("write", offset, width)
            raise self._misfit(offset, width, value) from None

    def _reason(self) -> WorkLoopError:
        assert self._why is not None, "a view is released only after the reason was set"
        return self._why()

    def _read_no_more(self) -> int:
        raise self._reason()

    def invalidate(self, why: Why) -> None:
        """See `RegisterSpace.invalidate`; the mapping goes."""
        with self._lock:
            if self._why is not None:
                return
            self._why = why
            for read in self._readers.values():  # whoever has one calls something else from now on
                cast(Any, read).__setstate__((self._read_no_more, (), {}, None))
            for view in (*self._cells.values(), *self._views.values()):
                view.release()
            with contextlib.suppress(BufferError):  # a thread is inside a view; the last one out frees the mapping
                self._mapping.close()
