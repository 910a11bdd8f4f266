"""The IOKit contract, 3.6: filters, which see an interrupt before the action does and may refuse it."""

from __future__ import annotations

import logging
import os
import threading

import pytest
from helpers import DEADLINE_S, Background, Stage

from uio_workloop import FilterInterruptEventSource, GateBusyError, NotAttachedError, UsageError
from uio_workloop.clock import monotonic_ns
from uio_workloop.testing import fence


class Filter:
    """Acknowledges the rig, gives one answer, and counts how often it was asked; `work` is done in between."""

    def __init__(self, rig, answer, work=lambda sender: None):
        self._rig = rig
        self._answer = answer
        self._work = work
        self._asked = threading.Semaphore(0)
        self.calls = 0

    def __call__(self, sender):
        self._rig.acknowledge()
        self.calls += 1
        try:
            self._work(sender)
        finally:
            self._asked.release()
        return self._answer

    def await_call(self):
        assert self._asked.acquire(timeout=DEADLINE_S), "the filter was not asked"


def gate_is_free(work_loop):
    try:
        with work_loop.gate.attempt():
            return True
    except GateBusyError:
        return False


# What a filter decides


@pytest.mark.statement(72, 73)
def test_what_a_filter_rejects_is_not_counted_not_delivered_and_leaves_the_line_open(rig, work_loop, seen):
    no = Filter(rig, False)
    source = rig.attach_filter(work_loop, seen, no)
    for _ in range(3):
        rig.cause()
        no.await_call()
        fence(work_loop)
        assert rig.seems_open()

    assert seen.calls == []
    assert (source.producer_count, source.statistics.rejected, source.statistics.action_calls) == (0, 3, 0)


@pytest.mark.statement(72)
def test_nothing_is_done_to_an_edge_line_whose_interrupt_is_rejected(logged_edge, work_loop, seen):
    with FilterInterruptEventSource(logged_edge, seen, lambda sender: False) as source:
        work_loop.add_event_source(source)
        source.enable()
        logged_edge.log.clear()
        logged_edge.cause()
        fence(work_loop)
        assert "mask" not in logged_edge.log
        assert not logged_edge.masked


@pytest.mark.statement(74)
def test_filter_action_and_unmask_come_in_the_order_of_the_trigger(logged, work_loop):
    masked = []

    def yes(sender):
        masked.append(logged.masked)
        logged.log.append(f"filter at {sender.producer_count}")
        return True

    def action(sender, count):
        logged.log.append(f"action at {sender.producer_count}")

    with FilterInterruptEventSource(logged, action, yes) as source:
        work_loop.add_event_source(source)
        source.enable()
        logged.log.clear()
        logged.cause()
        fence(work_loop)
        in_order = [word for word in logged.log if word != "unmask"]
        assert in_order == ["filter at 0", "action at 1"]
        assert logged.log.index("unmask") == (2 if source.auto_disable else 1)
        assert masked == [source.auto_disable]  # who masks a level line has done so before anyone is asked


@pytest.mark.statement(74)
def test_an_accepted_interrupt_reaches_the_action_and_the_line_is_open_afterwards(rig, work_loop, seen):
    masked = []

    def action(sender, count):
        masked.append(rig.masked)
        seen(sender, count)

    source = rig.attach_filter(work_loop, action, lambda sender: True)
    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert seen.counts == [1]
    assert masked[0] in (None, rig.auto_disable)
    assert rig.seems_open()
    assert source.statistics.rejected == 0


@pytest.mark.statement(75)
def test_a_filter_runs_on_the_loops_thread_without_the_gate_and_does_not_wait_for_it(rig, work_loop, seen):
    where = []
    asked = Filter(rig, True, lambda sender: where.append((work_loop.on_thread(), work_loop.in_gate())))
    rig.attach_filter(work_loop, seen, asked)
    fence(work_loop)  # the loop sleeps, and not in the queue for the gate
    with work_loop.gate:
        rig.cause()
        asked.await_call()
        assert seen.calls == []
    seen.wait_for_calls(1)

    assert where == [(True, False)]


@pytest.mark.statement(76)
def test_a_filter_that_signals_and_rejects_gets_an_action_and_the_line_stays_open(rig, work_loop, seen):
    open_in_action = []

    def action(sender, count):
        open_in_action.append(rig.seems_open())
        seen(sender, count)

    source = rig.attach_filter(work_loop, action, Filter(rig, False, lambda sender: sender.signal_interrupt()))
    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert (seen.counts, open_in_action) == ([1], [True])
    assert source.statistics.rejected == 1


@pytest.mark.statement(77)
def test_a_filter_that_signals_and_accepts_counts_two(rig, work_loop, seen):
    rig.attach_filter(work_loop, seen, Filter(rig, True, lambda sender: sender.signal_interrupt()))
    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert seen.counts == [2]


@pytest.mark.statement(78)
def test_a_signal_to_a_disabled_filter_source_is_kept_until_enable_and_is_no_interrupt(rig, work_loop, seen):
    source = rig.attach_filter(work_loop, seen, lambda sender: True)
    source.enable_primary_interrupt_timestamp(True)
    source.disable()
    Background(source.signal_interrupt).result()
    fence(work_loop)
    assert seen.calls == []

    source.enable()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [1]
    assert source.primary_interrupt_timestamp == 0


@pytest.mark.statement(78)
def test_signals_of_four_threads_are_neither_lost_nor_doubled(rig, work_loop, seen):
    source = rig.attach_filter(work_loop, seen, lambda sender: True)
    for thread in [Background(lambda: [source.signal_interrupt() for _ in range(2000)]) for _ in range(4)]:
        thread.result()
    seen.wait_for_total(8000)
    fence(work_loop)

    assert seen.total == 8000


@pytest.mark.statement(20, 78)
def test_a_signal_to_a_source_on_no_loop_is_refused_and_not_counted(rig, work_loop, seen):
    source = rig.attach_filter(work_loop, seen, lambda sender: True)
    work_loop.remove_event_source(source)
    with pytest.raises(NotAttachedError):
        source.signal_interrupt()
    assert source.producer_count == 0


@pytest.mark.statement(79)
def test_the_time_of_an_interrupt_is_taken_even_if_it_is_rejected(rig, work_loop, seen):
    no = Filter(rig, False)
    source = rig.attach_filter(work_loop, seen, no)
    source.enable_primary_interrupt_timestamp(True)
    caused_ns = monotonic_ns()
    rig.cause()
    no.await_call()
    fence(work_loop)

    assert caused_ns <= source.primary_interrupt_timestamp <= monotonic_ns()
    assert seen.calls == []


@pytest.mark.statement(80)
def test_a_filter_that_raises_rejects_and_ten_times_in_a_row_disable_the_source_and_say_so(
    rig, work_loop, seen, caplog
):
    def fail(sender):
        raise ValueError("a broken filter")

    broken = Filter(rig, True, fail)
    source = rig.attach_filter(work_loop, seen, broken)
    with caplog.at_level(logging.ERROR, "uio_workloop"):
        for turn in range(1, 11):
            assert source.enabled
            rig.cause()
            broken.await_call()
            fence(work_loop)
            assert source.statistics.rejected == turn

    assert not source.enabled
    assert rig.seems_masked()
    assert seen.calls == []
    assert "disabled" in caplog.text
    assert work_loop.run_action(lambda: "alive") == "alive"


@pytest.mark.statement(80)
def test_a_filter_that_raises_now_and_then_between_good_answers_is_not_disabled(rig, work_loop, seen):
    def fail_every_other_time(sender):
        if asked.calls % 2:
            raise ValueError("a flaky filter")

    asked = Filter(rig, False, fail_every_other_time)
    source = rig.attach_filter(work_loop, seen, asked)
    for _ in range(24):
        rig.cause()
        asked.await_call()
        fence(work_loop)

    assert (source.enabled, source.statistics.rejected, source.statistics.errors) == (True, 24, 12)


@pytest.mark.statement(80)
def test_the_line_is_armed_again_after_a_filter_that_raised(rig, work_loop, seen):
    def fail_once(sender):
        if asked.calls == 1:
            raise ValueError("a broken filter")

    asked = Filter(rig, True, fail_once)
    rig.attach_filter(work_loop, seen, asked)
    rig.cause()
    asked.await_call()
    fence(work_loop)
    assert rig.seems_open()

    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [1]


@pytest.mark.statement(81)
@pytest.mark.parametrize("answer", [True, False])
def test_a_filter_is_asked_once_for_all_the_interrupts_of_one_look_at_the_line(rig, work_loop, seen, answer):
    asked = Filter(rig, answer)
    source = rig.attach_filter(work_loop, seen, asked)
    source.disable()
    there_are = rig.burst(4)
    source.enable()
    asked.await_call()
    fence(work_loop)

    assert asked.calls == 1
    assert seen.counts == [there_are] * answer
    assert source.statistics.rejected == there_are * (not answer)


@pytest.mark.statement(82)
def test_disable_waits_for_the_filter_that_runs_so_its_refusal_cannot_open_the_line_behind_it(rig, work_loop, seen):
    stage = Stage()
    no = Filter(rig, False, lambda sender: stage.hold())
    source = rig.attach_filter(work_loop, seen, no)
    fence(work_loop)
    rig.cause()
    stage.await_reached()
    disabling = Background(source.disable)
    while gate_is_free(work_loop) and not disabling.finished:
        os.sched_yield()
    for _ in range(1000):  # it has the gate, and keeps it until the filter has answered
        os.sched_yield()
        assert not gate_is_free(work_loop)
    stage.release()
    disabling.result()
    fence(work_loop)

    assert not source.enabled
    assert rig.seems_masked()


@pytest.mark.statement(82)
def test_a_filter_that_disables_its_source_and_rejects_leaves_the_line_masked(rig, work_loop, seen):
    no = Filter(rig, False, lambda sender: sender.disable())
    source = rig.attach_filter(work_loop, seen, no)
    rig.cause()
    no.await_call()
    fence(work_loop)

    assert not source.enabled
    assert rig.seems_masked()


# What a filter may do


def run_action(loop, source):
    loop.run_action(lambda: None)


def attempt_action(loop, source):
    loop.attempt_action(lambda: None)


def take_the_gate(loop, source):
    with loop.gate:
        pass


def sleep_on_the_gate(loop, source):
    loop.gate.sleep("token")


def remove(loop, source):
    loop.remove_event_source(source)


@pytest.mark.statement(42, 75)
@pytest.mark.parametrize("step", [run_action, attempt_action, take_the_gate, sleep_on_the_gate, remove])
def test_a_filter_that_wants_the_gate_is_refused_at_once(rig, work_loop, seen, step):
    refusals = []

    def try_it(sender):
        with pytest.raises(UsageError) as refusal:
            step(work_loop, sender)
        refusals.append(refusal.value)

    rig.attach_filter(work_loop, seen, Filter(rig, True, try_it))
    rig.cause()
    seen.wait_for_calls(1)

    assert [isinstance(refusal, RuntimeError) for refusal in refusals] == [True]


def test_the_filter_of_a_source_can_be_asked_for_and_not_replaced(rig, work_loop, seen):
    yes = Filter(rig, True)
    source = rig.attach_filter(work_loop, seen, yes)
    assert source.filter_action is yes
    with pytest.raises(AttributeError):
        source.filter_action = None


class Undecided:
    def __bool__(self):
        raise ValueError


@pytest.mark.statement(80)
def test_an_answer_that_is_neither_true_nor_false_is_a_no_and_an_error(rig, work_loop, seen):
    asked = Filter(rig, Undecided())
    source = rig.attach_filter(work_loop, seen, asked)
    rig.cause()
    asked.await_call()
    fence(work_loop)

    assert (source.statistics.rejected, source.statistics.errors, seen.calls) == (1, 1, [])
    assert rig.seems_open()
