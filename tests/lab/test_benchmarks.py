"""Every benchmark of real interrupts runs, in small; no figure is judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from lab_devices import load_dummy

from benchmarks.catalogue import benchmarks
from benchmarks.harness import Benchmark, run

SMALL = 0.03


@pytest.fixture
def nothing_is_left_behind() -> Iterator[None]:
    """Not asked here: some peers keep threads and descriptors for next time. The dummy is as others expect it."""
    yield
    load_dummy()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("benchmark", benchmarks("lab"), ids=lambda benchmark: benchmark.name)
def test_every_contender_yields_its_measures_on_real_interrupts_or_says_why_not(
    benchmark: Benchmark, show: Callable[[str], None]
) -> None:
    result = run(replace(benchmark, rounds=1), scale=SMALL, progress=str)

    assert set(result.rounds) | set(result.not_at_hand) == set(benchmark.contenders)
    for contender, (measures,) in result.rounds.items():
        assert all(math.isfinite(value) for value in measures.values()), (contender, measures)
    for goal in benchmark.goals:
        assert goal.ours in benchmark.contenders
        assert goal.peer is None or goal.peer in benchmark.contenders
    for contender, reason in result.not_at_hand.items():
        show(f"{benchmark.name}: {contender}: {reason}")
