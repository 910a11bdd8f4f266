"""One bus access of the stated width per call, as the emulator saw it, for every width and both ways to the bus.

The cards: rtl8139 takes 8, 16 and 32 bits, in memory and as I/O ports, edu 32 and 64. QEMU passes them as they come.
"""

from __future__ import annotations

import ctypes
import mmap
import os

import pytest
from lab_bus_trace import Access, bus_trace

from uio_workloop import ClosedError, DeviceGoneError, PortRegisters, Register, RegisterBlock, Registers
from uio_workloop.registers import MappedPages
from uio_workloop.testing.lab import guest

SLOT = "10"
BOUND = [(0x09, 8), (0x0A, 16), (0x0C, 32)]  # offset and width, in the multicast filter of rtl8139: plain storage

pytestmark = pytest.mark.timeout(120)


class Nic(RegisterBlock, size=0x100):
    """Source: RTL8139D(L) datasheet, section 5."""

    multicast = Register(0x0C, width=32)
    first_byte = multicast.bits(0, 7)
    last_bit = multicast.bit(31)
    interrupt_status = Register(0x3E, width=16, access="w1c")
    link_changed = interrupt_status.bit(5)


class Edu(RegisterBlock, size=0x98):
    """Source: docs/specs/edu.rst of QEMU."""

    liveness = Register(0x04)
    dma_source = Register(0x80, width=64)


def bar_base(address: str, index: int) -> int:
    with open(f"/sys/bus/pci/devices/{address}/resource") as file:
        return int(file.read().splitlines()[index].split()[0], 16)


def open_bar(address: str, index: int) -> int:
    return os.open(f"/sys/bus/pci/devices/{address}/resource{index}", os.O_RDWR | os.O_CLOEXEC)


@pytest.fixture
def edu_trace(cards):
    return lambda: bus_trace("edu-mmio", bar_base(cards[0].address, 0))


@pytest.fixture
def nic():
    address = guest.plug("rtl8139", "traced", SLOT)
    yield address
    if os.path.exists(f"/sys/bus/pci/devices/{address}"):
        guest.unplug("traced")


@pytest.fixture
def nic_trace(nic):
    return lambda: bus_trace("rtl8139", bar_base(nic, 0))  # its memory is an alias of its ports, and traced as these


@pytest.fixture
def ports(nic):
    registers = PortRegisters(open_bar(nic, 0), f"{nic} BAR 0", 0x100)
    yield registers
    registers.invalidate(lambda: ClosedError("the card is closed"))


@pytest.fixture
def memory(nic):
    fd = open_bar(nic, 1)
    registers = Registers(MappedPages(fd, 0x100), f"{nic} BAR 1", bar_base(nic, 1) % mmap.PAGESIZE, 0x100)
    os.close(fd)
    yield registers
    registers.invalidate(lambda: ClosedError("the card is closed"))


@pytest.mark.parametrize("kind", ["memory", "ports"])
def test_8_16_and_32_bits_are_accessed_once_per_call_in_that_width(kind, request, nic_trace, show):
    registers = request.getfixturevalue(kind)
    with nic_trace() as seen:
        registers.write8(0x09, 0x55)  # 0x08 to 0x0f are the multicast filter: eight bytes of plain storage
        read8 = registers.read8(0x09)
        registers.write16(0x0A, 0x6677)
        read16 = registers.read16(0x0A)
        registers.write32(0x0C, 0x8899AABB)
        read32 = registers.read32(0x0C)
    assert seen == [
        Access("write", 0x09, 8, 0x55),
        Access("read", 0x09, 8, read8),
        Access("write", 0x0A, 16, 0x6677),
        Access("read", 0x0A, 16, read16),
        Access("write", 0x0C, 32, 0x8899AABB),
        Access("read", 0x0C, 32, read32),
    ]
    assert (read8, read16, read32) == (0x55, 0x6677, 0x8899AABB)
    show(f"bus trace, rtl8139 {kind}: 6 calls = {len(seen)} accesses, of 8, 16 and 32 bits as called")


@pytest.mark.parametrize("kind", ["memory", "ports"])
def test_a_repeated_access_is_one_of_8_bits_for_each_byte(kind, request, nic_trace):
    registers = request.getfixturevalue(kind)
    with nic_trace() as seen:
        registers.write8_repeatedly(0x09, b"\x11\x22")
        read = registers.read8_repeatedly(0x09, 2)
    assert seen == [
        Access("write", 0x09, 8, 0x11),
        Access("write", 0x09, 8, 0x22),
        Access("read", 0x09, 8, 0x22),
        Access("read", 0x09, 8, 0x22),
    ]
    assert read == b"\x22\x22"


@pytest.mark.parametrize("kind", ["memory", "ports"])
def test_what_is_bound_makes_one_access_of_its_width_per_call(kind, request, nic_trace):
    registers = request.getfixturevalue(kind)
    bound = [(registers.reader(at, width=bits), registers.writer(at, width=bits)) for at, bits in BOUND]
    with nic_trace() as seen:
        for read, write in bound:
            write(0x55)
            assert read() == 0x55
    assert seen == [Access(what, at, bits, 0x55) for at, bits in BOUND for what in ("write", "read")]


def test_what_is_bound_makes_one_access_of_64_bits_per_call(cards, edu_trace):
    registers = cards[0].bar(0)
    read, write = registers.reader(0x80, width=64), registers.writer(0x80, width=64)
    with edu_trace() as seen:
        write(0x1122334455667788)
        assert read() == 0x1122334455667788
    assert [(access.what, access.bits) for access in seen] == [("write", 64), ("read", 64)]


def test_32_and_64_bits_are_accessed_once_per_call_in_that_width(cards, edu_trace, show):
    registers = cards[0].bar(0)
    with edu_trace() as seen:
        registers.write32(0x04, 0x12345678)
        read32 = registers.read32(0x04)
        registers.write64(0x80, 0x1122334455667788)
        read64 = registers.read64(0x80)
    assert seen == [
        Access("write", 0x04, 32, 0x12345678),
        Access("read", 0x04, 32, read32),
        Access("write", 0x80, 64, 0x1122334455667788),
        Access("read", 0x80, 64, read64),
    ]
    assert (read32, read64) == (0xEDCBA987, 0x1122334455667788)
    show(f"bus trace, edu memory: 4 calls = {len(seen)} accesses, of 32 and 64 bits as called")


def test_the_other_byte_order_costs_no_more_accesses(cards, edu_trace):
    registers = cards[0].bar(0).big_endian
    with edu_trace() as seen:
        registers.write64(0x80, 0x1122334455667788)
        assert registers.read32(0x80) == 0x11223344
    assert seen == [Access("write", 0x80, 64, 0x8877665544332211), Access("read", 0x80, 32, 0x44332211)]


def test_refused_accesses_do_not_reach_the_bus(cards, edu_trace):
    registers = cards[0].bar(0)
    with edu_trace() as seen:
        for refused in (
            lambda: registers.read32(0x02),
            lambda: registers.write32(0x04, 1 << 32),
            lambda: registers.write64(registers.size, 0),
            lambda: setattr(Edu(registers), "liveness", -1),
            lambda: registers.wait_until(0x04, 0x1, 0x2, 0),
        ):
            with pytest.raises(ValueError, match=r"^cannot"):
                refused()
    assert seen == []


@pytest.mark.parametrize("kind", ["memory", "ports"])
def test_a_declared_register_costs_one_access_and_a_change_of_fields_a_read_and_a_write(kind, request, nic_trace):
    block = Nic(request.getfixturevalue(kind))
    with nic_trace() as seen:
        block.multicast = 0x4000_0000
        assert block.multicast == 0x4000_0000
        assert block.last_bit is False
        block.modify(first_byte=0x5A, last_bit=True)
        block.clear(Nic.link_changed)
    assert seen == [
        Access("write", 0x0C, 32, 0x4000_0000),
        Access("read", 0x0C, 32, 0x4000_0000),
        Access("read", 0x0C, 32, 0x4000_0000),
        Access("read", 0x0C, 32, 0x4000_0000),
        Access("write", 0x0C, 32, 0xC000_005A),
        Access("write", 0x3E, 16, 0x20),
    ]


def test_declared_registers_of_64_bits_cost_one_access_each(cards, edu_trace):
    block = Edu(cards[0].bar(0))
    with edu_trace() as seen:
        block.dma_source = 0x0123456789ABCDEF
        assert block.dma_source == 0x0123456789ABCDEF
    assert [(access.what, access.bits) for access in seen] == [("write", 64), ("read", 64)]


def test_the_trace_shows_the_read_that_an_assignment_through_ctypes_makes_first(cards, edu_trace):
    """What Registers avoids; and so this trace would show it."""
    fd = open_bar(cards[0].address, 0)
    pages = MappedPages(fd, mmap.PAGESIZE)
    os.close(fd)
    with edu_trace() as seen:
        ctypes.c_uint32.from_buffer(pages.buffer, 0x04).value = 1
    pages.close()
    assert [access.what for access in seen] == ["read", "write"]


def test_ports_of_a_card_that_was_pulled_out_say_so(ports, show):
    guest.unplug("traced")
    for access in (lambda: ports.read8(0x08), lambda: ports.write8(0x08, 1)):
        with pytest.raises(DeviceGoneError, match="the device has left") as refused:
            access()
    show(f"pulled out: {refused.value}")


def test_waiting_for_a_port_ends_when_the_card_is_pulled_out(ports):
    guest.unplug("traced")
    with pytest.raises(DeviceGoneError):
        ports.wait_until(0x08, 0xFF, 0xA5, 10 * 10**9, width=8)
