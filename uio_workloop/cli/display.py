"""What the demo shows: a table that lives in the terminal, plain text elsewhere, or JSON."""

from __future__ import annotations

import json
import sys
import textwrap
from collections import deque
from dataclasses import asdict
from typing import Final, Protocol, Self

import click
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from uio_workloop import Distribution
from uio_workloop.cli.formatting import format_count, format_duration
from uio_workloop.cli.measurement import Snapshot
from uio_workloop.clock import SECOND_NS

PLAIN_WIDTH: Final = 80
PANEL_WIDTH: Final = 72
RATE_WINDOW: Final = 5  # snapshots, four a second: the live rate is that of the last second


class View(Protocol):
    """Where the numbers go. Used as a context manager; what stands on the screen afterwards stays there."""

    live: bool
    """Whether `show` wants to be called while the demo runs."""

    def begin(self, description: str, empty: Snapshot) -> None:
        """The demo is about to run."""

    def show(self, snapshot: Snapshot) -> None:
        """Context: one thread at a time."""

    def finish(self, final: Snapshot, closing: str) -> None:
        """The summary, with a sentence to close it; empty for none."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...


def choose_view(run_ns: int, *, as_json: bool) -> View:
    """The view that suits standard output."""
    if as_json:
        return JsonView()
    console = Console(highlight=False)
    if sys.stdout.isatty() and not console.is_dumb_terminal:
        return LiveView(console, run_ns)
    return PlainView(run_ns)


class JsonView:
    """One JSON object, in the end."""

    live = False

    def begin(self, description: str, empty: Snapshot) -> None:
        """Nothing but the object."""

    def show(self, snapshot: Snapshot) -> None:
        """Nothing but the object."""

    def finish(self, final: Snapshot, closing: str) -> None:
        click.echo(json.dumps({**asdict(final), "rate_per_s": final.rate_per_s}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass


class PlainView:
    """A summary without colours or boxes, in the end; at the beginning a line on standard error, for the impatient."""

    live = False

    def __init__(self, run_ns: int) -> None:
        self._run_ns = run_ns

    def begin(self, description: str, empty: Snapshot) -> None:
        click.echo(wrapped(f"{description}; {format_duration(self._run_ns)}, Ctrl-C ends it early"), err=True)

    def show(self, snapshot: Snapshot) -> None:
        """Nothing moves here."""

    def finish(self, final: Snapshot, closing: str) -> None:
        click.echo(plain_summary(final))
        if closing:
            click.echo("\n" + wrapped(closing))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass


class LiveView:
    """A panel that is redrawn in place, and stays when the demo ends."""

    live = True

    def __init__(self, console: Console, run_ns: int) -> None:
        self._console = console
        self._run_ns = run_ns
        self._description = ""
        self._recent: deque[Snapshot] = deque(maxlen=RATE_WINDOW)
        self._live = Live(console=console, auto_refresh=False)  # a thread of rich's own would only be one more

    def begin(self, description: str, empty: Snapshot) -> None:
        self._description = description
        self.show(empty)  # the first drawing takes longest: rich imports as it goes, and nothing is measured yet

    def show(self, snapshot: Snapshot) -> None:
        self._recent.append(snapshot)
        rate_per_s = recent_rate_per_s(self._recent[0], snapshot)
        progress = f"{snapshot.elapsed_ns / SECOND_NS:.1f} of {format_duration(self._run_ns)} · Ctrl-C ends it early"
        self._draw(snapshot, rate_per_s, progress)

    def finish(self, final: Snapshot, closing: str) -> None:
        self._draw(final, final.rate_per_s, f"ran {format_duration(final.elapsed_ns)}")
        self._live.stop()
        if closing:
            self._console.print(Text(closing, style="green"))

    def _draw(self, snapshot: Snapshot, rate_per_s: int, subtitle: str) -> None:
        self._live.update(panel(snapshot, rate_per_s, self._description, subtitle), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if exc_info[0] is not None:
            self._live.transient = True  # an error takes the picture with it
        self._live.stop()


def recent_rate_per_s(earlier: Snapshot, later: Snapshot) -> int:
    """The rate between two snapshots; the rate since the start, if they are the same one."""
    span_ns = later.elapsed_ns - earlier.elapsed_ns
    if span_ns <= 0:
        return later.rate_per_s
    return (later.interrupts - earlier.interrupts) * SECOND_NS // span_ns


def panel(snapshot: Snapshot, rate_per_s: int, description: str, subtitle: str) -> Panel:
    """The whole picture."""
    return Panel(
        Group(Text(description, style="dim"), Text(), _counts(snapshot, rate_per_s), Text(), _durations(snapshot)),
        title=Text.assemble("uio_workloop demo · ", (snapshot.device, "bold cyan")),
        title_align="left",
        subtitle=Text(subtitle, style="dim"),
        subtitle_align="right",
        box=box.ROUNDED,
        border_style="cyan",
        padding=(1, 2),
        width=PANEL_WIDTH,
    )


def _counts(snapshot: Snapshot, rate_per_s: int) -> Table:
    table = _columns("interrupts", "per second", "coalesced", "lost")
    table.add_row(
        Text(format_count(snapshot.interrupts), style="bold"),
        format_count(rate_per_s),
        format_count(snapshot.coalesced),
        Text(format_count(snapshot.lost), style="bold red" if snapshot.lost else ""),
    )
    return table


def _durations(snapshot: Snapshot) -> Table:
    table = _columns("", "p50", "p99", "max")
    for name, distribution in _distributions(snapshot):
        p50, p99, longest = _cells(distribution)
        table.add_row(name, Text(p50, style="bold"), p99, longest)
    return table


def _columns(*headers: str) -> Table:
    table = Table(box=None, expand=True, padding=0, header_style="dim")
    for header in headers:
        table.add_column(header, justify="right" if header else "left", ratio=1, no_wrap=True)
    return table


def plain_summary(final: Snapshot) -> str:
    """The same numbers as text: no line longer than 80 columns, whatever the device is called."""
    title = f"uio_workloop demo: {final.device}, {format_duration(final.elapsed_ns)}"
    counts = (
        ("interrupts", final.interrupts),
        ("per second", final.rate_per_s),
        ("coalesced", final.coalesced),
        ("lost", final.lost),
    )
    lines = [wrapped(title), ""]
    lines += [f"{name:<14}{format_count(n):>10}" for name, n in counts]
    lines += ["", f"{'':<14}{'p50':>10}{'p99':>12}{'max':>12}"]
    for name, distribution in _distributions(final):
        p50, p99, longest = _cells(distribution)
        lines.append(f"{name:<14}{p50:>10}{p99:>12}{longest:>12}")
    return "\n".join(lines)


def _distributions(snapshot: Snapshot) -> tuple[tuple[str, Distribution | None], ...]:
    return ("latency", snapshot.latency), ("timer error", snapshot.timer_error)


def _cells(distribution: Distribution | None) -> tuple[str, str, str]:
    if distribution is None or distribution.count == 0:
        return "-", "-", "-"
    return (
        format_duration(distribution.p50_ns),
        format_duration(distribution.p99_ns),
        format_duration(distribution.max_ns),
    )


def wrapped(sentence: str) -> str:
    return textwrap.fill(sentence, PLAIN_WIDTH)
