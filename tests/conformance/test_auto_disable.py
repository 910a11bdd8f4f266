"""The IOKit contract, 3.5: a level line is masked from the interrupt until its action has returned."""

from __future__ import annotations

import pytest
from device_rigs import put_to_work
from helpers import Background, Stage

from uio_workloop import InterruptEventSource, SoftwareInterrupt, Trigger
from uio_workloop.testing import fence


@pytest.fixture
def other_line(work_loop, seen):
    """A second interrupt source on the loop, enabled, and not of the rig's kind."""
    with SoftwareInterrupt(name="other") as line:
        yield put_to_work(work_loop, InterruptEventSource(line, seen))


@pytest.mark.statement(60)
def test_a_level_line_is_masked_before_its_action_starts_and_open_after_it_returned(level_rig, work_loop, seen):
    masked = []
    source = level_rig.attach(work_loop, lambda sender, count: (masked.append(level_rig.masked), seen(sender, count)))
    assert source.auto_disable
    level_rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert (masked, level_rig.masked) == ([True], False)


@pytest.mark.statement(60)
def test_the_source_itself_only_unmasks_because_the_line_masks_itself(logged_level, work_loop):
    put_to_work(work_loop, InterruptEventSource(logged_level, lambda sender, count: logged_level.log.append("action")))
    logged_level.log.clear()
    logged_level.cause()
    fence(work_loop)

    assert logged_level.log == ["action", "unmask"]


@pytest.mark.statement(60, 63)
def test_enable_leaves_a_level_line_with_something_to_deliver_to_its_action(logged_level, work_loop):
    source = put_to_work(
        work_loop, InterruptEventSource(logged_level, lambda sender, count: logged_level.log.append("action"))
    )
    source.disable()
    logged_level.cause()
    logged_level.log.clear()
    source.enable()
    fence(work_loop)

    assert logged_level.log == ["action", "unmask"]


@pytest.mark.statement(61)
def test_a_line_that_is_still_asserted_when_it_is_unmasked_interrupts_again(level_rig, work_loop, seen):
    def acknowledge_the_third_time(sender, count):
        seen(sender, count)
        quiet = level_rig.acknowledge if len(seen.calls) == 3 else level_rig.reassert
        quiet()

    put_to_work(work_loop, InterruptEventSource(level_rig.provider, acknowledge_the_third_time))
    level_rig.cause()
    seen.wait_for_calls(3)
    fence(work_loop)

    assert seen.counts == [1, 1, 1]


@pytest.mark.statement(62)
def test_a_source_disabled_in_its_action_keeps_its_line_masked_until_it_is_enabled(rig, work_loop, seen):
    source = rig.attach(work_loop, lambda sender, count: (sender.disable(), seen(sender, count)))
    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert rig.seems_masked()
    assert source.explicit_disable

    rig.cause()
    fence(work_loop)
    assert len(seen.calls) == 1

    source.enable()
    seen.wait_for_calls(2)


@pytest.mark.statement(63)
def test_a_source_disabled_between_interrupt_and_action_stays_silent_and_masked_until_it_is_enabled(
    rig, work_loop, seen
):
    source = rig.attach(work_loop, seen)
    with work_loop.gate:
        there_are = rig.burst(1)
        source.disable()
    fence(work_loop)
    assert seen.calls == []
    assert rig.seems_masked()

    source.enable()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [there_are]
    assert rig.seems_open()


@pytest.mark.statement(64)
def test_disable_and_enable_in_the_action_open_the_line_at_once_and_it_stays_open(level_rig, work_loop, seen):
    masked = []

    def action(sender, count):
        sender.disable()
        masked.append(level_rig.masked)
        sender.enable()
        masked.append(level_rig.masked)
        seen(sender, count)

    level_rig.attach(work_loop, action)
    level_rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert (masked, level_rig.masked) == ([True, False], False)
    assert seen.counts == [1]


@pytest.mark.statement(65)
def test_enable_in_the_action_opens_the_line_at_once_and_what_comes_then_is_delivered_next(level_rig, work_loop, seen):
    masked = []

    def action(sender, count):
        sender.enable()
        masked.append(level_rig.masked)
        if len(masked) == 1:
            level_rig.burst(1)
        seen(sender, count)

    level_rig.attach(work_loop, action)
    level_rig.cause()
    seen.wait_for_calls(2)
    fence(work_loop)

    assert set(masked) == {False}
    assert seen.counts[0] == 1
    assert not level_rig.masked


@pytest.mark.statement(66)
def test_disabling_all_interrupts_in_the_action_leaves_every_line_masked(rig, work_loop, seen, other_line):
    source = rig.attach(work_loop, lambda sender, count: (work_loop.disable_all_interrupts(), seen(sender, count)))
    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert (source.enabled, other_line.enabled, other_line.provider.masked) == (False, False, True)
    assert rig.seems_masked()


@pytest.mark.statement(66)
def test_enabling_all_interrupts_opens_those_too_that_were_disabled_one_by_one(rig, work_loop, seen, other_line):
    source = rig.attach(work_loop, seen)
    source.disable()
    work_loop.disable_all_interrupts()
    work_loop.enable_all_interrupts()

    assert (source.enabled, other_line.enabled, other_line.provider.masked) == (True, True, False)
    assert (source.explicit_disable, rig.seems_open()) == (False, True)
    rig.cause()
    seen.wait_for_calls(1)


@pytest.mark.statement(67)
def test_enable_and_disable_are_not_counted(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    source.disable()
    source.disable()
    source.enable()
    assert rig.seems_open()
    rig.cause()
    seen.wait_for_calls(1)

    source.enable()
    source.enable()
    source.disable()
    rig.cause()
    fence(work_loop)
    assert rig.seems_masked()
    assert len(seen.calls) == 1


@pytest.mark.statement(68)
def test_a_trigger_that_is_neither_edge_nor_level_counts_as_edge(logged_edge, work_loop):
    logged_edge.trigger = "messaged"
    source = put_to_work(
        work_loop, InterruptEventSource(logged_edge, lambda sender, count: logged_edge.log.append("action"))
    )
    logged_edge.log.clear()
    logged_edge.cause()
    fence(work_loop)

    assert not source.auto_disable
    assert logged_edge.log == ["unmask", "action"]


@pytest.mark.statement(60, 68)
def test_auto_disable_tells_whether_the_line_is_level_triggered(rig, seen):
    with rig.source(seen) as source:
        assert source.auto_disable is (rig.trigger is Trigger.LEVEL)


@pytest.mark.statement(69)
def test_a_source_removed_in_its_own_action_is_not_unmasked_after_it(rig, work_loop, seen):
    source = rig.attach(work_loop, lambda sender, count: (work_loop.remove_event_source(sender), seen(sender, count)))
    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert source.work_loop is None
    assert rig.seems_masked()

    rig.cause()
    fence(work_loop)
    assert len(seen.calls) == 1


@pytest.mark.statement(69)
def test_a_source_closed_in_its_own_action_gives_its_line_back_masked(rig, work_loop, seen):
    rig.attach(work_loop, lambda sender, count: (sender.close(), seen(sender, count)))
    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert rig.seems_masked()

    rig.source(seen).close()


@pytest.mark.statement(70)
def test_a_source_that_was_removed_and_added_again_is_masked_and_needs_enable(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    work_loop.remove_event_source(source)
    work_loop.add_event_source(source)
    rig.cause()
    fence(work_loop)
    assert not source.enabled
    assert rig.seems_masked()
    assert seen.calls == []

    source.enable()
    seen.wait_for_calls(1)


@pytest.mark.statement(71)
def test_once_disable_is_back_nothing_is_counted_here_and_what_the_kernel_counts_is_kept(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    rig.cause()
    seen.wait_for_calls(1)
    source.disable()
    there_are = rig.burst(4)
    fence(work_loop)
    assert (source.producer_count, len(seen.calls)) == (1, 1)

    source.enable()
    seen.wait_for_total(1 + there_are)
    fence(work_loop)
    assert seen.counts == [1, there_are]


@pytest.mark.statement(71)
def test_disable_waits_for_the_action_that_runs(rig, work_loop):
    stage = Stage()
    returned = []
    source = rig.attach(work_loop, lambda sender, count: (stage.hold(), returned.append(count)))
    rig.cause()
    stage.await_reached()
    disabling = Background(lambda: (source.disable(), returned.append("disabled")))
    stage.release()
    disabling.result()

    assert returned == [1, "disabled"]
