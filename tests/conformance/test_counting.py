"""The IOKit contract, 3.4: how interrupts are counted, and when the last one was."""

from __future__ import annotations

import pytest
from device_rigs import put_to_work

from uio_workloop import BadArgumentError, InterruptEventSource
from uio_workloop.clock import monotonic_ns
from uio_workloop.testing import fence

HALF = 1 << 31
WHOLE = 1 << 32


@pytest.fixture
def software(work_loop, seen):
    """A source without provider, on the loop."""
    source = InterruptEventSource(None, seen)
    work_loop.add_event_source(source)
    return source


# Counts


@pytest.mark.statement(45)
def test_interrupts_before_the_loop_runs_are_one_call_with_their_count(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    with work_loop.gate:
        there_are = rig.burst(5)
        work_loop.run_event_sources()
    fence(work_loop)

    assert seen.counts == [there_are]
    assert source.producer_count == source.consumer_count == there_are


@pytest.mark.statement(46)
def test_interrupts_during_the_action_are_a_second_call_with_their_own_count(rig, work_loop, seen):
    expected = [1]

    def action(sender, count):
        seen(sender, count)
        if len(seen.calls) == 1:
            expected.append(rig.burst(3))

    rig.attach(work_loop, action)
    rig.cause()
    seen.wait_for_calls(2)
    fence(work_loop)

    assert seen.counts == expected


@pytest.mark.statement(47)
def test_the_consumer_count_moves_after_the_action_to_what_the_action_was_given(rig, work_loop, seen):
    consumed = []
    expected = [1]

    def action(sender, count):
        consumed.append(sender.consumer_count)
        if len(consumed) == 1:
            expected.append(rig.burst(3))
        seen(sender, count)

    source = rig.attach(work_loop, action)
    rig.cause()
    seen.wait_for_calls(2)
    fence(work_loop)

    assert [*consumed, source.consumer_count] == [0, 1, 1 + expected[1]]


@pytest.mark.statement(47)
def test_what_a_pass_inside_the_action_notices_is_not_consumed_by_that_action(software, work_loop, seen):
    counts = []

    def action(sender, count):
        counts.append((count, sender.consumer_count))
        if len(counts) == 1:
            sender.interrupt_occurred(n=3)
            work_loop.run_event_sources()
        seen(sender, count)

    software.set_action(action)
    software.interrupt_occurred()
    seen.wait_for_calls(2)
    fence(work_loop)

    assert counts == [(1, 0), (3, 1)]
    assert software.consumer_count == software.producer_count == 4


@pytest.mark.statement(48)
def test_the_counters_wrap_at_32_bits_and_the_count_does_not_notice(software, work_loop, seen):
    software.interrupt_occurred(n=0xFFFFFFFE)
    seen.wait_for_calls(1)
    fence(work_loop)
    assert (software.producer_count, software.consumer_count) == (0xFFFFFFFE, 0xFFFFFFFE)

    software.interrupt_occurred(n=4)
    seen.wait_for_calls(2)
    fence(work_loop)
    assert seen.counts == [0xFFFFFFFE, 4]
    assert (software.producer_count, software.consumer_count) == (2, 2)


@pytest.mark.statement(49, 50)
@pytest.mark.parametrize("n", [HALF - 1, HALF, HALF + 1, WHOLE - 1, WHOLE, 3 * WHOLE + 5])
def test_a_count_of_any_size_is_positive_and_complete(software, work_loop, seen, n):
    software.interrupt_occurred(n=n)
    seen.wait_for_calls(1)
    fence(work_loop)

    assert seen.counts == [n]


@pytest.mark.statement(51)
def test_without_interrupts_no_number_of_signals_calls_the_action(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    for _ in range(100):
        work_loop.signal_work_available()
        source.signal_work_available()
        work_loop.run_event_sources()
    fence(work_loop)

    assert seen.calls == []


@pytest.mark.statement(52, 53)
def test_a_count_that_is_pending_when_its_source_is_disabled_waits_for_enable_and_is_not_dropped(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    with work_loop.gate:
        there_are = rig.burst(3)
        source.disable()
    fence(work_loop)
    assert seen.calls == []

    source.enable()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [there_are]


@pytest.mark.statement(54)
def test_a_count_that_is_pending_when_its_source_is_removed_is_delivered_when_it_is_back_and_enabled(
    rig, work_loop, seen
):
    source = rig.attach(work_loop, seen)
    with work_loop.gate:
        there_are = rig.burst(3)
        work_loop.remove_event_source(source)
    work_loop.add_event_source(source)
    fence(work_loop)
    assert seen.calls == []

    source.enable()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [there_are]


@pytest.mark.statement(55)
def test_a_level_source_told_of_an_interrupt_by_software_does_not_mask_and_opens_its_line_after_the_action(
    logged_level, work_loop, seen
):
    def action(sender, count):
        logged_level.log.append("action")
        seen(sender, count)

    source = put_to_work(work_loop, InterruptEventSource(logged_level, action))
    logged_level.log.clear()
    source.interrupt_occurred()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert logged_level.log == ["action", "unmask"]
    assert seen.counts == [1]


@pytest.mark.statement(55)
def test_a_level_line_stays_open_while_the_action_handles_an_interrupt_of_softwares(level_rig, work_loop, seen):
    masked = []
    source = level_rig.attach(work_loop, lambda sender, count: (masked.append(level_rig.masked), seen(sender, count)))
    source.interrupt_occurred()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert (masked, level_rig.masked, seen.counts) == ([False], False, [1])


@pytest.mark.statement(59)
def test_nothing_masks_an_edge_line_around_its_action(edge_rig, work_loop, seen):
    seems_open = []

    def action(sender, count):
        seems_open.append(edge_rig.seems_open())
        seen(sender, count)

    edge_rig.attach(work_loop, action)
    edge_rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert seems_open == [True]
    assert edge_rig.seems_open()


@pytest.mark.statement(59)
def test_no_call_to_mask_an_edge_line_is_made(logged_edge, work_loop, seen):
    put_to_work(work_loop, InterruptEventSource(logged_edge, seen))
    logged_edge.log.clear()
    logged_edge.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert "mask" not in logged_edge.log


# Time stamps


@pytest.mark.statement(56)
def test_the_time_of_the_last_interrupt_is_none_while_off_and_0_before_the_first(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    off = source.primary_interrupt_timestamp
    source.enable_primary_interrupt_timestamp(True)
    before = source.primary_interrupt_timestamp
    rig.cause()
    seen.wait_for_calls(1)
    first = source.primary_interrupt_timestamp
    rig.cause()
    seen.wait_for_calls(2)
    last = source.primary_interrupt_timestamp
    source.enable_primary_interrupt_timestamp(False)

    assert (off, before, source.primary_interrupt_timestamp) == (None, 0, None)
    assert 0 < first < last


@pytest.mark.statement(57)
def test_a_source_without_provider_has_no_time_of_its_last_interrupt(software, work_loop, seen):
    software.enable_primary_interrupt_timestamp(True)
    before = software.primary_interrupt_timestamp
    software.interrupt_occurred()
    seen.wait_for_calls(1)

    assert (before, software.primary_interrupt_timestamp) == (None, None)


@pytest.mark.statement(58)
def test_the_time_of_an_interrupt_is_not_before_its_cause_and_not_after_its_action(rig, work_loop, seen):
    action_ns = []
    source = rig.attach(work_loop, lambda sender, count: (action_ns.append(monotonic_ns()), seen(sender, count)))
    source.enable_primary_interrupt_timestamp(True)
    caused_ns = monotonic_ns()
    rig.cause()
    seen.wait_for_calls(1)

    assert caused_ns <= source.primary_interrupt_timestamp <= action_ns[0]


@pytest.mark.parametrize(("n", "error"), [(0, BadArgumentError), (-1, BadArgumentError), (1.5, TypeError)])
def test_triggering_with_what_is_no_number_of_interrupts_is_refused_and_counts_nothing(work_loop, seen, n, error):
    source = InterruptEventSource(None, seen)
    work_loop.add_event_source(source)
    with pytest.raises(error):
        source.interrupt_occurred(n=n)
    assert source.producer_count == 0
