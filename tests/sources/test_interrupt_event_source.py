"""Interrupts: counts, masks, silence, departure."""

from __future__ import annotations

import os
import threading

import pytest
from helpers import DEADLINE_S, Background, Gatekeeper, LoggedInterrupt, Stage, attach

from uio_workloop import (
    BadArgumentError,
    ClosedError,
    InterruptEventSource,
    NoInterruptError,
    NoResourcesError,
    NotAttachedError,
    SoftwareInterrupt,
    Trigger,
)
from uio_workloop.testing import fence

# Counts


def test_no_interrupt_is_lost_while_the_gate_is_held(work_loop, line, seen):
    attach(work_loop, line, seen)

    with work_loop.gate:
        for _ in range(3):
            line.cause()

    seen.wait_for_total(3)


def test_interrupts_before_the_pass_arrive_as_one_count(work_loop, line, seen):
    source = attach(work_loop, line, seen)
    with work_loop.gate:
        line.cause(5)
        work_loop.run_event_sources()

    assert seen.counts == [5]
    assert (source.statistics.interrupts, source.statistics.action_calls, source.statistics.coalesced) == (5, 1, 4)


def test_interrupts_during_the_action_are_a_second_call(work_loop, line, seen):
    def action(sender, count):
        if not seen.calls:
            line.cause(3)
        seen(sender, count)

    attach(work_loop, line, action)
    line.cause()

    assert [call.count for call in seen.wait_for_calls(2)] == [1, 3]


def test_four_threads_causing_interrupts_lose_none_and_invent_none(work_loop, edge_line, seen):
    attach(work_loop, edge_line, seen)
    causes = [Background(lambda: [edge_line.cause() for _ in range(5000)]) for _ in range(4)]
    for each in causes:
        each.result()
    seen.wait_for_total(20_000)
    fence(work_loop)

    assert seen.total == 20_000
    assert min(seen.counts) >= 1


def test_what_came_before_the_source_was_made_is_not_its_business(work_loop, line, seen):
    line.cause(7)
    attach(work_loop, line, seen)
    line.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert seen.counts == [1]


def test_an_action_can_be_replaced_and_the_next_delivery_uses_it(work_loop, line, seen):
    source = attach(work_loop, line, lambda sender, count: None)
    source.set_action(seen)
    line.cause()
    seen.wait_for_calls(1)


# Mask and unmask


@pytest.mark.parametrize(
    ("trigger", "order"), [(Trigger.LEVEL, ["action", "unmask"]), (Trigger.EDGE, ["unmask", "action"])]
)
def test_level_unmasks_after_the_action_and_edge_before(work_loop, trigger, order):
    with LoggedInterrupt(trigger) as line:
        attach(work_loop, line, lambda sender, count: line.log.append("action"))
        line.log.clear()
        line.cause()
        fence(work_loop)
        assert line.log == order


@pytest.mark.parametrize("trigger", Trigger)
def test_a_line_is_unmasked_again_after_an_action_that_raised(work_loop, trigger):
    with LoggedInterrupt(trigger) as line:

        def fail(sender, count):
            raise ValueError

        attach(work_loop, line, fail)
        line.cause()
        fence(work_loop)
        assert not line.masked


def test_a_source_is_born_disabled_with_its_line_masked(work_loop, line, seen):
    source = InterruptEventSource(line, seen)
    work_loop.add_event_source(source)
    line.cause()
    fence(work_loop)

    assert not source.enabled
    assert line.masked
    assert seen.calls == []


@pytest.mark.parametrize("trigger", Trigger)
def test_disabling_inside_the_action_leaves_the_line_masked(work_loop, trigger, seen):
    def action(sender, count):
        seen(sender, count)
        sender.disable()

    with SoftwareInterrupt(trigger) as line:
        source = attach(work_loop, line, action)
        line.cause()
        seen.wait_for_calls(1)
        line.cause()
        fence(work_loop)

        assert line.masked
        assert len(seen.calls) == 1
        source.enable()
        seen.wait_for_calls(2)


def test_enabling_inside_a_level_action_opens_the_line_at_once(work_loop, line, seen):
    masked = []

    def action(sender, count):
        masked.append(line.masked)
        sender.enable()
        masked.append(line.masked)
        seen(sender, count)

    attach(work_loop, line, action)
    line.cause()
    seen.wait_for_calls(1)

    assert masked == [True, False]


def test_what_a_level_action_has_opened_is_not_opened_again_after_it(work_loop, seen):
    def action(sender, count):
        sender.enable()
        seen(sender, count)

    with Gatekeeper() as line:
        attach(work_loop, line, action)
        for calls in (1, 2):
            line.cause()
            seen.wait_for_calls(calls)
            fence(work_loop)
            assert (line.masked, line.opened_again) == (False, 0)


def test_enables_and_disables_do_not_nest(work_loop, line, seen):
    source = attach(work_loop, line, seen)
    source.disable()
    source.disable()
    source.enable()
    line.cause()
    seen.wait_for_calls(1)


# Disabled means silent


def test_a_disabled_source_stays_silent_and_delivers_one_count_when_enabled(work_loop, line, seen):
    source = attach(work_loop, line, seen)
    source.disable()

    for _ in range(4):
        line.cause()
    fence(work_loop)
    assert seen.calls == []

    source.enable()
    fence(work_loop)
    assert seen.counts == [4]


@pytest.mark.parametrize("trigger", Trigger)
def test_no_action_runs_after_disable_returned_however_hard_another_thread_tries(work_loop, trigger):
    silent = threading.Event()
    broken: list[int] = []
    stop = threading.Event()

    def action(sender, count):
        if silent.is_set():
            broken.append(count)

    with SoftwareInterrupt(trigger) as line:
        source = attach(work_loop, line, action)

        def storm():
            while not stop.is_set():
                line.cause()

        storms = [Background(storm) for _ in range(2)]
        for _ in range(300):
            source.disable()
            silent.set()
            work_loop.run_event_sources()
            silent.clear()
            source.enable()
        stop.set()
        for each in storms:
            each.result()
    assert broken == []


def test_disable_waits_for_the_action_that_runs(work_loop, line, seen):
    stage = Stage()

    def action(sender, count):
        stage.hold()
        seen(sender, count)

    source = attach(work_loop, line, action)
    line.cause()
    stage.await_reached()
    disabler = Background(source.disable)
    stage.release()
    disabler.result()

    assert len(seen.calls) == 1


def test_what_was_drained_but_not_delivered_survives_disable_and_removal(work_loop, line, seen):
    source = attach(work_loop, line, seen)
    source.enable_primary_interrupt_timestamp(True)  # so that it is drained at once, whoever has the gate
    fence(work_loop)
    with work_loop.gate:  # the thread drains, and waits for the gate with the count in hand
        line.cause(2)
        while source.statistics.interrupts == 0:
            os.sched_yield()
        source.disable()
        work_loop.remove_event_source(source)
    fence(work_loop)
    assert seen.calls == []

    work_loop.add_event_source(source)
    source.enable()
    fence(work_loop)
    assert seen.counts == [2]


def test_a_subclass_that_decides_for_itself_whether_it_is_enabled_is_asked(work_loop, edge_line, seen):
    class Vetoed(InterruptEventSource):
        vetoed = False

        @property
        def enabled(self):
            return super().enabled and not self.vetoed

    source = Vetoed(edge_line, seen)
    work_loop.add_event_source(source)
    source.enable()
    source.vetoed = True
    passed = threading.Event()
    with SoftwareInterrupt() as later:  # no fence, which would have everybody go the long way
        attach(work_loop, later, lambda sender, count: passed.set())
        edge_line.cause()
        later.cause()
        assert passed.wait(DEADLINE_S)
    assert seen.calls == []


# Refusals


def test_a_line_has_one_source_at_a_time_and_the_second_hears_who_has_it(work_loop, line, seen):
    first = InterruptEventSource(line, seen)
    with pytest.raises(NoResourcesError, match="the interrupt of line is taken by InterruptEventSource on line; close"):
        InterruptEventSource(line, seen)

    first.close()
    attach(work_loop, line, seen)
    line.cause()
    seen.wait_for_calls(1)


def test_an_interrupt_that_does_not_exist_is_refused(line, seen):
    with pytest.raises(NoInterruptError, match="line has no interrupt 3: its only interrupt has index 0"):
        InterruptEventSource(line, seen, index=3)
    InterruptEventSource(line, seen).close()


def test_enabling_a_source_on_no_loop_is_refused_and_the_line_stays_masked(line, seen):
    with InterruptEventSource(line, seen) as source:
        with pytest.raises(NotAttachedError, match="add it to a work loop with add_event_source"):
            source.enable()
        assert line.masked


def test_a_closed_source_and_a_closed_line_say_so(work_loop, line, seen):
    source = attach(work_loop, line, seen)
    source.close()
    source.close()
    with pytest.raises(ClosedError, match="cannot enable InterruptEventSource on line: it is closed; make a new one"):
        source.enable()
    line.close()
    with pytest.raises(ClosedError, match="line is closed; make a new SoftwareInterrupt"):
        InterruptEventSource(line, seen)
    with pytest.raises(ClosedError):
        line.cause()


class ClosedMeanwhile(SoftwareInterrupt):
    """Another thread closes it just after its interrupt was claimed."""

    def claim_interrupt(self, index, claimant):
        line = super().claim_interrupt(index, claimant)
        self.close()
        return line


def test_a_provider_closed_while_a_source_is_being_made_refuses_the_source(seen):
    with pytest.raises(ClosedError, match="it is closed; make a new one"):
        InterruptEventSource(ClosedMeanwhile(name="line"), seen)


@pytest.mark.parametrize("n", [0, -1, 2**64])
def test_causing_no_interrupt_or_more_than_the_kernel_holds_is_refused(line, n):
    with pytest.raises(BadArgumentError, match=f"cannot cause {n} interrupts on line: n is 1 to "):
        line.cause(n)


# What cannot be delivered now


class Counted(InterruptEventSource):
    """Counts how often it is looked at."""

    looked = 0

    def on_ready(self):
        self.looked += 1
        return super().on_ready()


FEW = 4  # when it is ready, and once more before the loop sleeps


def test_interrupts_that_have_no_action_to_go_to_are_not_looked_at_again_and_again(work_loop, edge_line, seen):
    source = Counted(edge_line, None)
    work_loop.add_event_source(source)
    source.enable()
    edge_line.cause()
    fence(work_loop)
    fence(work_loop)  # the loop may have been about to look again when the first was passed
    assert source.looked <= FEW

    source.set_action(seen)
    seen.wait_for_total(1)


def test_interrupts_during_an_action_asleep_on_a_client_are_not_looked_at_again_and_again(work_loop, edge_line, seen):
    dozing = threading.Event()

    def doze(sender, count):
        if not dozing.is_set():
            dozing.set()
            work_loop.gate.sleep("token")
        seen(sender, count)

    def run_the_action_here():
        with work_loop.gate:
            edge_line.cause()
            work_loop.run_event_sources()

    source = Counted(edge_line, doze)
    work_loop.add_event_source(source)
    source.enable()
    client = Background(run_the_action_here)
    assert dozing.wait(DEADLINE_S)
    before = source.looked
    edge_line.cause()
    fence(work_loop)
    fence(work_loop)
    assert source.looked - before <= FEW

    work_loop.gate.wakeup("token")
    client.result()
    seen.wait_for_total(2)
