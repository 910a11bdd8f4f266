"""Histograms: bounds of the error, and snapshots that stay."""

import dataclasses

import pytest

from uio_workloop import Histogram


@pytest.mark.parametrize("ns", [0, 1, 31, 32, 63, 64, 65, 1_000, 123_456, 987_654_321, 1 << 39])
def test_a_percentile_is_at_most_3_percent_too_high_and_never_too_low(ns):
    histogram = Histogram()
    histogram.record(ns)
    histogram.record(1 << 40)  # so that the maximum does not correct it
    assert ns <= histogram.snapshot().p50_ns <= ns * 1.03125 + 1


def test_percentiles_of_a_hundred():
    histogram = Histogram()
    for ns in range(1, 101):
        histogram.record(ns * 1_000_000)
    snapshot = histogram.snapshot()

    assert snapshot.count == 100
    assert snapshot.p50_ns == pytest.approx(50_000_000, rel=0.04)
    assert snapshot.p99_ns == pytest.approx(99_000_000, rel=0.04)
    assert snapshot.max_ns == 100_000_000


def test_an_empty_histogram_is_all_zeros_and_odd_values_are_clamped():
    histogram = Histogram()
    assert dataclasses.astuple(histogram.snapshot()) == (0, 0, 0, 0)
    histogram.record(-5)
    histogram.record(1 << 60)
    assert histogram.snapshot().max_ns == 1 << 60
