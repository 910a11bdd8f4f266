"""What a layout declares: registers, and fields of their bits. See register_block.py for the whole."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import cached_property
from typing import Any, Generic, Literal, Never, Protocol, Self, TypeVar, overload

from uio_workloop.errors import RegisterError
from uio_workloop.registers.space import RegisterSpace, in_hex

Access = Literal["rw", "ro", "wo", "w1c"]  # w1c: writing a 1 clears the bit, writing a 0 leaves it

MOST_KNOWN = 256  # of a field's members; an IntFlag can have as many as there are numbers

T = TypeVar("T", bound=int)  # int, bool, or an IntEnum or IntFlag


class Block(Protocol):
    """What a register has to know of the block it is in."""

    _space: RegisterSpace
    _offset: int
    _readers: dict[Register, Callable[[], int]]
    _writers: dict[Register, Callable[[int], None]]

    def _label(self, register: Register) -> str: ...


class Register:
    """A register of a `RegisterBlock`: reading the attribute is one bus read, assigning to it one bus write.

    On the class, the attribute is this declaration.

    Args:
        offset: bytes from the start of the block.
        width: in bits: 8, 16, 32 or 64.
        access: "rw", "ro" (assigning raises), "wo" (reading raises), or "w1c" (see `RegisterBlock.clear`).

    Raises (reading and assigning):
        RegisterError: `access` forbids it, or the value does not fit; nothing reached the bus.
        DeviceGoneError, ClosedError: as every access of a `RegisterSpace`.
    """

    def __init__(self, offset: int, *, width: int = 32, access: Access = "rw") -> None:
        self.offset = offset
        self.width = width
        self.access = access
        self.name = ""

    def bit(self, number: int, *, access: Access | None = None) -> Field[bool]:
        """A field of one bit, true or false. Arguments as `bits`."""
        return Field(self, number, number, bool, access)

    @overload
    def bits(self, low: int, high: int, *, access: Access | None = None) -> Field[int]: ...
    @overload
    def bits(self, low: int, high: int, kind: type[T], *, access: Access | None = None) -> Field[T]: ...
    def bits(self, low: int, high: int, kind: type[int] = int, *, access: Access | None = None) -> Field[Any]:
        """A field of the bits `low` to `high`, both included.

        Args:
            kind: what its values are: int, or an IntEnum or IntFlag.
            access: if it is not the register's own: "ro" or "w1c" in a register that is "rw".
        """
        return Field(self, low, high, kind, access)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, block: None, owner: type) -> Self: ...
    @overload
    def __get__(self, block: Block, owner: type) -> int: ...
    def __get__(self, block: Block | None, owner: type) -> int | Self:
        if block is None:
            return self
        try:
            read = block._readers[self]
        except KeyError:
            read = self._reader(block)
        return read()

    def __set__(self, block: Block, value: int) -> None:
        try:
            write = block._writers[self]
        except KeyError:
            write = self._writer(block)
        write(value)

    def _reader(self, block: Block) -> Callable[[], int]:
        """What reads this register, bound at its first use."""
        if self.access == "wo":
            raise RegisterError(f"cannot read {block._label(self)}: it is write-only; keep what you wrote") from None
        read = block._readers[self] = block._space.reader(block._offset + self.offset, width=self.width)
        return read

    def _writer(self, block: Block) -> Callable[[int], None]:
        """What writes this register, bound at its first use."""
        if self.access == "ro":
            raise RegisterError(
                f'cannot write {block._label(self)}: it is read-only; if it is not, declare it "rw"'
            ) from None
        write = block._writers[self] = block._space.writer(block._offset + self.offset, width=self.width)
        return write


class Field(Generic[T]):
    """Some bits of a register; made by `Register.bit` and `Register.bits`.

    Reading the attribute is one read of the register. Assigning to it is refused, because it would hide a read before
    the write: `RegisterBlock.modify` shows it. On the class, the attribute is this declaration.

    Raises (reading):
        RegisterError: the register is write-only, or it holds a number that the field's enumeration has not.
        DeviceGoneError, ClosedError: as every access of a `RegisterSpace`.
    """

    def __init__(self, register: Register, low: int, high: int, kind: type[T], access: Access | None) -> None:
        self.register = register
        self.low = low
        self.high = high
        self.kind = kind
        self.access: Access = access or register.access
        self.name = ""
        self._plain = kind is int
        self._known: dict[int, T] = {}  # members met so far: asking an enumeration takes long

    @cached_property
    def mask(self) -> int:
        """The field's bits, set."""
        return ((1 << self.high - self.low + 1) - 1) << self.low

    def of(self, word: int) -> T:
        """The field in a value of its register that was read before: several fields for one bus access.

        Raises:
            RegisterError: the field's enumeration has no such member.
        """
        number = (word & self.mask) >> self.low
        if self._plain:
            return number  # type: ignore[return-value]  # T is int
        try:
            return self._known[number]
        except KeyError:
            return self._value(number)

    def _value(self, number: int) -> T:
        try:
            value = self.kind(number)
        except ValueError:
            raise RegisterError(
                f"field {self.name} holds {number:#x}, which no {self.kind.__name__} is; add that member, or read the "
                "register and look at the bits"
            ) from None
        if self.kind is bool or (issubclass(self.kind, Enum) and len(self._known) < MOST_KNOWN):
            self._known[number] = value
        return value

    def place(self, value: T) -> int:
        """`value` at the field's place, every other bit 0: add up with `|` what a register is to be assigned.

        Raises:
            RegisterError: it does not fit.
        """
        most = self.mask >> self.low
        if not isinstance(value, int) or not 0 <= value <= most:
            raise RegisterError(
                f"cannot place {in_hex(value)} in field {self.name}: it does not fit bits {self.low} to {self.high}; "
                f"give a whole number from 0 to {most:#x}"
            )
        return int(value) << self.low

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, block: None, owner: type) -> Self: ...
    @overload
    def __get__(self, block: Block, owner: type) -> T: ...
    def __get__(self, block: Block | None, owner: type) -> T | Self:
        if block is None:
            return self
        register = self.register
        try:
            word = block._readers[register]()
        except KeyError:
            word = register.__get__(block, owner)
        return self.of(word)

    def __set__(self, block: Block, value: Never) -> None:
        way_out = f"clear(...{self.name})" if self.access == "w1c" else f"modify({self.name}=...)"
        raise RegisterError(
            f"cannot assign field {self.name} of {block._label(self.register)}: that takes a read before the write; "
            f"say so with {way_out}, or assign the whole register"
        )
