"""Contenders take turns, ratios are taken within a round, and what cannot run is said."""

from __future__ import annotations

import pytest

from benchmarks.harness import Benchmark, Goal, Measures, NotAtHandError, run
from benchmarks.report import in_words, verdict


def benchmark(goal: Goal, **contenders: list[float]) -> Benchmark:
    """Contenders whose rounds yield the given figures, one after the other."""
    figures = {name: iter(values) for name, values in contenders.items()}

    def contender(name: str):
        return lambda scale: {"cost": next(figures[name])}

    return Benchmark("some", "Some", {name: contender(name) for name in contenders}, (goal,), "about")


def test_contenders_take_turns_in_an_order_that_turns() -> None:
    turns: list[str] = []

    def contender(name: str):
        def one_round(scale: float) -> Measures:
            turns.append(name)
            return {"cost": 1.0}

        return one_round

    run(Benchmark("some", "Some", {name: contender(name) for name in "abc"}, (), ""), rounds=3, progress=str)

    assert turns == [*"abc", *"bca", *"cab"]


def test_a_ratio_is_taken_within_a_round_and_the_median_counts() -> None:
    goal = Goal("cost", "ours", at_most=1.0, peer="theirs")
    result = run(benchmark(goal, ours=[1, 20, 3], theirs=[2, 10, 4]), rounds=3, progress=str)

    assert result.ratios("ours", "theirs", "cost") == [0.5, 2.0, 0.75]
    assert result.judge(goal) == (0.75, True)


def test_a_goal_that_is_missed_says_so() -> None:
    goal = Goal("cost", "ours", at_most=0.85, peer="theirs")
    result = run(benchmark(goal, ours=[9], theirs=[10]), rounds=1, progress=str)

    assert verdict(goal, result) == "0.90 | **missed**"


def test_a_contender_that_cannot_run_is_named_with_its_reason_and_the_others_go_on() -> None:
    def absent(scale: float) -> Measures:
        raise NotAtHandError("pip install it")

    goal = Goal("cost", "ours", at_most=1.0, peer="absent")
    result = run(
        Benchmark("some", "Some", {"ours": lambda scale: {"cost": 1.0}, "absent": absent}, (goal,), ""),
        rounds=2,
        progress=str,
    )

    assert result.not_at_hand == {"absent": "pip install it"}
    assert len(result.rounds["ours"]) == 2
    assert verdict(goal, result) == "not measured | "


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(12.3, "ns", "12.3 ns"), (1250, "ns", "1.25 µs"), (2.5e6, "ns", "2.5 ms"), (12345, "bytes", "12,345 bytes")],
)
def test_figures_are_told_in_units_that_suit_them(value: float, unit: str, words: str) -> None:
    assert in_words(value, unit) == words
