"""The IOKit contract, 3.12: what follows from the rest, and surprises."""

from __future__ import annotations

import threading

import pytest
from device_rigs import put_to_work
from helpers import DEADLINE_S, Background
from plain_sources import Counting

from uio_workloop import (
    CommandGate,
    FilterInterruptEventSource,
    InterruptEventSource,
    NotAttachedError,
    TimerEventSource,
)
from uio_workloop.testing import fence


@pytest.mark.statement(152, 154)
def test_what_software_signals_on_a_source_never_enabled_waits_and_its_line_stays_masked(rig, work_loop, seen):
    source = rig.source(seen)
    work_loop.add_event_source(source)
    source.interrupt_occurred()
    fence(work_loop)
    assert seen.calls == []
    assert rig.seems_masked()

    source.enable()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [1]
    assert rig.seems_open()


@pytest.mark.statement(153, 154)
def test_a_backlog_of_a_source_removed_and_added_again_does_not_unmask_its_line(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    with work_loop.gate:
        source.interrupt_occurred()
        work_loop.remove_event_source(source)
    work_loop.add_event_source(source)
    source.signal_work_available()
    fence(work_loop)
    assert seen.calls == []
    assert rig.seems_masked()

    source.enable()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [1]


@pytest.mark.statement(155)
def test_a_filter_that_disables_its_source_and_accepts_is_obeyed_and_its_count_kept(rig, work_loop, seen):
    answered = threading.Event()

    def disable_and_accept(sender):
        sender.disable()
        answered.set()
        return True

    source = rig.attach_filter(work_loop, seen, disable_and_accept)
    rig.cause()
    assert answered.wait(DEADLINE_S)
    fence(work_loop)
    assert not source.enabled
    assert rig.seems_masked()
    assert seen.calls == []

    source.enable()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [1]


@pytest.mark.statement(156)
@pytest.mark.parametrize("later", [True, False], ids=["later in the chain", "earlier in the chain"])
def test_a_source_that_an_action_triggers_is_served_in_the_next_pass(work_loop, seen, later):
    other = InterruptEventSource(None, seen)
    trigger = InterruptEventSource(None, lambda sender, count: other.interrupt_occurred())
    for source in (trigger, other) if later else (other, trigger):
        work_loop.add_event_source(source)
    fence(work_loop)
    with work_loop.gate:  # the passes are this thread's, so it can tell them apart
        trigger.interrupt_occurred()
        work_loop.run_event_sources()
        assert seen.calls == []
        work_loop.run_event_sources()
        assert seen.counts == [1]


@pytest.mark.statement(156)
def test_the_loop_serves_what_an_action_triggers_without_being_woken(work_loop, seen):
    others = [InterruptEventSource(None, seen) for _ in range(2)]
    trigger = InterruptEventSource(None, lambda sender, count: [other.interrupt_occurred() for other in others])
    for source in (others[0], trigger, others[1]):
        work_loop.add_event_source(source)
    fence(work_loop)
    trigger.interrupt_occurred()
    seen.wait_for_calls(2)

    assert [call.sender for call in seen.calls] == others


@pytest.mark.statement(157)
def test_an_action_that_replaces_itself_ends_as_it_began_and_the_next_delivery_uses_the_new_one(rig, work_loop, seen):
    calls = []

    def first(sender, count):
        calls.append("began")
        sender.set_action(rig.acknowledging(seen))
        calls.append("ended")

    rig.attach(work_loop, first)
    rig.cause()
    fence(work_loop)
    assert (calls, seen.calls) == (["began", "ended"], [])

    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert (calls, seen.counts) == (["began", "ended"], [1])


def test_a_source_without_action_keeps_its_count_for_the_one_it_gets(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    source.set_action(None)
    rig.cause()
    fence(work_loop)
    assert seen.calls == []

    source.set_action(rig.acknowledging(seen))
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [1]


@pytest.mark.statement(159)
def test_a_disabled_source_of_ones_own_is_visited_and_has_to_look_at_enabled_itself(work_loop):
    seen_enabled = []
    source = Counting(lambda sender: seen_enabled.append(sender.enabled))
    work_loop.add_event_source(source)
    source.await_visits(1)
    source.disable()
    source.signal_work_available()
    source.await_visits(2)

    assert seen_enabled[-1] is False


@pytest.mark.statement(160)
def test_enabling_a_source_of_ones_own_has_it_visited(work_loop):
    source = Counting()
    work_loop.add_event_source(source)
    source.disable()
    fence(work_loop)
    before = source.visits
    source.enable()

    source.await_visits(before + 1)


@pytest.mark.statement(160)
@pytest.mark.parametrize("make", [TimerEventSource, CommandGate, lambda action: InterruptEventSource(None, action)])
def test_enabling_any_source_that_has_kept_something_has_the_loop_look_at_it(work_loop, seen, make):
    looked = []
    with make(seen) as source:
        work_loop.add_event_source(source)
        source.disable()
        if source.is_interrupt:
            source.interrupt_occurred()
        fence(work_loop)
        source.check_for_work = lambda: bool(looked.append(work_loop.on_thread()))
        source.enable()
        fence(work_loop)
    assert looked[:1] == [True]


@pytest.mark.statement(161, 162)
def test_a_source_removed_while_its_action_sleeps_is_gone_and_not_unmasked_when_it_wakes(rig, work_loop, seen):
    asleep = threading.Event()
    refused = []

    def action(sender, count):
        asleep.set()
        work_loop.gate.sleep("until removed")
        for operation in (sender.enable, sender.signal_work_available, sender.interrupt_occurred):
            with pytest.raises(NotAttachedError):
                operation()
            refused.append(operation.__name__)
        seen(sender, count)

    source = rig.attach(work_loop, action)
    rig.cause()
    assert asleep.wait(DEADLINE_S)
    Background(work_loop.remove_event_source, source).result()
    assert source.work_loop is None
    assert rig.seems_masked()

    work_loop.gate.wakeup("until removed")
    seen.wait_for_calls(1)
    fence(work_loop)
    assert refused == ["enable", "signal_work_available", "interrupt_occurred"]
    assert source.producer_count == source.consumer_count == 1
    assert rig.seems_masked()


@pytest.mark.statement(161)
def test_the_rest_of_the_pass_is_served_after_an_action_whose_source_was_removed_in_its_sleep(work_loop, line, seen):
    asleep = threading.Event()

    def sleep(sender, count):
        asleep.set()
        work_loop.gate.sleep("until removed")

    first = put_to_work(work_loop, InterruptEventSource(line, sleep))
    second = InterruptEventSource(None, seen)
    work_loop.add_event_source(second)
    with work_loop.gate:
        line.cause()
        second.interrupt_occurred()
    assert asleep.wait(DEADLINE_S)
    Background(work_loop.remove_event_source, first).result()
    work_loop.gate.wakeup("until removed")

    seen.wait_for_calls(1)


@pytest.mark.statement(164)
def test_the_totals_of_a_source_go_on_when_it_is_removed_and_added_again(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    rig.cause()
    seen.wait_for_calls(1)
    work_loop.remove_event_source(source)
    put_to_work(work_loop, source)
    rig.cause()
    seen.wait_for_calls(2)
    fence(work_loop)

    assert (source.statistics.interrupts, source.statistics.action_calls) == (2, 2)
    assert (source.producer_count, source.consumer_count) == (2, 2)


@pytest.mark.statement(164)
def test_the_totals_of_a_new_source_on_the_same_line_begin_at_zero(rig, work_loop, seen):
    with rig.attach(work_loop, seen):
        rig.cause()
        seen.wait_for_calls(1)
        fence(work_loop)
    with rig.source(seen) as second:
        assert (second.statistics.interrupts, second.statistics.action_calls, second.producer_count) == (0, 0, 0)


@pytest.mark.statement(164)
def test_rejected_interrupts_are_in_the_totals_apart(rig, work_loop, seen):
    answers = iter([False, True])

    def every_other(sender):
        rig.acknowledge()
        return next(answers)

    with FilterInterruptEventSource(rig.provider, rig.acknowledging(seen), every_other) as source:
        put_to_work(work_loop, source)
        rig.burst(1)
        fence(work_loop)
        rig.cause()
        seen.wait_for_calls(1)
        fence(work_loop)
        assert (source.producer_count, source.statistics.rejected, source.statistics.action_calls) == (1, 1, 1)
