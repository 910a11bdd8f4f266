"""python -m benchmarks: run them, print the goals, keep the figures, make RESULTS.md and the plots."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks import report
from benchmarks.catalogue import benchmarks
from benchmarks.harness import Goal, Result, run


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1)
@click.option("--list", "only_list", is_flag=True, help="Show which there are.")
@click.option(
    "--place", type=click.Choice(list(report.PLACES)), default="host", show_default=True, help="Where this is."
)
@click.option("--rounds", type=click.IntRange(1), help="Instead of each benchmark's own number.")
@click.option("--scale", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="Of the work.")
@click.option("--keep", is_flag=True, help="Put the figures into benchmarks/results, RESULTS.md and the plots.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures, a line of JSON each, and nothing else.")
def main(
    names: tuple[str, ...], only_list: bool, place: str, rounds: int | None, scale: float, keep: bool, as_json: bool
) -> None:
    """Run benchmarks, all or those NAMES, and print who costs what.

    Contenders take turns, and a ratio is taken within a round. Nothing is judged by its absolute time. Ctrl-C ends it;
    what was finished is kept.
    """
    console = Console(width=None if sys.stdout.isatty() else 160)
    chosen = {benchmark.name: benchmark for benchmark in benchmarks(place)}
    unknown = [name for name in names if name not in chosen]
    if unknown:
        raise click.UsageError(f"no benchmark {', '.join(unknown)} for the {place}; there are: {', '.join(chosen)}")
    for name, benchmark in chosen.items():
        if only_list:
            console.print(f"{name:24} {benchmark.title}")
        elif not names or name in names:
            result = run(benchmark, rounds=rounds, scale=scale, progress=tell)
            if as_json:
                print(json.dumps(asdict(result)), flush=True)
            else:
                show(console, result)
            if keep:
                report.keep(place, result)
    if keep and not only_list:
        report.write_report()
        console.print(f"figures and plots: {Path(report.HERE, 'RESULTS.md')}")


def tell(what: str) -> None:
    """Say what goes on; no thread redraws it, which would take the interpreter lock from who is measured."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="\r", file=sys.stderr, flush=True)


def show(console: Console, result: Result) -> None:
    """The table of one benchmark, and its goals."""
    table = Table(title=result.title, title_justify="left", title_style="bold")
    table.add_column("")
    for measure in result.measures():
        table.add_column(measure, justify="right")
    for contender in result.rounds:
        samples = [(result.samples(contender, measure), unit) for measure, unit in result.units.items()]
        table.add_row(contender, *(report.cell(*one) for one in samples))
    console.print(table)
    for contender, reason in result.not_at_hand.items():
        console.print(f"not at hand: {contender}: {reason}")
    for goal in (Goal(**kept) for kept in result.goals):
        console.print(f"{report.describe(goal, result)}: {report.verdict(goal, result).replace('**', '')}")
    console.print()


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
