"""What one register access costs: on a page of memory, where there is nothing else."""

from __future__ import annotations

import mmap
import os
import time
import timeit
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import IntEnum
from pathlib import Path
from struct import Struct
from typing import Any

from benchmarks.harness import Benchmark, Goal, Measures, NotAtHandError
from uio_workloop import ClosedError, Register, RegisterBlock, Registers

AT_ONCE = 10  # accesses in each turn of the loop, so that the loop is not what is measured
OFFSET = 0x04  # where the edu card has a register of plain storage

Names = Mapping[str, Any]
Given = Callable[[Path], AbstractContextManager[Names]]


class Mode(IntEnum):
    IDLE, RUN = 0, 1


class Card(RegisterBlock, size=0x10):
    word = Register(OFFSET)
    number = word.bits(8, 15)
    mode = word.bits(0, 0, Mode)


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    fd = os.open(path, os.O_RDWR | os.O_SYNC | os.O_CLOEXEC)
    try:
        mapping = mmap.mmap(fd, mmap.PAGESIZE)
    finally:
        os.close(fd)
    with mapping:
        yield mapping


@contextmanager
def ours(path: Path) -> Iterator[Names]:
    with mapped(path) as mapping:
        registers = Registers(mapping, "BAR 0", 0, mmap.PAGESIZE)
        yield {
            "registers": registers,
            "read": registers.reader(OFFSET),
            "write": registers.writer(OFFSET),
            "card": Card(registers),
        }
        registers.invalidate(lambda: ClosedError("it is over"))


@contextmanager
def bare_memoryview(path: Path) -> Iterator[Names]:
    with mapped(path) as mapping, memoryview(mapping) as view, view.cast("I") as words:
        yield {"words": words}


@contextmanager
def mmap_slices(path: Path) -> Iterator[Names]:
    with mapped(path) as mapping:
        yield {"mapping": mapping, "pack": Struct("=I").pack, "unpack": Struct("=I").unpack}


@contextmanager
def periphery(path: Path) -> Iterator[Names]:
    try:
        from periphery import MMIO
    except ImportError:
        raise NotAtHandError("pip install python-periphery") from None
    with MMIO(0, mmap.PAGESIZE, path=str(path)) as mmio:
        yield {"mmio": mmio}


BOUND, CALLS, LAYOUT = "uio_workloop, bound", "uio_workloop, read32 and write32", "uio_workloop, a layout"
BARE, SLICES, PERIPHERY = "bare memoryview", "mmap slices and struct", "periphery.MMIO"
READ, WRITE = "one read", "one write"

CONTENDERS: Mapping[str, tuple[Given, Mapping[str, str]]] = {
    BOUND: (ours, {READ: "read()", WRITE: "write(1)"}),
    CALLS: (ours, {READ: "registers.read32(0x04)", WRITE: "registers.write32(0x04, 1)"}),
    LAYOUT: (
        ours,
        {READ: "card.word", WRITE: "card.word = 1", "one read, of a field": "card.number", "of an enum": "card.mode"},
    ),
    BARE: (bare_memoryview, {READ: "words[1]", WRITE: "words[1] = 1"}),
    SLICES: (mmap_slices, {READ: "unpack(mapping[0x04:0x08])[0]", WRITE: "mapping[0x04:0x08] = pack(1)"}),
    PERIPHERY: (periphery, {READ: "mmio.read32(0x04)", WRITE: "mmio.write32(0x04, 1)"}),
}


def one_round(
    given: Given, statements: Mapping[str, str], place: Callable[[], AbstractContextManager[Path]], turns: int
) -> Callable[[float], Measures]:
    """A contender: its names are local variables of the loop, as a driver would have them where it counts."""

    def contender(scale: float) -> Measures:
        number = max(1, int(turns * scale))
        with place() as path, given(path) as names:
            setup = "; ".join(f"{name} = given[{name!r}]" for name in names)
            return {
                measure: _ns(statement, setup, {"given": names}, number) / number / AT_ONCE
                for measure, statement in statements.items()
            }

    return contender


def _ns(statement: str, setup: str, names: dict[str, Any], number: int) -> float:
    timer = timeit.Timer("\n".join([statement] * AT_ONCE), setup, time.thread_time_ns, names)
    timer.timeit(max(1, number // 100))  # warm: the interpreter adapts its code as it runs
    return timer.timeit(number)


@contextmanager
def a_page() -> Iterator[Path]:
    fd = os.memfd_create("registers")
    try:
        os.ftruncate(fd, mmap.PAGESIZE)
        yield Path(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def contenders(place: Callable[[], AbstractContextManager[Path]], turns: int) -> dict[str, Callable[[float], Measures]]:
    return {name: one_round(given, statements, place, turns) for name, (given, statements) in CONTENDERS.items()}


ABOUT = (
    "32 bits, again and again at one place. The names are local variables in all cases; an index of the bare "
    "memoryview is a constant. Ours check bounds and alignment (bound: once, when bound) and the value, and say so "
    "when the device has left; the bare ones do not. periphery's write reads the register first, and slices are no "
    "single access: they are here for what they cost."
)

_GOALS = tuple(
    Goal(measure, mine, at_most, peer)
    for mine in (BOUND, CALLS, LAYOUT)
    for measure in (READ, WRITE)
    for peer, at_most in ((BARE, 1.5), (PERIPHERY, 0.25))
)

BENCHMARKS = (Benchmark("register-access", "One access to a register", contenders(a_page, 40_000), _GOALS, ABOUT),)
