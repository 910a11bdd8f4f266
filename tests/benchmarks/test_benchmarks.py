"""Every benchmark that needs no virtual machine runs, in small; no figure is judged."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.catalogue import benchmarks
from benchmarks.harness import Benchmark, run

TINY = 0.001


@pytest.fixture
def nothing_is_left_behind() -> None:
    """Not asked here: matplotlib and uvloop keep descriptors for next time."""


@pytest.mark.parametrize("benchmark", benchmarks("host"), ids=lambda benchmark: benchmark.name)
def test_every_contender_yields_its_measures_and_a_report_can_be_made(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "HERE", tmp_path)
    monkeypatch.setattr(report, "KEPT", tmp_path / "results")

    result = run(replace(benchmark, rounds=1), scale=TINY, progress=str)
    report.keep("host", result)
    report.write_report()

    assert set(result.rounds) | set(result.not_at_hand) == set(benchmark.contenders)
    for contender, (measures,) in result.rounds.items():
        assert all(math.isfinite(value) and value >= 0 for value in measures.values()), (contender, measures)
    for goal in benchmark.goals:
        assert goal.ours in benchmark.contenders
        assert goal.peer is None or goal.peer in benchmark.contenders
        assert goal.ours in result.not_at_hand or goal.measure in result.units
    assert benchmark.title in (tmp_path / "RESULTS.md").read_text()
    assert (tmp_path / f"plots/host-{benchmark.name}.svg").stat().st_size > 0
