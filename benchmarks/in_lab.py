"""python -m benchmarks.in_lab [NAMES]: run the benchmarks of real interrupts in the lab's virtual machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
from rich.console import Console

from benchmarks import report
from benchmarks.__main__ import show
from benchmarks.harness import Result

TIMEOUT_S = 1800


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1)
@click.option("--kernel", default="debian", show_default=True, help="As of python -m uio_workloop.testing.lab.")
@click.option("--rounds", type=click.IntRange(1), help="Instead of each benchmark's own number.")
@click.option("--scale", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="Of the work.")
@click.option("--keep", is_flag=True, help="Put the figures into benchmarks/results, RESULTS.md and the plots.")
def main(names: tuple[str, ...], kernel: str, rounds: int | None, scale: float, keep: bool) -> None:
    """Run the lab's benchmarks, all or those NAMES, in one virtual machine, and print who costs what.

    What the guest says of a benchmark that is finished is kept, whatever happens to it afterwards. The exit status is
    the lab's.
    """
    console = Console(width=None if sys.stdout.isatty() else 160)
    place = "lab-rt" if kernel == "debian-rt" else "lab"
    in_guest = [sys.executable, "-m", "benchmarks", "--place", place, "--json", "--scale", str(scale)]
    in_guest += ["--rounds", str(rounds)] if rounds else []
    lab = [sys.executable, "-m", "uio_workloop.testing.lab", "--timeout", str(TIMEOUT_S), "--kernel", kernel]
    with subprocess.Popen([*lab, "--", *in_guest, *names], stdout=subprocess.PIPE, text=True) as guest:
        assert guest.stdout is not None
        for line in guest.stdout:
            result = Result(**json.loads(line))
            show(console, result)
            if keep:
                report.keep("lab-rt" if result.machine["kernel"].endswith("PREEMPT_RT") else "lab", result)
    if keep:
        report.write_report()
        console.print(f"figures and plots: {Path(report.HERE, 'RESULTS.md')}")
    sys.exit(guest.returncode)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.in_lab")
