"""Where registers begin and end in a mapping, as drivers say it in sysfs."""

from __future__ import annotations

import mmap

import pytest

from uio_workloop._linux import uio

PAGE = mmap.PAGESIZE


def declare(directory, index: int, **attributes: str) -> None:
    entry = directory / "maps" / f"map{index}"
    entry.mkdir(parents=True)
    for name, value in attributes.items():
        (entry / name).write_text(value + "\n")


@pytest.mark.parametrize(
    ("addr", "size", "offset", "expected"),
    [
        (0x4A300000, 0x80000, 0, (0, 0x80000)),
        (0x48022000, PAGE, 0x100, (0x100, PAGE - 0x100)),  # rounded up, as uio_pdrv_genirq does
        (0x48022100, 0x100, 0, (0x100, 0x100)),  # as it is
        (0x48022000, 0x200, 0x100, (0x100, 0x200)),
        (0x48022F80, 0x100, 0, (0xF80, 0x100)),  # over the end of a page
    ],
)
def test_registers_are_found_inside_their_pages(tmp_path, addr, size, offset, expected):
    declare(tmp_path, 0, addr=hex(addr), size=hex(size), offset=hex(offset), name="registers")
    (found,) = uio.maps(str(tmp_path))
    assert (found.offset, found.size) == expected


def test_maps_come_in_order_of_index_and_some_have_no_name(tmp_path):
    for index in (10, 2, 0):
        declare(tmp_path, index, addr="0x0", size="0x1000", offset="0x0", name="" if index else "first")
    assert [(each.index, each.name) for each in uio.maps(str(tmp_path))] == [(0, "first"), (2, ""), (10, "")]


def test_a_device_without_maps_has_none(tmp_path):
    assert uio.maps(str(tmp_path)) == []
