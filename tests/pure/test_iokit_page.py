"""The page for those who know IOKit: complete for the two published classes, and no name on it that does not exist.

The lists below were written down from Apple's pages of the two classes, the types they refer to included. The page is
checked against them, not against itself.
"""

from __future__ import annotations

import builtins
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

import uio_workloop
from uio_workloop import EventSource, InterruptEventSource, TimerEventSource, WorkLoop

PAGE = Path(__file__).parents[2] / "docs" / "iokit.md"
HEADER = ("IOKit symbol", "Python name", "difference")

PUBLISHED = {
    "IOInterruptEventSource": [
        "IOInterruptEventSource",
        # Miscellaneous, and Instance Methods
        "checkForWork",
        "disable",
        "disableInterruptOccurred",
        "enable",
        "enablePrimaryInterruptTimestamp",
        "free",
        "getAutoDisable",
        "getIntIndex",
        "getMetaClass",
        "getPrimaryInterruptTimestamp",
        "getProvider",
        "init",
        "interruptOccurred",
        "normalInterruptOccurred",
        "registerInterruptHandler",
        "setWorkLoop",
        "unregisterInterruptHandler",
        "warmCPU",
        # Type Methods
        "interruptEventSource(owner, action, provider, intIndex)",
        "interruptEventSource(owner, provider, intIndex, action)",
        # Callbacks, Constants (Miscellaneous Defines), DataTypes
        "Action",
        "IOInterruptEventAction",
        "ExpansionData",
        # Instance Variables
        "reserved",
        "provider",
        "producerCount",
        "intIndex",
        "explicitDisable",
        "consumerCount",
        "autoDisable",
        # Overview, Inherits From, See Also
        "IOEventSource",
        "IOWorkLoop",
        "IOService::registerInterrupt",
        "IOInterruptDispatchSource",
        "IOInterruptDispatchSourceInterface",
        "IOFilterInterruptEventSource",
        "IOInterruptController",
        "PassthruInterruptController",
        "IOInterruptSource",
        "IOInterruptVector",
    ],
    "IOTimerEventSource": [
        "IOTimerEventSource",
        # Tasks
        "cancelTimeout",
        "disable",
        "enable",
        "free",
        "init",
        "setTimeout(AbsoluteTime)",
        "setTimeout(UInt32, UInt32)",
        "setTimeoutFunc",
        "setTimeoutMS",
        "setTimeoutTicks",
        "setTimeoutUS",
        "timeout",
        "timerEventSource",
        "wakeAtTime(AbsoluteTime)",
        "wakeAtTime(UInt32, UInt32)",
        "wakeAtTimeMS",
        "wakeAtTimeTicks",
        "wakeAtTimeUS",
        # Callbacks, Data Types
        "Action",
        "ExpansionData",
        "calloutGeneration",
        "workLoop",
        # Instance Variables
        "abstime",
        "calloutEntry",
        "reserved",
        # Inherits from, and what descriptions refer to
        "IOEventSource",
        "IOEventSource::setAction",
        "kNanosecondScale",
    ],
}


class Row(NamedTuple):
    """A row of a table of symbols, as written, below this heading."""

    heading: str
    symbols: str
    names: str
    difference: str


def rows() -> Iterator[Row]:
    heading = ""
    in_table = False
    for line in PAGE.read_text().splitlines():
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        in_table = line.startswith("|") and (in_table or cells == HEADER)
        if in_table and cells != HEADER and set(line) != {"|", "-"}:
            yield Row(heading, *cells)


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


ROWS = list(rows())
TABLES = sorted({row.heading for row in ROWS})


@pytest.fixture
def objects() -> Iterator[dict[str, object]]:
    """Everything public by name; where an attribute appears only on construction, an instance."""
    with ExitStack() as closing:
        yield {
            **vars(builtins),
            **{name: getattr(uio_workloop, name) for name in uio_workloop.__all__},
            "EventSource": closing.enter_context(EventSource()),
            "InterruptEventSource": closing.enter_context(InterruptEventSource(None, print)),
            "TimerEventSource": closing.enter_context(TimerEventSource()),
            "WorkLoop": closing.enter_context(WorkLoop()),
        }


def resolves(name: str, objects: dict[str, object]) -> bool:
    first, *rest = name.split(".")
    if first not in objects:
        return False
    found = objects[first]
    for attribute in rest:
        if not hasattr(found, attribute):
            return False
        found = getattr(found, attribute)
    return not any(part.startswith("_") for part in rest)


@pytest.mark.parametrize("published", PUBLISHED)
def test_every_published_symbol_has_one_row_and_no_row_is_of_another(published):
    symbols = [row.symbols.strip("`") for row in ROWS if row.heading == published]
    assert sorted(symbols) == sorted(PUBLISHED[published])


@pytest.mark.parametrize("published", PUBLISHED)
def test_every_published_symbol_has_a_counterpart(published):
    assert [row.symbols for row in ROWS if row.heading == published and not quoted(row.names)] == []


@pytest.mark.parametrize("heading", TABLES)
def test_no_symbol_has_two_rows(heading):
    symbols = Counter(symbol for row in ROWS if row.heading == heading for symbol in quoted(row.symbols))
    assert [symbol for symbol, times in symbols.items() if times > 1] == []


def test_no_cell_is_empty():
    assert [row for row in ROWS if not all(row)] == []


def test_every_python_name_is_public_and_exists(objects):
    assert [name for row in ROWS for name in quoted(row.names) if not resolves(name, objects)] == []


def test_every_name_that_differences_and_prose_quote_is_one_of_ours(objects):
    """Words in capitals, and calls with keywords, are not attributes; the rest has to be somewhere."""
    known = set(objects) | {name for each in objects.values() for name in dir(each)}
    quotes = [re.sub(r"\(.*", "", quote) for row in ROWS for quote in quoted(row.difference)]
    words = [quote.split(".")[-1] for quote in quotes if re.fullmatch(r"[A-Za-z_.]+", quote)]
    assert [word for word in words if word not in known] == []


def test_what_has_no_counterpart_says_so():
    assert {row.names for row in ROWS if not quoted(row.names)} <= {"none"}


def test_links_within_the_page_lead_somewhere():
    text = PAGE.read_text()
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) - anchors == set()


def test_differences_are_in_the_order_of_their_numbers_each_once():
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(1, 165))


def test_the_return_codes_are_those_of_their_classes(objects):
    """By value, because that is what a driver's old code compares."""
    codes = {
        "kIOReturnError": 0xE00002BC,
        "kIOReturnNoResources": 0xE00002BE,
        "kIOReturnNoDevice": 0xE00002C0,
        "kIOReturnNotPrivileged": 0xE00002C1,
        "kIOReturnBadArgument": 0xE00002C2,
        "kIOReturnVMError": 0xE00002C8,
        "kIOReturnCannotLock": 0xE00002CC,
        "kIOReturnNotAligned": 0xE00002D0,
        "kIOReturnTimeout": 0xE00002D6,
        "kIOReturnOffline": 0xE00002D7,
        "kIOReturnNotReady": 0xE00002D8,
        "kIOReturnNoInterrupt": 0xE00002DF,
        "kIOReturnNotPermitted": 0xE00002E2,
        "kIOReturnAborted": 0xE00002EB,
    }
    on_the_page = {
        symbol: objects[name].io_return
        for row in ROWS
        for symbol in quoted(row.symbols)
        for name in quoted(row.names)
        if symbol in codes
    }
    assert on_the_page == codes
