"""The IOKit contract, 3.1: making sources, and putting them on a loop."""

from __future__ import annotations

import pytest
from plain_sources import Counting, Passive

import uio_workloop
from uio_workloop import (
    AlreadyAttachedError,
    BadArgumentError,
    InterruptEventSource,
    NoInterruptError,
    NoResourcesError,
    NotAttachedError,
    TimerEventSource,
    WorkLoop,
)
from uio_workloop.clock import monotonic_ns
from uio_workloop.testing import fence

# Interrupt sources


@pytest.mark.statement(1)
def test_a_new_interrupt_source_has_a_masked_line_and_calls_nothing_until_it_is_enabled(rig, work_loop, seen):
    source = rig.source(seen)
    work_loop.add_event_source(source)
    assert rig.seems_masked()

    rig.cause()
    fence(work_loop)
    assert seen.calls == []

    source.enable()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert rig.seems_open()


@pytest.mark.statement(2, 3)
def test_an_interrupt_source_is_enabled_by_enable_alone_and_disabled_by_removal(rig, work_loop, seen):
    source = rig.source(seen)
    born = source.enabled
    work_loop.add_event_source(source)
    added = source.enabled
    source.enable()
    enabled = source.enabled
    work_loop.remove_event_source(source)

    assert (born, added, enabled, source.enabled) == (False, False, True, False)


@pytest.mark.statement(4)
def test_a_source_without_provider_delivers_what_it_is_told_without_being_enabled(work_loop, seen):
    source = InterruptEventSource(None, seen)
    work_loop.add_event_source(source)
    source.interrupt_occurred()

    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [1]


@pytest.mark.statement(5)
def test_a_source_without_provider_can_be_disabled_and_keeps_its_count_until_enabled(work_loop, seen):
    source = InterruptEventSource(None, seen)
    work_loop.add_event_source(source)
    source.disable()
    source.interrupt_occurred()
    source.interrupt_occurred()
    fence(work_loop)
    assert seen.calls == []

    source.enable()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [2]


@pytest.mark.statement(6)
def test_the_index_is_negative_without_a_provider_and_once_the_line_is_given_back(rig, seen):
    source = rig.source(seen)
    registered = source.int_index
    source.close()

    assert (registered, source.int_index, InterruptEventSource(None, seen).int_index) == (0, -1, -1)


@pytest.mark.statement(7)
def test_everything_but_an_interrupt_line_is_enabled_at_birth(line, seen):
    sources = [
        Counting(),
        Passive(),
        InterruptEventSource(None, seen),
        uio_workloop.CommandGate(seen),
        TimerEventSource(seen),
        InterruptEventSource(line, seen),
    ]
    assert [source.enabled for source in sources] == [True, True, True, True, True, False]
    for source in sources:
        source.close()


@pytest.mark.statement(8)
def test_an_owner_is_only_kept_and_need_not_be_given(rig, seen):
    with rig.source(seen) as without_owner:
        assert without_owner.owner is None
    with rig.source(seen, owner="driver") as owned:
        assert owned.owner == "driver"


@pytest.mark.statement(9)
@pytest.mark.parametrize("index", [1, -1, 7])
def test_an_index_that_does_not_exist_is_refused_and_nothing_stays_registered(rig, work_loop, seen, index):
    with pytest.raises(NoInterruptError):
        InterruptEventSource(rig.provider, seen, index=index)

    rig.attach(work_loop, seen)
    rig.cause()
    seen.wait_for_calls(1)


@pytest.mark.statement(9)
def test_a_second_source_on_a_line_is_refused_and_the_first_goes_on(rig, work_loop, seen):
    first = rig.attach(work_loop, seen)
    with pytest.raises(NoResourcesError):
        rig.source(seen)
    rig.cause()
    seen.wait_for_calls(1)
    first.close()

    rig.source(seen).close()


@pytest.mark.statement(10)
def test_a_filter_source_without_a_filter_is_refused_and_the_line_stays_free(rig, work_loop, seen):
    with pytest.raises(BadArgumentError):
        uio_workloop.FilterInterruptEventSource(rig.provider, seen, None)

    rig.attach(work_loop, seen)
    rig.cause()
    seen.wait_for_calls(1)


# The chain


@pytest.mark.statement(11)
def test_one_walk_visits_pending_sources_in_order_of_addition(work_loop):
    visited = []
    sources = [InterruptEventSource(None, lambda sender, count: visited.append(sender)) for _ in range(3)]
    for source in sources:
        work_loop.add_event_source(source)
    with work_loop.gate:
        for source in reversed(sources):
            source.interrupt_occurred()
        work_loop.run_event_sources()

    assert visited == sources


@pytest.mark.statement(12)
def test_a_second_add_is_refused_and_the_source_is_on_the_chain_once(work_loop):
    source = Counting()
    work_loop.add_event_source(source)
    with pytest.raises(AlreadyAttachedError):
        work_loop.add_event_source(source)

    assert work_loop.event_sources == (source,)


@pytest.mark.statement(13)
def test_a_source_of_another_loop_is_refused_and_nothing_changes(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    with WorkLoop("another") as other:
        with pytest.raises(AlreadyAttachedError, match="under test"):
            other.add_event_source(source)
        assert other.event_sources == ()
    rig.cause()
    seen.wait_for_calls(1)


@pytest.mark.statement(14)
def test_removing_a_source_that_is_on_no_loop_is_refused(work_loop):
    source = Counting()
    with pytest.raises(NotAttachedError):
        work_loop.remove_event_source(source)

    work_loop.add_event_source(source)
    source.await_visits(1)


@pytest.mark.statement(15)
def test_removing_a_source_from_the_wrong_loop_is_refused_and_it_still_works_on_its_own(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    with WorkLoop("another") as other, pytest.raises(NotAttachedError):
        other.remove_event_source(source)
    rig.cause()
    seen.wait_for_calls(1)


@pytest.mark.statement(16)
def test_a_class_that_checks_for_work_is_walked(work_loop):
    source = Counting()
    work_loop.add_event_source(source)
    source.await_visits(1)
    work_loop.signal_work_available()
    source.await_visits(2)


@pytest.mark.statement(16)
def test_a_class_that_does_not_check_for_work_calls_nothing_but_is_enabled_and_disabled_with_all(work_loop, seen):
    source = Passive(seen)
    work_loop.add_event_source(source)
    work_loop.signal_work_available()
    fence(work_loop)
    work_loop.disable_all_event_sources()
    disabled = source.enabled
    work_loop.enable_all_event_sources()

    assert (seen.calls, disabled, source.enabled) == ([], False, True)


@pytest.mark.statement(17, 18)
def test_adding_a_source_with_a_backlog_wakes_the_loop_for_it(work_loop):
    fence(work_loop)  # idle from here on
    source = Counting()
    work_loop.add_event_source(source)

    source.await_visits(1)


@pytest.mark.statement(19)
def test_a_timer_armed_before_it_was_added_fires_at_its_first_deadline(work_loop, seen):
    fired_ns = []
    with TimerEventSource(lambda sender: (fired_ns.append(monotonic_ns()), seen(sender))) as timer:
        timer.set_timeout_ms(20)
        deadline = timer.abstime
        work_loop.add_event_source(timer)
        seen.wait_for_calls(1)
    assert fired_ns[0] >= deadline


@pytest.mark.statement(19)
def test_a_timer_whose_deadline_passed_before_it_was_added_fires_when_it_is(work_loop, seen):
    with TimerEventSource(seen) as timer:
        timer.wake_at_time_ns(monotonic_ns() - 1)
        work_loop.add_event_source(timer)
        seen.wait_for_calls(1)


@pytest.mark.statement(20)
def test_an_interrupt_source_on_no_loop_cannot_be_enabled_nor_triggered_and_its_line_stays_masked(rig, seen):
    with rig.source(seen) as source:
        with pytest.raises(NotAttachedError):
            source.enable()
        with pytest.raises(NotAttachedError):
            source.interrupt_occurred()
        assert rig.seems_masked()
        assert source.producer_count == 0


# The thread's name


class Keyboard:
    """An owner."""


class Mouse:
    """Another."""


@pytest.mark.statement(21)
def test_an_unnamed_loops_thread_takes_the_class_name_of_the_first_owner(seen):
    with WorkLoop() as loop:
        loop.add_event_source(InterruptEventSource(None, seen))
        unowned = loop.thread.name
        loop.add_event_source(InterruptEventSource(None, seen, owner=Keyboard()))
        loop.add_event_source(InterruptEventSource(None, seen, owner=Mouse()))

        assert unowned != "Keyboard"
        assert loop.thread.name == "Keyboard"


@pytest.mark.statement(21)
def test_a_named_loop_keeps_its_name(work_loop, seen):
    work_loop.add_event_source(InterruptEventSource(None, seen, owner=Keyboard()))
    assert work_loop.thread.name == "under test"
