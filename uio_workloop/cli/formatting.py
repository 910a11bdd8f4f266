"""Numbers as people read them. Pure."""

from __future__ import annotations

from typing import Final

from uio_workloop.clock import MICROSECOND_NS, MILLISECOND_NS, SECOND_NS

UNITS: Final = ((MICROSECOND_NS, "µs"), (MILLISECOND_NS, "ms"), (SECOND_NS, "s"))


def format_duration(ns: int) -> str:
    """Two to three digits and a unit: `950 ns`, `1.2 ms`, `38.1 µs`, `120 s`."""
    if ns < MICROSECOND_NS:
        return f"{ns} ns"
    for size, unit in UNITS:
        value = ns / size
        if value < 99.95:
            return f"{value:.1f} {unit}"
        if value < 999.5 or unit == "s":
            return f"{value:,.0f} {unit}"
    raise AssertionError("seconds have no upper end")


def format_count(n: int) -> str:
    """`12,345`."""
    return f"{n:,}"


def format_number_of(n: int, thing: str) -> str:
    """`1 interrupt`, `12,345 interrupts`."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"
