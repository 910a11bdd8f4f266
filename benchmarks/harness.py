"""How contenders are compared: alternately, in one process, several rounds, as ratios.

An absolute time says more about the machine and its neighbours than about the code. So the contenders of a benchmark
take turns, in an order that is turned by one each round; a ratio is taken within each round, where both had the same
weather, and the median of the ratios is what counts.
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Measures = Mapping[str, float]
Round = Callable[[float], Measures]
"""One round of a contender: given a scale (1 is full size), it returns its measures by name."""


class NotAtHandError(Exception):
    """A contender cannot run here; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Goal:
    """`ours` costs at most `at_most` times as much as `peer`; without a peer, at most `at_most` as such."""

    measure: str
    ours: str
    at_most: float
    peer: str | None = None


@dataclass(frozen=True)
class Benchmark:
    """Contenders that do the same work.

    name: of its file and plot; `title`: what is measured; `unit` of every measure, unless `units` has another for it.
    rounds: how often each contender takes its turn, at full size.
    about: a few sentences for the report: what exactly is timed, and what is the same for everybody.
    """

    name: str
    title: str
    contenders: Mapping[str, Round]
    goals: Sequence[Goal]
    about: str
    unit: str = "ns"
    units: Mapping[str, str] = field(default_factory=dict)
    rounds: int = 7

    def unit_of(self, measure: str) -> str:
        return self.units.get(measure, self.unit)


@dataclass(frozen=True)
class Result:
    """What came of a benchmark: all rounds of all contenders, as they were."""

    name: str
    title: str
    about: str
    units: dict[str, str]
    rounds: dict[str, list[dict[str, float]]]
    not_at_hand: dict[str, str]
    goals: list[dict[str, Any]]
    machine: dict[str, str]

    def samples(self, contender: str, measure: str) -> list[float]:
        return [measures[measure] for measures in self.rounds.get(contender, ()) if measure in measures]

    def measures(self) -> list[str]:
        return list(self.units)

    def ratios(self, ours: str, peer: str, measure: str) -> list[float]:
        """Round by round; a round in which the peer's measure is 0 has none."""
        return [
            mine[measure] / theirs[measure]
            for mine, theirs in zip(self.rounds.get(ours, ()), self.rounds.get(peer, ()), strict=False)
            if theirs.get(measure) and measure in mine
        ]

    def judge(self, goal: Goal) -> tuple[float, bool] | None:
        """The median ratio (or value) and whether it is within the goal; None if one of the two could not run."""
        values = (
            self.samples(goal.ours, goal.measure)
            if goal.peer is None
            else self.ratios(goal.ours, goal.peer, goal.measure)
        )
        if not values:
            return None
        median = statistics.median(values)
        return median, median <= goal.at_most


def run(
    benchmark: Benchmark, *, rounds: int | None = None, scale: float = 1.0, progress: Callable[[str], object] = print
) -> Result:
    """Let every contender take its turn, round by round."""
    seen: dict[str, list[dict[str, float]]] = {}
    not_at_hand: dict[str, str] = {}
    number = rounds or benchmark.rounds
    for turn in range(number):
        for contender in _in_order(list(benchmark.contenders), turn):
            if contender in not_at_hand:
                continue
            progress(f"{benchmark.name}, round {turn + 1} of {number}: {contender}")
            gc.collect()
            try:
                seen.setdefault(contender, []).append(dict(benchmark.contenders[contender](scale)))
            except NotAtHandError as reason:
                not_at_hand[contender] = str(reason)
                del seen[contender]
            except RuntimeError as error:  # an interrupt that was lost, say: no reason to lose everybody's figures
                not_at_hand[contender] = f"given up in round {turn + 1}: {error}"
                del seen[contender]
    ordered = {name: seen[name] for name in benchmark.contenders if name in seen}
    names = dict.fromkeys(measure for rounds_of in ordered.values() for one in rounds_of for measure in one)
    return Result(
        benchmark.name,
        benchmark.title,
        benchmark.about,
        {name: benchmark.unit_of(name) for name in names},
        ordered,
        not_at_hand,
        [asdict(goal) for goal in benchmark.goals],
        machine(),
    )


def _in_order(contenders: list[str], turn: int) -> Iterator[str]:
    first = turn % len(contenders)
    yield from contenders[first:] + contenders[:first]


def machine() -> dict[str, str]:
    """What the figures were seen on."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "kernel": f"{platform.release()} {'PREEMPT_RT' if 'PREEMPT_RT' in platform.version() else ''}".strip(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


def percentiles(samples_ns: Sequence[int]) -> dict[str, float]:
    """p50, p99, p99.9 and the maximum of what was measured one at a time."""
    ordered = sorted(samples_ns)
    last = len(ordered) - 1
    return {
        "p50": ordered[last // 2],
        "p99": ordered[last * 99 // 100],
        "p99.9": ordered[last * 999 // 1000],
        "max": ordered[last],
    }
