"""Declared layouts: a block of registers as a class, its registers and their fields as attributes.

    class DummyBlock(RegisterBlock, size=0x10):
        status = Register(0x00, access="w1c")
        pending = status.bit(0)
        mask = Register(0x04)
        period_ns = Register(0x08, width=64)

    dummy = DummyBlock(device.map(0))
    dummy.period_ns = 1_000_000              # one write
    if dummy.pending:                        # one read
        dummy.clear(DummyBlock.pending)      # one write, of that bit only

What costs one bus access looks like an attribute; what costs two is a call: `modify`. The class is checked as it is
made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from uio_workloop.errors import RegisterError
from uio_workloop.registers.layout_check import check_layout
from uio_workloop.registers.register import Field, Register
from uio_workloop.registers.space import RegisterSpace

T = TypeVar("T", bound=int)
D = TypeVar("D")


class _WithoutOtherAttributes(type):
    """Blocks have no instance dictionary: a misspelt register must not become an attribute that no bus ever sees."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **arguments: Any
    ) -> _WithoutOtherAttributes:
        namespace.setdefault("__slots__", ())
        return super().__new__(mcs, name, bases, namespace, **arguments)


class RegisterBlock(metaclass=_WithoutOtherAttributes):
    """A layout of registers, declared by a subclass, over a region of registers.

        class Card(RegisterBlock, size=0x100): ...

    The class is checked as it is made; see `check_layout`. A read-only and a write-only register may share a place, as
    they do in a 16550. A subclass of a layout adds to it.

    Args:
        space: `card.bar(0)`, `device.map(0)`, or `.big_endian` of these.
        offset: where in `space` the block begins, for devices that have several.

    Context: as `RegisterSpace`; `modify` and `clear` are not atomic: do it under the gate.
    Raises (construction):
        RegisterError: `space` is too small, or `offset` misaligns a register.
    """

    __slots__ = ("_offset", "_readers", "_space", "_writers")

    size: ClassVar[int] = 0
    _fields: ClassVar[Mapping[str, Field[Any]]] = MappingProxyType({})
    _alignment: ClassVar[int] = 1

    def __init_subclass__(cls, *, size: int) -> None:
        super().__init_subclass__()
        registers = _declared(cls, Register)
        fields: dict[str, Field[Any]] = _declared(cls, Field)
        check_layout(cls.__name__, size, registers, fields)
        cls.size = size
        cls._fields = MappingProxyType(fields)
        cls._alignment = max((register.width // 8 for register in registers.values()), default=1)

    def __init__(self, space: RegisterSpace, offset: int = 0) -> None:
        name = type(self).__name__
        if not isinstance(space, RegisterSpace):
            raise RegisterError(
                f"cannot lay {name} over {space!r}: give registers, such as card.bar(0) or device.map(0)"
            )
        if type(offset) is not int:
            raise RegisterError(
                f"cannot lay {name} over {space.name} at {offset!r}: an offset is a whole number of bytes"
            )
        if offset < 0 or offset + self.size > space.size:
            raise RegisterError(
                f"cannot lay {name} over {space.name} at {offset:#x}: "
                f"its {self.size:#x} bytes reach beyond the {space.size:#x} there are"
            )
        if offset % self._alignment:
            raise RegisterError(
                f"cannot lay {name} over {space.name} at {offset:#x}: its widest register needs an offset that "
                f"{self._alignment} divides"
            )
        self._space = space
        self._offset = offset
        self._readers: dict[Register, Callable[[], int]] = {}
        self._writers: dict[Register, Callable[[int], None]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self._offset:#x} of {self._space!r}>"

    def modify(self, /, **values: int) -> None:
        """Change fields of one register, named as on the class: one read, one write; its other bits stay.

        Bits of the register that writing a 1 would clear are written 0, so they stay, too.

        Raises:
            RegisterError: no such field, fields of several registers or none, a field that cannot be read and written,
                or a value that does not fit; nothing reached the bus.
        """
        fields = [self._field_named(name) for name in values]
        register = self._common_register("modify", fields)
        for field in fields:
            if field.access != "rw":
                way_out = "; see clear()" if field.access == "w1c" else ""
                raise RegisterError(
                    f"cannot modify field {field.name} of {self._label(register)}: "
                    f"it is {field.access}, not rw{way_out}"
                )
        bits = 0
        for field in fields:
            bits |= field.place(values[field.name])
        self._replace(register, _mask(fields), bits)

    def clear(self, *fields: Field[Any]) -> None:
        """Clear fields of one register by writing 1 to their bits, and to those only: one write.

        Of a register that is "rw" but for these fields, the rest is read before, and written back.

        Args:
            fields: as the class has them: `Card.overrun`.

        Raises:
            RegisterError: fields of several registers or none, of another block, or not "w1c"; nothing reached the bus.
        """
        for field in fields:
            self._check_mine(field)
        register = self._common_register("clear", fields)
        for field in fields:
            if field.access != "w1c":
                raise RegisterError(
                    f"cannot clear field {field.name} of {self._label(register)}: "
                    f"it is {field.access}, not w1c; see modify()"
                )
        bits = _mask(fields)
        if register.access == "w1c":
            register.__set__(self, bits)
        else:
            self._replace(register, bits, bits)

    def wait_until(self, field: Field[T], value: T, timeout_ns: int) -> int:
        """Read a field's register until the field is `value`; returns what was read of the register then.

        See `RegisterSpace.wait_until`.

        Args:
            field: as the class has it: `Card.ready`.
        """
        self._check_mine(field)
        register = field.register
        label = f"{field.name} in {self._label(register)}"
        if register.access == "wo":
            raise RegisterError(f"cannot wait for {label}: it is write-only; wait for another that tells")
        offset = self._offset + register.offset
        return self._space._wait(label, offset, field.mask, field.place(value), timeout_ns, register.width)

    def _replace(self, register: Register, mask: int, bits: int) -> None:
        clearing = _mask(each for each in self._fields.values() if each.register is register and each.access == "w1c")
        word = register.__get__(self, type(self))
        register.__set__(self, word & ~mask & ~clearing | bits)

    def _field_named(self, name: str) -> Field[Any]:
        if name in self._fields:
            return self._fields[name]
        there_are = ", ".join(self._fields) or "none"
        raise RegisterError(f"{type(self).__name__} has no field {name}; there are: {there_are}")

    def _check_mine(self, field: Field[Any]) -> None:
        block = type(self).__name__
        if not isinstance(field, Field) or self._fields.get(field.name) is not field:
            known = next(iter(self._fields), "...")
            raise RegisterError(f"{_named(field)} is no field of {block}; give it as the class has it: {block}.{known}")

    def _common_register(self, what: str, fields: Sequence[Field[Any]]) -> Register:
        registers = list(dict.fromkeys(field.register for field in fields))
        if len(registers) == 1:
            return registers[0]
        named = " and ".join(register.name for register in registers) or "no register"
        raise RegisterError(
            f"cannot {what} fields of {named} of {type(self).__name__} in one go: "
            "give fields of one register in each call"
        )

    def _label(self, register: Register) -> str:
        """What messages call a register."""
        return f"{type(self).__name__}.{register.name} of {self._space.name} at {self._offset + register.offset:#x}"


def _named(field: object) -> str:
    return field.name if isinstance(field, Register | Field) else repr(field)


def _mask(fields: Iterable[Field[Any]]) -> int:
    mask = 0
    for field in fields:
        mask |= field.mask
    return mask


def _declared(block: type, kind: type[D]) -> dict[str, D]:
    """The attributes of that kind, of the class and what it derives from, by name."""
    found = {name: each for base in reversed(block.__mro__) for name, each in vars(base).items()}
    return {name: each for name, each in found.items() if isinstance(each, kind)}
