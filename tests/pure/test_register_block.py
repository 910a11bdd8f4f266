"""Declared layouts: what an attribute costs, what is refused, and what is found out as the class is made."""

from __future__ import annotations

import mmap
import os
from enum import IntEnum, IntFlag

import pytest
from routed_registers import RoutedRegisters

from uio_workloop import (
    ClosedError,
    DeadlineExceededError,
    DeviceGoneError,
    Register,
    RegisterBlock,
    RegisterError,
)


class WordLength(IntEnum):
    FIVE, SIX, SEVEN, EIGHT = range(4)


class Mode(IntEnum):
    SLOW, FAST = 1, 2


class Causes(IntFlag):
    RECEIVED, SENT = 1, 2


class Port(RegisterBlock, size=0x20):
    """Made up; the first two share a place, as in a 16550."""

    received = Register(0x00, width=8, access="ro")
    newest = received.bits(0, 3)
    sent = Register(0x00, width=8, access="wo")
    first = sent.bit(0)
    line = Register(0x02, width=16)
    word_length = line.bits(0, 1, WordLength)
    two_stops = line.bit(2)
    divisor = line.bits(8, 15)
    errors = Register(0x04, access="w1c")
    overrun = errors.bit(1)
    framing = errors.bit(3)
    causes = errors.bits(8, 9, Causes)
    mixed = Register(0x08)
    ready = mixed.bit(0, access="ro")
    mode = mixed.bits(4, 5, Mode)
    woken = mixed.bit(30, access="w1c")
    failed = mixed.bit(31, access="w1c")
    ticks = Register(0x10, width=64)


class Logged(RoutedRegisters):
    """Registers that write down every access."""

    def __init__(self) -> None:
        fd = os.memfd_create("registers")
        os.ftruncate(fd, mmap.PAGESIZE)
        super().__init__(mmap.mmap(fd, mmap.PAGESIZE), "card BAR 0", 0, 0x100)
        os.close(fd)
        self.log: list[tuple[object, ...]] = []

    def _load(self, offset: int, width: int) -> int:
        self.log.append(("read", offset, 8 * width))
        return super()._load(offset, width)

    def _store(self, offset: int, width: int, value: int) -> None:
        super()._store(offset, width, value)
        self.log.append(("write", offset, 8 * width, value))


@pytest.fixture
def registers():
    made = Logged()
    yield made
    made.invalidate(lambda: ClosedError("the card is closed"))


@pytest.fixture
def port(registers):
    return Port(registers)


# What it costs


def test_reading_an_attribute_is_one_read_and_assigning_one_write(port, registers):
    port.ticks = 0x1122334455667788
    assert port.ticks == 0x1122334455667788
    port.sent = 0x41
    assert port.received == 0x41
    assert registers.log == [
        ("write", 0x10, 64, 0x1122334455667788),
        ("read", 0x10, 64),
        ("write", 0x00, 8, 0x41),
        ("read", 0x00, 8),
    ]


def test_reading_a_field_is_one_read_of_its_register_and_has_the_fields_type(port, registers):
    port.line = 0xAB07
    registers.log.clear()
    assert port.word_length is WordLength.EIGHT
    assert port.two_stops is True
    assert port.divisor == 0xAB
    assert registers.log == [("read", 0x02, 16)] * 3


def test_several_fields_come_out_of_one_read(port, registers):
    port.errors = 0x102
    registers.log.clear()
    errors = port.errors
    assert (Port.overrun.of(errors), Port.framing.of(errors), Port.causes.of(errors)) == (True, False, Causes.RECEIVED)
    assert registers.log == [("read", 0x04, 32)]


def test_a_register_is_assigned_from_fields_in_one_write(port, registers):
    port.line = Port.word_length.place(WordLength.SEVEN) | Port.divisor.place(12)
    assert registers.log == [("write", 0x02, 16, 0x0C02)]


def test_modifying_is_one_read_and_one_write_and_leaves_the_other_bits(port, registers):
    port.line = 0xAB07
    registers.log.clear()
    port.modify(word_length=WordLength.SIX, two_stops=False)
    assert registers.log == [("read", 0x02, 16), ("write", 0x02, 16, 0xAB01)]


def test_modifying_does_not_clear_what_a_one_would_clear(port, registers):
    port.mixed = 0xC0000011
    registers.log.clear()
    port.modify(mode=Mode.FAST)
    assert registers.log == [("read", 0x08, 32), ("write", 0x08, 32, 0x00000021)]


def test_clearing_writes_only_the_bits_to_be_cleared(port, registers):
    port.clear(Port.framing)
    port.clear(Port.overrun, Port.causes)
    assert registers.log == [("write", 0x04, 32, 0x008), ("write", 0x04, 32, 0x302)]


def test_clearing_beside_bits_that_are_kept_reads_them_before(port, registers):
    port.mixed = 0xC0000011
    registers.log.clear()
    port.clear(Port.woken)
    assert registers.log == [("read", 0x08, 32), ("write", 0x08, 32, 0x40000011)]


def test_a_field_is_waited_for_and_the_whole_register_comes_back(port, registers):
    port.mixed = 0x21
    assert port.wait_until(Port.mode, Mode.FAST, 0) == 0x21
    assert registers.log[1:] == [("read", 0x08, 32)]
    with pytest.raises(DeadlineExceededError) as refused:
        port.wait_until(Port.failed, True, 0)
    assert str(refused.value) == (
        "failed in Port.mixed of card BAR 0 at 0x8 did not become 0x80000000 under mask 0x80000000 within 0 s; "
        "the last read gave 0x21"
    )


def test_a_block_begins_where_it_is_laid(registers):
    second = Port(registers, 0x40)
    second.line = 5
    assert registers.log == [("write", 0x42, 16, 5)]
    assert "Port at 0x40 of <Logged card BAR 0" in repr(second)


def test_a_block_lies_over_the_other_byte_order_too(registers):
    Port(registers.big_endian).line = 0x0102
    assert registers.log == [("write", 0x02, 16, 0x0201)]


def test_a_block_ends_with_its_registers(port, registers):
    registers.invalidate(lambda: DeviceGoneError("the card has left"))
    for access in (lambda: port.line, lambda: port.modify(two_stops=True), lambda: port.clear(Port.overrun)):
        with pytest.raises(DeviceGoneError, match="the card has left"):
            access()


# What is refused


REFUSED = {
    "cannot read Port.sent of card BAR 0 at 0x0: it is write-only": lambda port: port.sent,
    "cannot read Port.sent of card": lambda port: port.first,
    "cannot write Port.received of card BAR 0 at 0x0: it is read-only": lambda port: setattr(port, "received", 1),
    "it does not fit 16 bits": lambda port: setattr(port, "line", 1 << 16),
    r"cannot assign field two_stops of Port.line .* say so with modify\(two_stops=...\)": lambda port: setattr(
        port, "two_stops", True
    ),
    r"cannot assign field overrun of Port.errors .* say so with clear\(...overrun\)": lambda port: setattr(
        port, "overrun", True
    ),
    "cannot place 0x4 in field word_length: it does not fit bits 0 to 1": lambda port: port.modify(word_length=4),
    "cannot place -0x1 in field divisor": lambda port: port.modify(divisor=-1),
    "Port has no field words; there are: newest, first, word_length": lambda port: port.modify(words=1),
    "cannot modify fields of line and mixed of Port in one go": lambda port: port.modify(
        two_stops=True, mode=Mode.FAST
    ),
    "cannot modify fields of no register": lambda port: port.modify(),
    "cannot modify field newest of Port.received .*: it is ro, not rw": lambda port: port.modify(newest=1),
    "cannot modify field first of Port.sent .*: it is wo, not rw": lambda port: port.modify(first=True),
    r"cannot modify field overrun .*: it is w1c, not rw; see clear\(\)": lambda port: port.modify(overrun=True),
    "cannot modify field ready .*: it is ro, not rw": lambda port: port.modify(ready=True),
    "cannot clear field two_stops of Port.line .*: it is rw, not w1c": lambda port: port.clear(Port.two_stops),
    "cannot clear fields of errors and mixed of Port": lambda port: port.clear(Port.overrun, Port.woken),
    "other is no field of Port": lambda port: port.clear(Other.other),
    "other is no field of Port; give it": lambda port: port.wait_until(Other.other, True, 0),
    "overrun is no field of Port": lambda port: port.clear(Other.overrun),
    "cannot wait for first in Port.sent .*: it is write-only": lambda port: port.wait_until(Port.first, True, 0),
}


class Other(RegisterBlock, size=4):
    register = Register(0, access="w1c")
    other = register.bit(0)
    overrun = register.bit(1)


@pytest.mark.parametrize("says", REFUSED)
def test_what_cannot_be_is_refused_before_anything_reaches_the_bus(port, registers, says):
    with pytest.raises(RegisterError, match=says):
        REFUSED[says](port)
    assert registers.log == []


def test_a_number_that_the_enumeration_has_not_is_an_error_that_names_it(port):
    port.mixed = 0x30
    with pytest.raises(RegisterError, match="field mode holds 0x3, which no Mode is"):
        _ = port.mode


def test_a_misspelt_register_is_no_attribute(port, registers):
    with pytest.raises(AttributeError):
        port.tick = 1
    assert registers.log == []


@pytest.mark.parametrize(
    ("offset", "says"), [(0xE8, "its 0x20 bytes reach beyond the 0x100 there are"), (-8, "its 0x20 bytes")]
)
def test_a_block_that_reaches_beyond_the_region_is_refused(registers, offset, says):
    with pytest.raises(RegisterError, match=f"cannot lay Port over card BAR 0 at {offset:#x}: {says}"):
        Port(registers, offset)


def test_a_block_whose_place_misaligns_a_register_is_refused(registers):
    with pytest.raises(RegisterError, match="its widest register needs an offset that 8 divides"):
        Port(registers, 4)


# What the class is checked for


def made(size: int = 0x10, **attributes: object) -> type[RegisterBlock]:
    return type(RegisterBlock)("Made", (RegisterBlock,), attributes, size=size)


BAD_REGISTERS = {
    "Made.b at 0x2 overlaps Made.a at 0x0": {"a": Register(0), "b": Register(2, width=16)},
    "Made.b at 0x3 overlaps Made.a at 0x0": {"a": Register(0), "b": Register(3, width=8)},
    "Made.b at 0x0 overlaps Made.a at 0x3": {"a": Register(3, width=8), "b": Register(0)},
    "Made.b at 0x7 overlaps Made.a at 0x0": {"a": Register(0, width=64), "b": Register(7, width=8)},
    "Made.b at 0x0 overlaps Made.a at 0x0": {"a": Register(0), "b": Register(0)},
    "Made.b at 0x0 overlaps Made.a at 0x4": {"a": Register(4), "b": Register(0, width=64)},
    "Made.b at 0x0 overlaps Made.a": {"a": Register(0, access="ro"), "b": Register(0, access="rw")},
    "Made.b at 0x0 overlaps Made.a at": {"a": Register(0, access="ro"), "b": Register(0, access="w1c")},
    "Made.a at 0x2 is not aligned to its 32 bits": {"a": Register(2)},
    "Made.a at 0x4 is not aligned to its 64 bits": {"a": Register(4, width=64)},
    "Made.a at 0x10 is outside the block's 0x10 bytes": {"a": Register(0x10)},
    "Made.a at -0x4 is outside the block's 0x10 bytes": {"a": Register(-4)},
    "Made.a cannot be 24 bits wide": {"a": Register(0, width=24)},
    "Made.a cannot have the access 'w'; there are: rw, ro, wo, w1c": {"a": Register(0, access="w")},
}


@pytest.mark.parametrize("says", BAD_REGISTERS)
def test_a_register_that_no_device_can_have_is_refused_as_the_class_is_made(says):
    with pytest.raises(RegisterError, match=says):
        made(**BAD_REGISTERS[says])


BAD_FIELDS = {
    "Made.b cannot be bits 30 to 32 of r: give the lowest and the highest of its bits 0 to 31": lambda r: {
        "b": r.bits(30, 32)
    },
    "Made.b cannot be bits 3 to 2 of r": lambda r: {"b": r.bits(3, 2)},
    "Made.b cannot be bits -1 to -1 of r": lambda r: {"b": r.bit(-1)},
    "Made.c overlaps Made.b: a bit of r has one field": lambda r: {"b": r.bits(0, 3), "c": r.bit(3)},
    "Made.b is a field of a register, which the block does not have": lambda r: {"b": Register(4).bit(0)},
    "Made.b is a field of errors, which the block does not have": lambda r: {"b": Port.errors.bit(0)},
    "Made.b cannot hold <WordLength.SEVEN: 2>: it does not fit bits 0 to 0": lambda r: {"b": r.bits(0, 0, WordLength)},
    'Made.b cannot be "wo" in r, which is "rw"': lambda r: {"b": r.bit(0, access="wo")},
    "Made.b cannot have the access 'x'": lambda r: {"b": r.bit(0, access="x")},
}


@pytest.mark.parametrize("says", BAD_FIELDS)
def test_a_field_that_no_register_can_have_is_refused_as_the_class_is_made(says):
    register = Register(0)
    with pytest.raises(RegisterError, match=says):
        made(r=register, **BAD_FIELDS[says](register))


def test_a_field_of_a_read_only_register_cannot_be_cleared():
    register = Register(0, access="ro")
    with pytest.raises(RegisterError, match=r'Made.b cannot be "w1c" in r, which is "ro"'):
        made(r=register, b=register.bit(0, access="w1c"))


def test_registers_may_be_declared_in_any_order_and_leave_holes():
    block = made(last=Register(0x0C), first=Register(0x00, width=8), middle=Register(0x06, width=16))
    assert block.size == 0x10


def test_a_layout_adds_to_another():
    class Longer(Port, size=0x30):
        more = Register(0x20)

    assert (Longer.size, Port.size) == (0x30, 0x20)
    assert Longer.ticks is Port.ticks
    with pytest.raises(RegisterError, match=r"Wrong.more at 0x8 overlaps Wrong.mixed at 0x8"):
        type(Port)("Wrong", (Port,), {"more": Register(0x08)}, size=0x30)


def test_an_enumeration_hands_out_its_members_however_often_it_is_asked():
    for _ in range(2):
        assert Port.word_length.of(0b11) is WordLength.EIGHT
        assert Port.causes.of(0x300) == Causes.RECEIVED | Causes.SENT
        assert Port.two_stops.of(0x4) is True
        with pytest.raises(RegisterError, match="field mode holds 0x3, which no Mode is"):
            Port.mode.of(0x30)
