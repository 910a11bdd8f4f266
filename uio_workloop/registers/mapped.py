"""Registers of a device: typed views of its mapping; one bus access of the stated width, and nothing else on the bus.

`memoryview(...).cast("I")[i]` was traced at the bus: one access. Two ways that were not taken: assigning through
ctypes (as periphery.MMIO does) reads the register before it writes it, which destroys read-to-clear state;
struct.pack_into writes zeros first, and a slice may write twice.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Callable
from typing import NoReturn

from uio_workloop.errors import RegisterError, WorkLoopError


class Registers:
    """A region of device registers, addressed in bytes from its start, in the machine's byte order.

    Every access is checked for bounds and natural alignment before anything reaches the bus.

    Args:
        mapping: owned from now on.
        name: for messages: `/dev/uio0 map 0`.
        start, size: where in the mapping the registers are.

    Context: any thread; who writes what when is the driver's business: do it under the gate.
    Raises (every access):
        RegisterError: outside the region, misaligned, or a value wider than the register.
        DeviceGoneError: the device has left; what is still mapped is not its registers any more.
        ClosedError: the device was closed.
    """

    def __init__(self, mapping: mmap.mmap, name: str, start: int, size: int) -> None:
        self._mapping = mapping
        self._name = name
        self._size = size
        self._unusable: Callable[[], WorkLoopError] | None = None
        region = memoryview(mapping)[start : start + size]
        self._8 = region.cast("B")
        self._16 = region[: size - size % 2].cast("H")
        self._32 = region[: size - size % 4].cast("I")
        self._64 = region[: size - size % 8].cast("Q")

    def __repr__(self) -> str:
        return f"<Registers {self._name}, {self._size:#x} bytes{', unusable' if self._unusable else ''}>"

    @property
    def size(self) -> int:
        """Bytes in the region."""
        return self._size

    def read8(self, offset: int) -> int:
        """Read one byte."""
        return self._read(self._8, offset, 1)

    def read16(self, offset: int) -> int:
        """Read 16 bits."""
        return self._read(self._16, offset, 2)

    def read32(self, offset: int) -> int:
        """Read 32 bits."""
        return self._read(self._32, offset, 4)

    def read64(self, offset: int) -> int:
        """Read 64 bits; on a 32-bit processor in two accesses."""
        return self._read(self._64, offset, 8)

    def write8(self, offset: int, value: int) -> None:
        """Write one byte."""
        self._write(self._8, offset, 1, value)

    def write16(self, offset: int, value: int) -> None:
        """Write 16 bits."""
        self._write(self._16, offset, 2, value)

    def write32(self, offset: int, value: int) -> None:
        """Write 32 bits."""
        self._write(self._32, offset, 4, value)

    def write64(self, offset: int, value: int) -> None:
        """Write 64 bits; on a 32-bit processor in two accesses."""
        self._write(self._64, offset, 8, value)

    def _read(self, view: memoryview[int], offset: int, width: int) -> int:
        if offset % width or offset < 0:
            self._refuse("read", offset, width)
        try:
            return view[offset // width]
        except IndexError:
            self._refuse("read", offset, width)
        except ValueError:  # the view was released, before or just now in another thread
            raise self._why_unusable() from None

    def _write(self, view: memoryview[int], offset: int, width: int, value: int) -> None:
        if offset % width or offset < 0:
            self._refuse("write", offset, width)
        try:
            view[offset // width] = value  # exactly one store
        except IndexError:
            self._refuse("write", offset, width)
        except ValueError:
            if self._unusable is None:
                raise RegisterError(
                    f"cannot write {value:#x} to {self._name} at {offset:#x}: it does not fit {8 * width} bits"
                ) from None
            raise self._why_unusable() from None

    def _refuse(self, what: str, offset: int, width: int) -> NoReturn:
        why = "is not aligned" if offset % width else f"is outside its {self._size:#x} bytes"
        raise RegisterError(f"cannot {what} {8 * width} bits of {self._name} at {offset:#x}: the offset {why}")

    def _why_unusable(self) -> WorkLoopError:
        assert self._unusable is not None, "a view is released only after the reason was set"
        return self._unusable()

    def invalidate(self, why: Callable[[], WorkLoopError]) -> None:
        """Drop the mapping; every access from now on raises what `why` makes. The first reason stays.

        Context: any thread.
        """
        if self._unusable is None:
            self._unusable = why
            for view in (self._8, self._16, self._32, self._64):
                view.release()
            with contextlib.suppress(BufferError):  # a thread is inside a view; the last one out frees the mapping
                self._mapping.close()
