"""Software debounce, on made-up time: what lasts is told, once, and the level that stays always is."""

from __future__ import annotations

import itertools
import random

import pytest

from uio_workloop import GpioEdge
from uio_workloop.interrupts.debouncer import Debouncer

PERIOD_NS = 10
FOREVER_NS = 1_000_000


def told(*edges: tuple[int, bool], level: bool = False, looks: tuple[int, ...] = ()) -> list[tuple[int, bool]]:
    """What is told of these edges, if somebody looks at these instants and long after the last."""
    debouncer = Debouncer(PERIOD_NS, level)
    changes = []
    steps = sorted(
        [(at, 1, rising) for at, rising in edges] + [(at, 0, None) for at in looks], key=lambda step: step[:2]
    )
    for at, _, rising in steps:
        changes.append(debouncer.settle(at) if rising is None else debouncer.edge(GpioEdge(at, rising)))
    changes.append(debouncer.settle(FOREVER_NS))
    assert debouncer.deadline_ns is None, "something was left to wait for"
    return [tuple(change) for change in changes if change is not None]


def test_a_change_without_bounce_is_told_with_its_own_time():
    assert told((100, True)) == [(100, True)]


def test_a_bouncing_press_is_one_change_at_the_time_of_its_last_bounce():
    assert told((100, True), (103, False), (105, True), (109, False), (112, True)) == [(112, True)]


def test_a_glitch_that_does_not_last_is_no_change():
    assert told((100, True), (105, False)) == []


def test_a_press_and_a_release_are_two_changes():
    assert told((100, True), (200, False)) == [(100, True), (200, False)]


def test_the_last_edge_of_a_bounce_that_never_paused_is_not_swallowed():
    bounce = [(100 + 3 * n, n % 2 == 0) for n in range(51)]
    assert told(*bounce) == [bounce[-1]]


@pytest.mark.parametrize(("quiet_ns", "changes"), [(PERIOD_NS - 1, 0), (PERIOD_NS, 2)])
def test_exactly_the_period_is_long_enough(quiet_ns, changes):
    assert len(told((100, True), (100 + quiet_ns, False))) == changes


def test_an_edge_to_the_same_level_hides_two_and_begins_the_quiet_anew():
    assert told((100, True), (108, True), looks=(115,)) == [(108, True)]


def test_an_edge_to_the_level_that_was_told_already_is_no_change():
    assert told((100, True), (104, True), level=True) == []


def test_after_a_gap_nobody_knows_how_long_the_line_was_quiet():
    debouncer = Debouncer(PERIOD_NS, False)
    assert debouncer.edge(GpioEdge(100, True)) is None
    assert debouncer.edge(GpioEdge(200, True), gap=True) is None
    assert debouncer.deadline_ns == 200 + PERIOD_NS
    assert debouncer.settle(210) == (200, True)


def test_there_is_something_to_wait_for_only_while_the_level_is_another_than_the_told():
    debouncer = Debouncer(PERIOD_NS, False)
    assert debouncer.deadline_ns is None
    debouncer.edge(GpioEdge(100, True))
    assert debouncer.deadline_ns == 110
    assert debouncer.settle(109) is None
    assert debouncer.deadline_ns == 110
    debouncer.edge(GpioEdge(109, False))
    assert debouncer.deadline_ns is None


def test_a_look_that_comes_before_an_edge_that_is_older_than_it_tells_nothing_wrong():
    debouncer = Debouncer(PERIOD_NS, False)
    debouncer.edge(GpioEdge(100, True))
    assert debouncer.settle(95) is None


@pytest.mark.parametrize("seed", range(50))
def test_however_late_and_seldom_anybody_looks_the_same_changes_are_told_and_the_last_is_the_level(seed):
    chance = random.Random(seed)
    at, edges = 0, []
    for n in range(chance.randint(1, 80)):
        at += chance.choice([1, 2, 5, 9, 10, 11, 40])
        edges.append((at, n % 2 == 0))
    looks = tuple(chance.randint(0, at) for _ in range(chance.randint(0, 60)))

    changes = told(*edges, looks=looks)

    assert changes == told(*edges)
    assert (changes[-1][1] if changes else False) == edges[-1][1]
    assert all(first[1] != second[1] for first, second in itertools.pairwise(changes))
