"""RESULTS.md and its plots, made from the results that were kept as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.catalogue import benchmarks
from benchmarks.harness import Goal, Result

HERE = Path(__file__).parent
KEPT = HERE / "results"
PLACES = {
    "host": "On the machine itself",
    "lab": "In the virtual machine of the lab, ordinary kernel",
    "lab-rt": "In the virtual machine of the lab, PREEMPT_RT kernel",
}
COMMANDS = {"host": "make bench", "lab": "make bench-lab", "lab-rt": "make bench-lab KERNEL=debian-rt"}


def keep(place: str, result: Result) -> None:
    """Write a result where `write_report` finds it, in place of an earlier one."""
    file = KEPT / place / f"{result.name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(result), indent=1) + "\n")


def kept(place: str) -> list[Result]:
    """What is kept of a place, in the order of the catalogue; what is in there no longer, not."""
    files = [KEPT / place / f"{benchmark.name}.json" for benchmark in benchmarks(place)]
    return [Result(**json.loads(file.read_text())) for file in files if file.exists()]


def write_report() -> None:
    """Make RESULTS.md and the plots anew from everything that is kept."""
    from benchmarks.plot import draw

    sections = []
    for place, heading in PLACES.items():
        results = kept(place)
        if not results:
            continue
        sections.append(f"## {heading}\n\n`{COMMANDS[place]}`\n")
        for result in results:
            plot = f"plots/{place}-{result.name}.svg"
            draw(result, HERE / plot)
            sections.append("\n".join(section(result, plot)))
    (HERE / "RESULTS.md").write_text("\n".join([HEAD, *in_short(), *sections]))


def in_short() -> Iterator[str]:
    """Every benchmark with goals in a line, so that what is missed is seen first."""
    yield "| | goals reached | missed |\n|---|---|---|"
    for place, where in PLACES.items():
        for result in kept(place):
            goals = [Goal(**kept_goal) for kept_goal in result.goals]
            seen = {goal: judged for goal in goals if (judged := result.judge(goal)) is not None}
            missed = [describe(goal, result, value) for goal, (value, reached) in seen.items() if not reached]
            if goals:
                where_shortly = where.removeprefix("In the virtual machine of ")
                reached = f"{len(seen) - len(missed)} of {len(goals)}"
                yield f"| {where_shortly}: {result.title} | {reached} | {'; '.join(missed)} |"
    yield ""


HEAD = """# Results

Medians over the rounds; in brackets the least and the greatest. Contenders took turns in one process, and a ratio is
taken round by round: the median of these is judged. Absolute figures are those of one machine on one day, shared with
others; ratios are what lasts. [NOTES.md](NOTES.md) tells where the time goes, what was tried, and why a goal that is
missed is missed. Made by `python -m benchmarks`.
"""


def section(result: Result, plot: str) -> Iterator[str]:
    """One benchmark in Markdown."""
    yield f"### {result.title}\n"
    yield f"{result.about}\n"
    yield from _goals(result)
    yield from _table(result)
    for contender, reason in result.not_at_hand.items():
        yield f"Not at hand: {contender}: {reason}\n"
    yield f"![{result.title}]({plot})\n"
    yield f"<sub>{', '.join(f'{key} {value}' for key, value in result.machine.items())}</sub>\n"


def _goals(result: Result) -> Iterator[str]:
    if not result.goals:
        return
    yield "| goal | seen | |"
    yield "|---|---|---|"
    for goal in (Goal(**kept_goal) for kept_goal in result.goals):
        yield f"| {describe(goal, result)} | {verdict(goal, result)} |"
    yield ""


def describe(goal: Goal, result: Result, seen: float | None = None) -> str:
    """`p50: ours at most 1.1 of epoll`, and what was seen instead."""
    unit = result.units.get(goal.measure, "")
    if goal.peer is None:
        instead = "" if seen is None else f"{in_words(seen, unit)}, not "
        return f"{goal.ours}: {goal.measure} {instead}at most {in_words(goal.at_most, unit)}"
    instead = "" if seen is None else f"{seen:.2f}, not "
    return f"{goal.measure}: {goal.ours} {instead}at most {goal.at_most:g} of {goal.peer}"


def verdict(goal: Goal, result: Result) -> str:
    """`0.83 | reached`"""
    seen = result.judge(goal)
    if seen is None:
        return "not measured | "
    value, reached = seen
    shown = f"{value:.2f}" if goal.peer is not None else in_words(value, result.units[goal.measure])
    return f"{shown} | {'reached' if reached else '**missed**'}"


def _table(result: Result) -> Iterator[str]:
    measures = result.measures()
    yield "| | " + " | ".join(measures) + " |"
    yield "|---|" + "---:|" * len(measures)
    for contender in result.rounds:
        cells = [cell(result.samples(contender, measure), result.units[measure]) for measure in measures]
        yield f"| {contender} | " + " | ".join(cells) + " |"
    yield ""


def cell(samples: list[float], unit: str) -> str:
    """Median, least and greatest, for a table."""
    if not samples:
        return ""
    return f"{in_words(statistics.median(samples), unit)} ({_span(samples, unit)})"


def _span(samples: Iterable[float], unit: str) -> str:
    ordered = sorted(samples)
    return f"{in_words(ordered[0], unit)} to {in_words(ordered[-1], unit)}"


def in_words(value: float, unit: str) -> str:
    """`1.25 µs`: three figures, and times in a unit that suits them."""
    if unit == "ns":
        for factor, larger in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
            if abs(value) >= factor:
                return f"{value / factor:.3g} {larger}"
    shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{shown} {unit}".strip()
