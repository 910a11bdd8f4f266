"""Passes: what is served, in which order, on which thread."""

from __future__ import annotations

import threading

import pytest
from helpers import DEADLINE_S, Background, Stage, attach, cause_together

from uio_workloop import EventSource
from uio_workloop.testing import fence


def test_actions_run_on_the_loops_thread_with_the_gate_held(work_loop, line, seen):
    attach(work_loop, line, seen)

    line.cause()

    (call,) = seen.wait_for_calls(1)
    assert (call.thread, call.in_gate) == (work_loop.thread.ident, True)


@pytest.mark.statement(11)
def test_sources_ready_together_are_served_in_the_order_of_addition(work_loop, lines, seen):
    for each in lines:
        attach(work_loop, each, seen)

    cause_together(work_loop, *reversed(lines))

    assert [call.sender.provider for call in seen.wait_for_calls(4)] == lines


@pytest.mark.statement(28)
def test_the_gate_is_held_from_the_first_source_of_a_pass_to_the_last(work_loop, lines, seen):
    first_runs = Stage()
    attach(work_loop, lines[0], lambda sender, count: first_runs.hold())
    attach(work_loop, lines[1], seen)
    together = Background(cause_together, work_loop, lines[0], lines[1])
    first_runs.await_reached()

    client = Background(work_loop.run_action, lambda: len(seen.calls))
    first_runs.release()

    assert client.result() == 1  # the client got in only after both actions
    together.result()


def test_a_source_that_asks_to_be_called_again_is_and_others_get_their_turn_between(work_loop, seen, line):
    attach(work_loop, line, seen)
    visits: list[int] = []
    enough = threading.Event()

    class Again(EventSource):
        def check_for_work(self) -> bool:
            visits.append(len(seen.calls))
            line.cause()
            if len(visits) == 4:
                enough.set()
            return len(visits) < 4

    work_loop.add_event_source(Again())
    assert enough.wait(DEADLINE_S)
    fence(work_loop)

    assert len(visits) == 4
    assert visits[-1] > 0


@pytest.mark.statement(22)
def test_a_thousand_signals_lose_none_and_cost_few_passes(work_loop, seen):
    class Custom(EventSource):
        def check_for_work(self) -> bool:
            seen(self)
            return False

    work_loop.add_event_source(Custom())
    fence(work_loop)
    before = len(seen.calls)

    with work_loop.gate:
        for _ in range(1000):
            work_loop.signal_work_available()
    fence(work_loop)

    assert 1 <= len(seen.calls) - before <= 3


@pytest.mark.statement(22)
def test_what_a_source_signals_from_another_thread_is_seen_every_time(work_loop):
    """The wake-up is skipped when one is on its way; if that ever lost a signal, this would hang."""
    visited = threading.Semaphore(0)

    class Custom(EventSource):
        def check_for_work(self) -> bool:
            visited.release()
            return False

    custom = Custom()
    work_loop.add_event_source(custom)
    assert visited.acquire(timeout=DEADLINE_S)
    for _ in range(3000):
        custom.signal_work_available()
        assert visited.acquire(timeout=DEADLINE_S), "a signal was lost"


def test_a_busy_line_does_not_hide_the_others(work_loop, lines, seen):
    stop = threading.Event()
    attach(work_loop, lines[0], lambda sender, count: stop.is_set() or lines[0].cause())
    attach(work_loop, lines[1], seen)
    lines[0].cause()

    for turn in range(50):
        lines[1].cause()
        seen.wait_for_total(turn + 1)
    stop.set()


def test_a_keyboard_interrupt_in_a_clients_pass_reaches_the_client_and_loses_nobodys_work(work_loop, lines, seen):
    def interrupted(sender, count):
        if not work_loop.on_thread():
            raise KeyboardInterrupt

    attach(work_loop, lines[0], interrupted)
    attach(work_loop, lines[1], seen)
    fence(work_loop)
    with work_loop.gate:
        lines[0].cause()
        lines[1].cause()
        with pytest.raises(KeyboardInterrupt):
            work_loop.run_event_sources()

    (call,) = seen.wait_for_calls(1)
    assert call.thread == work_loop.thread.ident


@pytest.mark.statement(32)
def test_running_the_sources_inside_an_action_serves_others_and_does_not_enter_it_again(work_loop, lines, seen):
    depth = deepest = 0

    def outer(sender, count):
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        lines[0].cause()
        lines[1].cause()
        work_loop.run_event_sources()
        seen(sender, len(inner_calls))
        depth -= 1

    inner_calls: list[int] = []
    source = attach(work_loop, lines[0], outer)
    attach(work_loop, lines[1], lambda sender, count: inner_calls.append(count))
    lines[0].cause()

    (call, *_) = seen.wait_for_calls(1)
    source.disable()
    assert call.count == 1
    assert deepest == 1


def test_interrupts_that_another_pass_drains_during_the_action_are_delivered_afterwards(work_loop, line, seen):
    def action(sender, count):
        seen(sender, count)
        if len(seen.calls) == 1:
            line.cause(3)
            work_loop.run_event_sources()  # drains, and passes over the source whose action runs

    attach(work_loop, line, action)
    fence(work_loop)
    with work_loop.gate:
        line.cause()
        work_loop.run_event_sources()

    seen.wait_for_total(4)
    assert seen.counts == [1, 3]


def test_a_signal_wakes_an_idle_loop(work_loop):
    visited = threading.Event()

    class Custom(EventSource):
        def check_for_work(self) -> bool:
            visited.set()
            return False

    work_loop.add_event_source(Custom())
    fence(work_loop)
    visited.clear()
    work_loop.signal_work_available()
    assert visited.wait(DEADLINE_S)
