"""32-bit totals that wrap."""

import pytest

from uio_workloop.interrupts.event_count import MODULUS, EventCount


@pytest.mark.parametrize(
    ("before", "after", "grown"),
    [
        (7, 12, 5),
        (7, 7, 0),
        (0x7FFFFFFF, -0x80000000, 1),  # signed, as read() gives it
        (-1, 0, 1),
        (0xFFFFFFFE, 2, 4),
        (4294967290, 10, 16),
        (0, 0xFFFFFFFF, 0xFFFFFFFF),
        (7, 0x80000007, 0x80000000),
    ],
)
def test_growth_is_the_difference_modulo_2_to_the_32(before, after, grown):
    assert EventCount(before).advance(after) == grown


def test_a_sum_over_the_edge_is_right():
    count = EventCount(4294967290)
    totals = [4294967295, 3, -2147483648, 5]
    assert sum(count.advance(total) for total in totals) == (5 - 4294967290) % MODULUS + MODULUS
