"""A line that bounces, debounced by the kernel and here: one change is one, and the last is never swallowed."""

from __future__ import annotations

import os

import pytest
from helpers import attach
from lab_devices import LINE, Toggle, gpio_chip

from uio_workloop import DeviceGoneError, GpioLine, TimerEventSource
from uio_workloop.clock import monotonic_ns
from uio_workloop.testing import Recorder, fence
from uio_workloop.testing.lab import guest

pytestmark = pytest.mark.usefixtures("own_affinity")

PERIOD_US = 200_000  # long, as a slow machine may pause in the middle of a bounce
BOUNCES = 31


@pytest.fixture(params=["kernel", "software"])
def debounced(request):
    with GpioLine.find(f"gpio:lab/{LINE}", debounce_us=PERIOD_US, debounce=request.param, keep_edges=64) as line:
        yield line


def test_a_press_that_bounces_is_one_interrupt_and_so_is_its_release(debounced, work_loop, seen, show, request):
    source = attach(work_loop, debounced, seen)
    toggle = Toggle()
    began_ns = monotonic_ns()
    toggle(BOUNCES)
    seen.wait_for_total(1)
    took_ms = (monotonic_ns() - began_ns) / 1e6
    toggle(BOUNCES)
    seen.wait_for_total(2)
    fence(work_loop)

    show(
        f"debounce {request.node.callspec.params['debounced']}: {toggle.made} raw edges, {seen.total} interrupts, "
        f"{source.statistics.lost} raw edges lost, told {took_ms:.0f} ms after the first edge"
    )
    with work_loop.gate:
        assert [edge.rising for edge in debounced.take_edges()] == [True, False]
    assert seen.total == 2
    assert took_ms >= PERIOD_US / 1e3


def test_a_glitch_is_no_interrupt_and_the_press_after_it_is(debounced, work_loop, seen):
    attach(work_loop, debounced, seen)
    toggle = Toggle()
    toggle(BOUNCES + 1)  # ends where it began
    settled = Recorder()
    timer = TimerEventSource(settled)
    work_loop.add_event_source(timer)
    timer.set_timeout_ms(2 * PERIOD_US // 1_000)
    settled.wait_for_calls(1)
    assert seen.calls == []
    toggle(1)
    seen.wait_for_total(1)


@pytest.mark.parametrize(("edge", "rising"), [("rising", [True, True]), ("falling", [False])])
def test_only_the_changes_asked_for_interrupt(debounced, work_loop, seen, edge, rising):
    debounced.edge = edge
    debounced.debounce_us = 50_000
    attach(work_loop, debounced, seen)
    other = Recorder()  # sees to it that each level has lasted
    timer = TimerEventSource(other)
    work_loop.add_event_source(timer)
    for n, high in enumerate([True, False, True], start=1):
        guest.set_gpio(LINE, high)
        timer.set_timeout_ms(150)
        other.wait_for_calls(n)
    seen.wait_for_total(len(rising))
    fence(work_loop)
    with work_loop.gate:
        assert [edge.rising for edge in debounced.take_edges()] == rising


def open_software(**how) -> GpioLine:
    return GpioLine.find(f"gpio:lab/{LINE}", debounce="software", **how)


def test_a_busy_driver_counts_the_same_changes_later(work_loop, seen):
    """Three presses and releases that lasted, read at once."""
    with open_software(debounce_us=1) as line:
        attach(work_loop, line, seen)
        with work_loop.gate:
            Toggle()(6)
        seen.wait_for_total(6)
        fence(work_loop)
    assert seen.total == 6


def test_the_time_of_a_change_is_the_kernels_time_of_its_last_bounce(work_loop, seen):
    with open_software(debounce_us=PERIOD_US) as line:
        source = attach(work_loop, line, seen)
        source.enable_primary_interrupt_timestamp(True)
        toggle = Toggle()
        toggle(6)
        before_ns = monotonic_ns()
        toggle(1)
        after_ns = monotonic_ns()
        seen.wait_for_total(1)
        assert before_ns <= source.primary_interrupt_timestamp <= after_ns


def test_of_more_bounces_than_the_kernel_keeps_the_level_that_stays_is_told(work_loop, seen, show):
    with open_software(debounce_us=PERIOD_US) as line:
        source = attach(work_loop, line, seen)
        source.disable()
        Toggle()(101)
        source.enable()
        seen.wait_for_total(1)
        fence(work_loop)
        show(f"software debounce: 101 raw edges unread, {source.statistics.lost} lost, {seen.total} change told")
        assert (seen.total, line.value) == (1, True)
        assert source.statistics.lost == 101 - 16


def test_the_time_to_wait_is_changed_under_a_source(work_loop, seen):
    with open_software(debounce_us=600_000_000) as line:
        source = attach(work_loop, line, seen)
        descriptor = source.fileno()
        toggle = Toggle()
        toggle(3)
        fence(work_loop)
        assert seen.calls == []
        line.debounce_us = 1_000
        toggle(2)
        seen.wait_for_total(1)
        assert source.fileno() == descriptor


def test_a_second_source_begins_at_the_level_there_is(work_loop, seen):
    with open_software(debounce_us=1_000) as line:
        toggle = Toggle()
        with attach(work_loop, line, seen):
            toggle(1)
            seen.wait_for_total(1)
        toggle(2)  # while nobody listens
        attach(work_loop, line, seen)
        toggle(1)
        seen.wait_for_total(2)
        fence(work_loop)
    assert seen.total == 2


def test_an_idle_line_wakes_nobody_after_it_has_settled(work_loop, seen):
    with open_software(debounce_us=1_000) as line:
        attach(work_loop, line, seen)
        Toggle()(1)
        seen.wait_for_total(1)
        fence(work_loop)
        assert work_loop.dispatch.poll_set.wait(0) == []


@pytest.mark.parametrize("debounce", ["kernel", "software"])
def test_a_debounced_line_leaves_with_its_chip(work_loop, seen, debounce, show):
    left = Recorder()
    with gpio_chip("leaving") as chip:
        line = GpioLine.find(f"{chip}:0", debounce_us=1_000, debounce=debounce)
        source = attach(work_loop, line, seen)
        source.on_terminated = left
        fence(work_loop)
    left.wait_for_calls(1)
    fence(work_loop)
    assert len(left.calls) == 1
    for use in (lambda: line.value, lambda: setattr(line, "debounce_us", 5_000)):
        with pytest.raises(DeviceGoneError, match="its device has left") as refused:
            use()
        show(f"chip gone: {refused.value}")
    line.close()


def test_a_closed_line_leaves_no_descriptor(work_loop, seen):
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with open_software(debounce_us=1_000) as line:
            attach(work_loop, line, seen)
    assert set(os.listdir("/proc/self/fd")) == before
