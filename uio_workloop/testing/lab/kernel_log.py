"""The guest's kernel log: records as /dev/kmsg gives them, and which of them fail a run. Pure.

Source: Documentation/ABI/testing/dev-kmsg: "priority,sequence,microseconds,flags[,...];text", continued by
lines that begin with a space. The lower three bits of the priority are the level, 0 the gravest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

WARNING = 4
CRITICAL = 2
BEGIN = "uio_workloop lab: begin"  # the guest's first process writes this, before it loads anything
RECORD = re.compile(r"(\d+),(\d+),(\d+),[^;]*;(.*)", re.DOTALL)

HARMLESS = tuple(
    re.compile(pattern)
    for pattern in (
        # Ours are built outside the kernel's tree; that is the point of them.
        r"\w+: loading out-of-tree module taints kernel\.",
        # Told to whoever asked for it, too: a card without an interrupt was bound, a bad parameter was given.
        r"uio_pci_generic \S+: No IRQ assigned to device: no support for interrupts\?",
        # Said when somebody reads an attribute of a device in the instant in which it leaves; he gets an error, too.
        r"uio uio\d+: the device has been unregistered",
        r"uio_dummy: `.*' invalid for parameter `\w+'",
        r"uio_dummy: automask=N is for trigger=edge",
        # The host was busy while the guest ran, which says nothing about drivers.
        r"hrtimer: interrupt took \d+ ns",
        r"workqueue: \S+ hogged CPU for >\d+us \d+ times, .*",
        r"hpet: Lost \d+ RTC interrupts",
    )
)


@dataclass(frozen=True, slots=True)
class Record:
    """One message of the kernel."""

    level: int
    sequence: int
    at_us: int
    text: str

    def __str__(self) -> str:
        return f"<{self.level}>[{self.at_us / 1e6:12.6f}] {self.text}"

    @property
    def harmless(self) -> bool:
        """On the list of those that say nothing, whatever their level."""
        return any(pattern.fullmatch(self.text) for pattern in HARMLESS)


def parse_record(line: str) -> Record | None:
    """The record that begins with this line, or None if it is a continuation or no record at all."""
    found = RECORD.fullmatch(line)
    if found is None:
        return None
    priority, sequence, at_us = (int(found[index]) for index in (1, 2, 3))
    return Record(level=priority & 7, sequence=sequence, at_us=at_us, text=unescape(found[4]))


def unescape(text: str) -> str:
    """Undo the \\xNN by which /dev/kmsg writes what is not printable ASCII."""
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    return raw.decode(errors="replace")


class KernelLog:
    """Collects the stream of /dev/kmsg; a reader that starts again from the top does no harm."""

    def __init__(self, marker: str) -> None:
        self.records: list[Record] = []
        self.lost = 0
        self.ended = False
        self._marker = marker
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream, cut anywhere."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            record = parse_record(line.decode(errors="replace"))
            if record is not None:
                self._add(record)

    def _add(self, record: Record) -> None:
        expected = self.records[-1].sequence + 1 if self.records else record.sequence
        if record.sequence < expected:
            return  # seen before the reader started again
        self.lost += record.sequence - expected
        self.records.append(record)
        self.ended = self.ended or record.text.endswith(f"end {self._marker}")

    @property
    def alarming(self) -> list[Record]:
        """What fails the run: warnings and worse.

        Before the first process runs nothing of ours is loaded, and each kernel has its own complaints about
        emulated hardware; of those only critical ones count.
        """
        found: list[Record] = []
        limit = CRITICAL
        for record in self.records:
            if record.text == BEGIN:
                limit = WARNING
            if record.level <= limit and not record.harmless:
                found.append(record)
        return found

    def lines(self) -> Iterable[str]:
        """The log as text, oldest first."""
        yield from map(str, self.records)
        if self.lost:
            yield f"({self.lost} records were overwritten before they could be read)"
