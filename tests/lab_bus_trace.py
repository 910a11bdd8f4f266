"""What reaches a card, as QEMU saw it: its own trace of memory regions, switched on around a few accesses.

QEMU writes the trace to a file in the run's directory, which is the host's and so readable here. The file is opened
once, when it is complete: the guest caches what it knows of the host's files.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from uio_workloop.testing.lab import guest

EVENTS = "memory_region_ops_*"
LINE = re.compile(
    r"memory_region_ops_(?P<what>read|write) cpu \S+ mr \S+ addr (?P<address>0x[0-9a-f]+) "
    r"value (?P<value>0x[0-9a-f]+) size (?P<size>\d+) name '(?P<region>[^']*)'"
)

_numbers = itertools.count(1)


class Access(NamedTuple):
    """One access on the bus; the offset is from the start of the BAR."""

    what: str
    offset: int
    bits: int
    value: int


@contextmanager
def bus_trace(region: str, base: int) -> Iterator[list[Access]]:
    """The accesses of the `with` block to a region, in order; the list is filled when the block ends.

    Args:
        region: what QEMU calls it.
        base: its first address on the bus.
    """
    directory = next(
        word.removeprefix("labrun=") for word in Path("/proc/cmdline").read_text().split() if word.startswith("labrun=")
    )
    file = Path(directory) / f"bus-trace-{next(_numbers)}"
    seen: list[Access] = []
    _monitor(f"logfile {file}")
    guest.qmp("trace-event-set-state", name=EVENTS, enable=True)
    try:
        yield seen
    finally:
        guest.qmp("trace-event-set-state", name=EVENTS, enable=False)
        _monitor("logfile /dev/null")
    lines = file.read_text().splitlines()
    matches = [LINE.search(line) for line in lines]
    assert matches, "the trace is empty, and the monitor alone is more than that"
    assert all(matches), f"this QEMU writes its trace in another form: {lines[0]!r}"
    for match in filter(None, matches):
        offset = int(match["address"], 16) - base
        if match["region"] == region and 0 <= offset < 0x1000:
            bits = 8 * int(match["size"])
            value = int(match["value"], 16) & (1 << bits) - 1  # a card may answer more than fits; the processor cuts it
            seen.append(Access(match["what"], offset, bits, value))


def _monitor(line: str) -> None:
    complaint = guest.qmp("human-monitor-command", **{"command-line": line})["return"]
    assert not complaint, f"QEMU's monitor says to {line!r}: {complaint}"
