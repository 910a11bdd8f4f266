"""What a region of device registers offers, whichever way its accesses take to the bus."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Literal, NoReturn

from uio_workloop.clock import MILLISECOND_NS, SECOND_NS, Deadline, monotonic_ns
from uio_workloop.errors import BadArgumentError, DeadlineExceededError, RegisterError, WorkLoopError

ByteOrder = Literal["little", "big"]
Why = Callable[[], WorkLoopError]

WIDTHS = (8, 16, 32, 64)

# A pause is an eighth of the time waited so far: what happens soon is seen soon, what takes long costs few looks.
PAUSE_DIVISOR = 8
SHORTEST_PAUSE_NS = 10_000  # below it, a sleep takes as long anyway
LONGEST_PAUSE_NS = 10 * MILLISECOND_NS


class RegisterSpace(ABC):
    """A region of device registers, addressed in bytes from its start.

    Every call is one access of the stated width, and nothing else on the bus; bounds, natural alignment and the value
    are checked before anything reaches it.

    Context: any thread; who writes what when is the driver's business: do it under the gate.
    Raises (every access):
        RegisterError: outside the region, misaligned, or a value wider than the register.
        DeviceGoneError: the device has left; what was its registers is not any more.
        ClosedError: the device was closed.
    """

    def __init__(self, name: str, size: int, check_present: Callable[[], None] = lambda: None) -> None:
        self._name = name
        self._size = size
        self._check_present = check_present  # raises if the device has left although reads go through

    def __repr__(self) -> str:
        usable = "unusable" if self.unusable else f"{self.byte_order} endian"
        return f"<{type(self).__name__} {self._name}, {self._size:#x} bytes, {usable}>"

    @property
    def name(self) -> str:
        """For messages: `0000:00:04.0 BAR 0`."""
        return self._name

    @property
    def size(self) -> int:
        """Bytes in the region."""
        return self._size

    def read8(self, offset: int) -> int:
        """Read one byte."""
        return self._load(offset, 1)

    def read16(self, offset: int) -> int:
        """Read 16 bits."""
        return self._load(offset, 2)

    def read32(self, offset: int) -> int:
        """Read 32 bits."""
        return self._load(offset, 4)

    def read64(self, offset: int) -> int:
        """Read 64 bits; on a 32-bit processor in two accesses. I/O ports have no such access: RegisterError."""
        return self._load(offset, 8)

    def write8(self, offset: int, value: int) -> None:
        """Write one byte."""
        self._store(offset, 1, value)

    def write16(self, offset: int, value: int) -> None:
        """Write 16 bits."""
        self._store(offset, 2, value)

    def write32(self, offset: int, value: int) -> None:
        """Write 32 bits."""
        self._store(offset, 4, value)

    def write64(self, offset: int, value: int) -> None:
        """Write 64 bits; on a 32-bit processor in two accesses. I/O ports have no such access: RegisterError."""
        self._store(offset, 8, value)

    def read8_repeatedly(self, offset: int, count: int) -> bytes:
        """Read one byte `count` times, one access each: what is in a FIFO, behind its one register.

        Costs less than as many calls of `read8`, in I/O ports less than half.

        Raises:
            DeviceGoneError: it left meanwhile; what was read before is lost with it.
        IOKit: none; Linux has ioread8_rep.
        """
        return bytes(islice(iter(self.reader(offset, width=8), None), count))

    def write8_repeatedly(self, offset: int, data: bytes) -> None:
        """Write these bytes to one register, one access each: fill a FIFO. See `read8_repeatedly`."""
        write = self.writer(offset, width=8)
        for byte in data:
            write(byte)

    def reader(self, offset: int, *, width: int = 32) -> Callable[[], int]:
        """A function that reads one register: bound once, when a driver starts, for what its actions read often.

        The offset is checked here and not at every call; in memory a call costs little more than an index.

        Args:
            width: of the register, in bits.

        Raises (the function): as every access.
        IOKit: none; Linux has regmap fields.
        """
        self._check_register("read", offset, width)
        return partial(self._load, offset, width // 8)

    def writer(self, offset: int, *, width: int = 32) -> Callable[[int], None]:
        """A function that writes one register; the value is checked at every call. See `reader`."""
        self._check_register("write", offset, width)
        return partial(self._store, offset, width // 8)

    def wait_until(self, offset: int, mask: int, value: int, timeout_ns: int, *, width: int = 32) -> int:
        """Read a register until its bits under `mask` are `value`; returns what was read then.

        Reads at least once, and once more after the time is over, however late that is. Sleeps in between.

        Args:
            mask, value: done when `read & mask == value`.
            timeout_ns: how long to wait; 0 only looks.
            width: of the register, in bits.

        Context: any thread, which is kept waiting; under the gate everybody else is, too.
        Raises:
            DeadlineExceededError: it did not happen in time; the sentence has what was read last.
            BadArgumentError: `timeout_ns` is negative, `value` has bits that `mask` has not, or one is no whole number.
            RegisterError, DeviceGoneError, ClosedError: as every access; also if it happens during the wait, whoever
                else has noticed.
        """
        return self._wait(f"{self._name} at {in_hex(offset)}", offset, mask, value, timeout_ns, width)

    def _wait(self, label: str, offset: int, mask: int, value: int, timeout_ns: int, width: int) -> int:
        """See `wait_until`; `label` is what messages call the register."""
        _check_width(f"wait for {label}", width)
        if not isinstance(timeout_ns, int) or timeout_ns < 0:  # not a number would never be over
            raise BadArgumentError(
                f"cannot wait {timeout_ns!r} ns for {label}: a timeout is a whole number of nanoseconds, 0 or more"
            )
        if not (isinstance(mask, int) and isinstance(value, int)) or mask >> width or value & ~mask:
            raise BadArgumentError(
                f"cannot wait for {label} to be {in_hex(value)} under mask {in_hex(mask)}: it never will be; "
                f"give a mask of {width} bits at most, and a value that has no others"
            )
        began_ns = monotonic_ns()
        deadline = Deadline.after(timeout_ns)
        while True:
            expired = deadline.expired  # asked before the read, so that the last read is after the deadline
            seen = self._load(offset, width // 8)
            if seen & mask == value:
                return seen
            self._check_present()
            if expired:
                raise DeadlineExceededError(
                    f"{label} did not become {value:#x} under mask {mask:#x} within {timeout_ns / SECOND_NS:g} s; "
                    f"the last read gave {seen:#x}"
                )
            pause_ns = (monotonic_ns() - began_ns) // PAUSE_DIVISOR
            pause_ns = min(max(pause_ns, SHORTEST_PAUSE_NS), LONGEST_PAUSE_NS, deadline.remaining_ns)
            time.sleep(pause_ns / SECOND_NS)

    @property
    def little_endian(self) -> RegisterSpace:
        """The same registers, values read and written as little endian ones."""
        return self if self.byte_order == "little" else SwappedRegisters(self)

    @property
    def big_endian(self) -> RegisterSpace:
        """The same registers, values read and written as big endian ones."""
        return self if self.byte_order == "big" else SwappedRegisters(self)

    @property
    @abstractmethod
    def byte_order(self) -> ByteOrder:
        """How bytes make a value here: "little" or "big"."""

    @property
    @abstractmethod
    def unusable(self) -> bool:
        """Whether it was invalidated: the device has left or was closed."""

    @abstractmethod
    def invalidate(self, why: Why) -> None:
        """Let go of the region; every access from now on raises what `why` makes. The first reason stays.

        Context: any thread.
        """

    @abstractmethod
    def _load(self, offset: int, width: int) -> int:
        """Read `width` bytes in one access. For this package: what all reads come down to."""

    @abstractmethod
    def _store(self, offset: int, width: int, value: int) -> None:
        """Write `width` bytes in one access. For this package: what all writes come down to."""

    def _refuse(self, what: str, offset: int, width: int) -> NoReturn:
        bits = 8 * width
        if not isinstance(offset, int):
            why = "an offset is a whole number of bytes"
        elif offset % width:
            why = f"the offset is not aligned; {bits} bits need one that {width} divides"
        elif self._size < width:
            why = f"it has no more than {self._size:#x} bytes"
        else:
            why = f"the offset is outside its {self._size:#x} bytes; the last {bits} are at {self._last(width):#x}"
        raise RegisterError(f"cannot {what} {bits} bits of {self._name} at {in_hex(offset)}: {why}") from None

    def _last(self, width: int) -> int:
        return (self._size - width) // width * width

    def _misfit(self, offset: int, width: int, value: int) -> RegisterError:
        bits = 8 * width
        return RegisterError(
            f"cannot write {in_hex(value)} to {self._name} at {in_hex(offset)}: it does not fit {bits} bits; "
            f"give a whole number from 0 to {(1 << bits) - 1:#x}"
        )

    def _check_offset(self, what: str, offset: int, width: int) -> None:
        if not isinstance(offset, int) or offset % width or not 0 <= offset <= self._size - width:
            self._refuse(what, offset, width)

    def _check_register(self, what: str, offset: int, width: int) -> None:
        """Refuse what is no register here; the width in bits."""
        _check_width(f"{what} {self._name} at {in_hex(offset)}", width)
        self._check_offset(what, offset, width // 8)

    def _check_fits(self, offset: int, width: int, value: int) -> None:
        if not isinstance(value, int) or value < 0 or value >> 8 * width:
            raise self._misfit(offset, width, value)


def _check_width(attempt: str, width: int) -> None:
    if type(width) is not int or width not in WIDTHS:
        raise RegisterError(f"cannot {attempt}: it cannot be {width!r} bits wide, only 8, 16, 32 or 64")


def in_hex(number: object) -> str:
    """For messages; what is no number at all, as it is."""
    return f"{number:#x}" if isinstance(number, int) else repr(number)


class SwappedRegisters(RegisterSpace):
    """Registers in the other byte order: one access of the underlying ones, its bytes swapped on this side."""

    def __init__(self, underlying: RegisterSpace) -> None:
        super().__init__(underlying.name, underlying.size, underlying._check_present)
        self._underlying = underlying

    @property
    def byte_order(self) -> ByteOrder:
        return "big" if self._underlying.byte_order == "little" else "little"

    @property
    def little_endian(self) -> RegisterSpace:
        return self if self.byte_order == "little" else self._underlying

    @property
    def big_endian(self) -> RegisterSpace:
        return self if self.byte_order == "big" else self._underlying

    @property
    def unusable(self) -> bool:
        return self._underlying.unusable

    def invalidate(self, why: Why) -> None:
        self._underlying.invalidate(why)

    def _check_offset(self, what: str, offset: int, width: int) -> None:
        self._underlying._check_offset(what, offset, width)

    def _load(self, offset: int, width: int) -> int:
        return _swapped(self._underlying._load(offset, width), width)

    def _store(self, offset: int, width: int, value: int) -> None:
        self._check_fits(offset, width, value)
        self._underlying._store(offset, width, _swapped(value, width))


def _swapped(value: int, width: int) -> int:
    return int.from_bytes(value.to_bytes(width, "little"), "big")
