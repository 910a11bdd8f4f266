"""Registers in memory: typed views of a mapping.

`memoryview(...).cast("I")[i]` was traced at the bus: one access. Two ways that were not taken: assigning through
ctypes (as periphery.MMIO does) reads the register before it writes it, which destroys read-to-clear state;
struct.pack_into writes zeros first, and a slice may write twice.
"""

from __future__ import annotations

import contextlib
import mmap
import sys
from collections.abc import Callable

from uio_workloop.errors import WorkLoopError
from uio_workloop.registers.mapped_pages import MappedPages
from uio_workloop.registers.space import ByteOrder, RegisterSpace, Why


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
        self._views: dict[int, memoryview[int]] = {
            1: region.cast("B"),
            2: region[: size - size % 2].cast("H"),
            4: region[: size - size % 4].cast("I"),
            8: region[: size - size % 8].cast("Q"),
        }

    @property
    def byte_order(self) -> ByteOrder:
        return sys.byteorder

    @property
    def unusable(self) -> bool:
        return self._why is not None

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

    def invalidate(self, why: Why) -> None:
        """See `RegisterSpace.invalidate`; the mapping goes."""
        if self._why is None:
            self._why = why
            for view in self._views.values():
                view.release()
            with contextlib.suppress(BufferError):  # a thread is inside a view; the last one out frees the mapping
                self._mapping.close()
