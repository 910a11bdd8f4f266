"""Whether a declared layout can be one: the rules, each with its sentence."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from itertools import combinations
from typing import Any, get_args

from uio_workloop.errors import RegisterError
from uio_workloop.registers.register import Access, Field, Register
from uio_workloop.registers.space import WIDTHS


def check_layout(block: str, size: int, registers: Mapping[str, Register], fields: Mapping[str, Field[Any]]) -> None:
    """Refuse a layout that no device can have.

    Raises:
        RegisterError: a width there is not; a register misaligned, beyond `size` or over another; a field beyond its
            register, over another, of a register that the block has not, or with members that do not fit it.
    """
    if type(size) is not int or size < 0:
        raise RegisterError(f"{block} cannot have a size of {size!r}: it is a whole number of bytes")
    for name, register in registers.items():
        _check_register(f"{block}.{name}", size, register)
    for (first, one), (second, other) in combinations(registers.items(), 2):
        if _overlap(one, other):
            raise RegisterError(
                f"{block}.{second} at {other.offset:#x} overlaps {block}.{first} at {one.offset:#x}; "
                'only an "ro" and a "wo" register may share a place'
            )
    for name, field in fields.items():
        _check_field(f"{block}.{name}", field, registers)
    for (first, one_field), (second, other_field) in combinations(fields.items(), 2):
        if one_field.register is other_field.register and one_field.mask & other_field.mask:
            raise RegisterError(
                f"{block}.{second} overlaps {block}.{first}: a bit of {one_field.register.name} has one field"
            )


def _check_register(label: str, size: int, register: Register) -> None:
    if type(register.width) is not int or register.width not in WIDTHS:
        raise RegisterError(f"{label} cannot be {register.width!r} bits wide: a register has 8, 16, 32 or 64")
    if type(register.offset) is not int:
        raise RegisterError(f"{label} cannot be at {register.offset!r}: an offset is a whole number of bytes")
    _check_access(label, register.access)
    width = register.width // 8
    if register.offset % width:
        raise RegisterError(
            f"{label} at {register.offset:#x} is not aligned to its {register.width} bits; {width} has to divide it"
        )
    if not 0 <= register.offset <= size - width:
        raise RegisterError(
            f"{label} at {register.offset:#x} is outside the block's {size:#x} bytes; give the block a larger size"
        )


def _check_access(label: str, access: str) -> None:
    if access not in get_args(Access):
        raise RegisterError(f"{label} cannot have the access {access!r}; there are: {', '.join(get_args(Access))}")


def _overlap(one: Register, other: Register) -> bool:
    if {one.access, other.access} == {"ro", "wo"}:  # one for reading, another for writing: never met on the bus
        return False
    return one.offset < other.offset + other.width // 8 and other.offset < one.offset + one.width // 8


def _check_field(label: str, field: Field[Any], registers: Mapping[str, Register]) -> None:
    register = field.register
    if registers.get(register.name) is not register:
        raise RegisterError(
            f"{label} is a field of {register.name or 'a register'}, which the block does not have; declare both in it"
        )
    if not (type(field.low) is type(field.high) is int and 0 <= field.low <= field.high < register.width):
        raise RegisterError(
            f"{label} cannot be bits {field.low!r} to {field.high!r} of {register.name}: "
            f"give the lowest and the highest of its bits 0 to {register.width - 1}"
        )
    if not (isinstance(field.kind, type) and issubclass(field.kind, int)):
        raise RegisterError(f"{label} cannot be read as {field.kind!r}: take int, bool, or an IntEnum or IntFlag")
    _check_access(label, field.access)
    if field.access != register.access and (register.access, field.access) not in (("rw", "ro"), ("rw", "w1c")):
        raise RegisterError(
            f'{label} cannot be "{field.access}" in {register.name}, which is "{register.access}"; '
            'a field differs from its register as "ro" or "w1c" in one that is "rw"'
        )
    if issubclass(field.kind, Enum):
        for member in field.kind:
            if member.value < 0 or member.value >> field.high - field.low + 1:
                raise RegisterError(
                    f"{label} cannot hold {member!r}: it does not fit bits {field.low} to {field.high}; "
                    "give the field the bits that its values need"
                )
