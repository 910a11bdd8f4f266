"""Edges of a GPIO line of the kernel's own simulator."""

from __future__ import annotations

import random

import pytest
from helpers import attach
from lab_devices import LINE, Toggle

from uio_workloop import GpioLine, Trigger
from uio_workloop.clock import monotonic_ns
from uio_workloop.testing import fence
from uio_workloop.testing.lab import guest

EDGES = 10_000
KERNEL_BUFFER = 16


@pytest.mark.statement(145)
@pytest.mark.timeout(180)
def test_edges_in_bursts_are_delivered_or_reported_lost(gpio_line, work_loop, seen, show):
    source = attach(work_loop, gpio_line, seen)
    toggle, bursts = Toggle(), random.Random(2)

    while toggle.made < EDGES:
        burst = min(EDGES - toggle.made, bursts.choice([1, 3, 10, 16, 30, 60]))
        with work_loop.gate:  # a busy driver: the kernel's buffer has to take the burst
            toggle(burst)
    seen.wait_for(lambda calls: sum(call.count for call in calls) + source.statistics.lost == EDGES)

    lost = source.statistics.lost
    show(f"gpio-sim, bursts: {toggle.made:,} edges made = {seen.total:,} delivered + {lost:,} lost by the kernel")
    assert source.trigger is Trigger.EDGE
    assert seen.total + lost == toggle.made
    assert lost > 0, "the bursts were meant to overflow the buffer"


@pytest.mark.timeout(180)
def test_edges_at_a_pace_below_the_buffer_size_are_all_delivered(gpio_line, work_loop, seen, show):
    source = attach(work_loop, gpio_line, seen)
    toggle, bursts = Toggle(), random.Random(3)

    while toggle.made < EDGES:
        toggle(min(EDGES - toggle.made, bursts.randint(1, KERNEL_BUFFER)))
        seen.wait_for_total(toggle.made)

    show(f"gpio-sim, paced:  {toggle.made:,} edges made = {seen.total:,} delivered, {source.statistics.lost} lost")
    assert (seen.total, source.statistics.lost) == (EDGES, 0)


@pytest.mark.statement(146)
def test_edges_while_disabled_arrive_as_one_count(gpio_line, work_loop, seen):
    source = attach(work_loop, gpio_line, seen)
    toggle = Toggle()
    toggle(1)
    seen.wait_for_total(1)
    source.disable()
    toggle(4)
    source.enable()
    seen.wait_for_total(5)


def test_a_second_source_on_a_line_has_lost_nothing_of_the_first_ones(gpio_line, work_loop, seen):
    toggle = Toggle()
    with attach(work_loop, gpio_line, seen):
        toggle(6)
        seen.wait_for_total(6)
    source = attach(work_loop, gpio_line, seen)
    toggle(1)
    seen.wait_for_total(7)
    assert source.statistics.lost == 0


@pytest.mark.parametrize(("edge", "expected"), [("rising", 3), ("falling", 3), ("both", 6)])
def test_only_the_edges_asked_for_interrupt(gpio_line, work_loop, seen, edge, expected):
    gpio_line.close()
    with GpioLine.find(f"{guest.gpio_chip().name}:{LINE}", edge=edge) as line:
        attach(work_loop, line, seen)
        Toggle()(6)
        seen.wait_for_total(expected)
    assert seen.total == expected


def test_a_line_tells_its_level(gpio_line):
    guest.set_gpio(LINE, True)
    assert gpio_line.value is True
    guest.set_gpio(LINE, False)
    assert gpio_line.value is False


@pytest.mark.statement(145)
def test_of_20_edges_in_a_buffer_of_16_the_newest_are_delivered_and_the_gap_is_reported_lost(
    gpio_line, work_loop, seen, show
):
    source = attach(work_loop, gpio_line, seen)
    source.disable()
    Toggle()(20)
    source.enable()
    seen.wait_for_calls(1)
    fence(work_loop)

    show(f"gpio-sim, 20 edges unread: {seen.counts} delivered, {source.statistics.lost} lost")
    assert seen.counts == [KERNEL_BUFFER]
    assert source.statistics.lost == 20 - KERNEL_BUFFER


@pytest.mark.parametrize(("kept", "queued"), [(64, 64), (4096, 1024)])
def test_the_kernel_queues_as_many_edges_as_are_kept_one_by_one(gpio_line, work_loop, seen, kept, queued):
    gpio_line.close()
    with GpioLine.find(f"{guest.gpio_chip().name}:{LINE}", keep_edges=kept) as line:
        source = attach(work_loop, line, seen)
        source.disable()
        Toggle()(queued + 6)
        source.enable()
        seen.wait_for_total(queued)
        fence(work_loop)
        with work_loop.gate:
            edges = line.take_edges()
    assert (seen.total, source.statistics.lost, len(edges)) == (queued, 6, queued)
    assert [edge.rising for edge in edges] == [True, False] * (queued // 2)


@pytest.mark.statement(58)
def test_the_time_of_an_edge_is_the_kernels_and_not_when_it_was_read(gpio_line, work_loop, seen):
    source = attach(work_loop, gpio_line, seen)
    source.enable_primary_interrupt_timestamp(True)
    source.disable()
    before_ns = monotonic_ns()
    Toggle()(1)
    after_ns = monotonic_ns()
    source.enable()
    seen.wait_for_calls(1)

    assert before_ns <= source.primary_interrupt_timestamp <= after_ns
