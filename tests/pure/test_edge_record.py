"""Edges kept one by one: bounded, and honest about what did not fit."""

from __future__ import annotations

from uio_workloop import GpioEdge
from uio_workloop.interrupts.gpio_edges import EdgeRecord

EDGES = [GpioEdge(n, n % 2 == 1) for n in range(1, 6)]


def test_edges_are_taken_once_and_in_order():
    record = EdgeRecord(8)
    record.extend(EDGES)
    assert record.take() == EDGES
    assert record.take() == []
    assert record.dropped == 0


def test_what_does_not_fit_pushes_out_the_oldest_and_is_counted():
    record = EdgeRecord(3)
    record.extend(EDGES)
    assert record.dropped == 2
    assert record.take() == EDGES[2:]
    record.extend(EDGES[:3])
    assert record.dropped == 2


def test_a_record_that_begins_anew_has_dropped_nothing():
    record = EdgeRecord(2)
    record.extend(EDGES)
    record.clear()
    assert (record.take(), record.dropped) == ([], 0)


def test_edges_of_several_lines_sort_by_time():
    assert sorted([GpioEdge(3, False), GpioEdge(1, True), GpioEdge(2, True)])[0] == (1, True)
