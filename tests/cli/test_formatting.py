"""Numbers as people read them."""

from __future__ import annotations

import pytest

from uio_workloop.cli.formatting import format_count, format_duration, format_number_of


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.0 µs"),
        (38_149, "38.1 µs"),
        (99_949, "99.9 µs"),
        (99_950, "100 µs"),
        (999_499, "999 µs"),
        (999_500, "1.0 ms"),
        (1_234_567, "1.2 ms"),
        (999_500_000, "1.0 s"),
        (10_000_000_000, "10.0 s"),
        (120_000_000_000, "120 s"),
        (5_000_000_000_000, "5,000 s"),
    ],
)
def test_a_duration_has_two_to_three_digits_and_a_unit(ns, text):
    assert format_duration(ns) == text


def test_counts_have_separators():
    assert format_count(1_234_567) == "1,234,567"


@pytest.mark.parametrize(("n", "text"), [(0, "0 edges"), (1, "1 edge"), (12_345, "12,345 edges")])
def test_one_is_singular(n, text):
    assert format_number_of(n, "edge") == text
