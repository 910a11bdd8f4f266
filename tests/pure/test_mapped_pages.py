"""Pages mapped whole, on a memfd that says it is shorter, as the sysfs file of a small BAR does."""

from __future__ import annotations

import mmap
import os

import pytest

from uio_workloop import ClosedError, Registers
from uio_workloop.registers import MappedPages

SIZE, START = 0x100, 0xF00  # the BAR is the end of its page


@pytest.fixture
def fd():
    made = os.memfd_create("resource0")
    os.ftruncate(made, SIZE)
    yield made
    os.close(made)


def mappings() -> int:
    with open("/proc/self/maps") as file:
        return sum("resource0" in line for line in file)


def test_registers_at_the_end_of_a_page_are_reached_though_the_file_is_shorter(fd):
    with pytest.raises(ValueError, match="mmap length is greater than file size"):
        mmap.mmap(fd, mmap.PAGESIZE)  # what this is for
    registers = Registers(MappedPages(fd, START + SIZE), "card BAR 0", START, SIZE)
    for width in (8, 16, 32, 64):
        getattr(registers, f"write{width}")(0xF8, 0x5A)
        assert getattr(registers, f"read{width}")(0xF8) == 0x5A
    registers.invalidate(lambda: ClosedError("the card is closed"))


def test_the_mapping_is_gone_with_the_registers_and_closing_twice_is_fine(fd):
    pages = MappedPages(fd, SIZE)
    registers = Registers(pages, "card BAR 0", 0, SIZE)
    assert mappings() == 1
    registers.invalidate(lambda: ClosedError("the card is closed"))
    pages.close()
    assert mappings() == 0
    with pytest.raises(ClosedError):
        registers.read8(0)


@pytest.mark.parametrize(("length", "pages"), [(1, 1), (mmap.PAGESIZE, 1), (mmap.PAGESIZE + 1, 2)])
def test_whole_pages_are_mapped_and_no_more(fd, length, pages):
    mapped = MappedPages(fd, length)
    with open("/proc/self/maps") as file:
        ((first, last),) = [line.split()[0].split("-") for line in file if "resource0" in line]
    mapped.close()
    assert int(last, 16) - int(first, 16) == len(mapped.buffer) == pages * mmap.PAGESIZE


def test_what_cannot_be_mapped_is_an_error_of_the_kernel():
    fd = os.eventfd(0)
    with pytest.raises(OSError, match="No such device"):
        MappedPages(fd, 1)
    os.close(fd)
