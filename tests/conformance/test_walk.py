"""The walk over the event chain and the thread that makes it: IOWorkLoop::runEventSources and threadMain."""

from __future__ import annotations

import os
import threading

import pytest
from helpers import DEADLINE_S, Background, attach, cause_together, loop_asleep, on_loop

from uio_workloop import CommandGate, EventSource, InterruptEventSource, TimerEventSource, WorkLoop
from uio_workloop.testing import fence


class Walked(EventSource):
    """Its action runs at every visit; what it returns is what the visit returns."""

    def check_for_work(self) -> bool:
        return bool(self.action(self))


@pytest.fixture
def log(work_loop, monkeypatch) -> list[str]:
    """For tests to write in; the loop writes "sleep" when it goes to sleep."""
    entries: list[str] = []
    wait = work_loop.dispatch.poll_set.wait

    def logged(timeout: float):
        if timeout < 0:
            entries.append("sleep")
        return wait(timeout)

    monkeypatch.setattr(work_loop.dispatch.poll_set, "wait", logged)
    return entries


def by_a_client(source: EventSource) -> None:
    Background(source.signal_work_available).result()


@pytest.mark.statement(23)
@pytest.mark.parametrize("signal", [EventSource.signal_work_available, by_a_client])
def test_a_signal_during_an_action_brings_another_pass_before_the_thread_sleeps(work_loop, line, log, signal):
    signalled = Walked(lambda sender: log.append("visit"))
    work_loop.add_event_source(signalled)

    def action(sender, count):
        log.append("action")
        signal(signalled)

    attach(work_loop, line, action)
    fence(work_loop)

    line.cause()
    fence(work_loop)  # the action has run
    fence(work_loop)  # and what it signalled

    assert log[log.index("action") + 1] == "visit"


@pytest.mark.statement(24)
def test_a_source_that_returns_true_twice_is_visited_three_times_each_time_from_the_head_of_the_chain(work_loop, log):
    earlier = Walked(lambda sender: log.append("earlier"))
    work_loop.add_event_source(earlier)
    thrice = threading.Event()

    def ask_twice(sender) -> bool:
        earlier.signal_work_available()
        log.append("asking")
        if log.count("asking") == 3:
            thrice.set()
        return not thrice.is_set()

    asking = Walked(ask_twice)
    fence(work_loop)
    log.clear()

    work_loop.add_event_source(asking)
    assert thrice.wait(DEADLINE_S)
    fence(work_loop)
    fence(work_loop)

    begin = log.index("asking")
    assert log[begin : begin + 6] == ["asking", "earlier", "asking", "earlier", "asking", "earlier"]
    assert log.count("asking") == 3


@pytest.mark.statement(26)
def test_a_later_source_that_an_action_removes_is_not_even_visited(work_loop, log):
    earlier, later = Walked(lambda sender: log.append("earlier")), Walked(lambda sender: log.append("later"))
    work_loop.add_event_source(earlier)
    work_loop.add_event_source(later)
    fence(work_loop)
    log.clear()

    def remove(sender):
        work_loop.remove_event_source(later)
        log.append("removed")

    with work_loop.gate:  # for one pass
        earlier.set_action(remove)
        later.signal_work_available()
    fence(work_loop)

    assert "removed" in log
    assert "later" not in log


@pytest.mark.statement(25)
def test_a_pending_source_that_an_action_adds_is_served_in_the_next_pass_before_the_thread_sleeps(
    work_loop, lines, log
):
    added = Walked(lambda sender: log.append("added"))

    def add(sender, count):
        log.append("adding")
        work_loop.add_event_source(added)

    attach(work_loop, lines[0], add)
    attach(work_loop, lines[1], lambda sender, count: log.append("rest of the pass"))

    cause_together(work_loop, lines[0], lines[1])
    fence(work_loop)

    begin = log.index("adding")
    assert log[begin : begin + 3] == ["adding", "rest of the pass", "added"]


@pytest.mark.statement(27)
def test_an_action_that_removes_its_own_source_is_the_last_and_the_rest_of_the_chain_is_served(work_loop, lines, seen):
    def remove_self(sender, count):
        seen(sender, count)
        work_loop.remove_event_source(sender)

    with attach(work_loop, lines[0], remove_self) as removed:
        rest = attach(work_loop, lines[1], seen)

        cause_together(work_loop, lines[0], lines[1])
        lines[0].cause()
        fence(work_loop)

        assert [call.sender for call in seen.calls] == [removed, rest]


@pytest.mark.statement(29)
def test_no_two_actions_of_a_loop_overlap_whichever_threads_run_them(work_loop, lines):
    alone = threading.Lock()
    overlaps: list[str] = []
    threads: set[int] = set()

    def action(*_) -> None:
        if alone.acquire(blocking=False):
            os.sched_yield()  # an invitation to overlap
            threads.add(threading.get_ident())
            alone.release()
        else:
            overlaps.append(threading.current_thread().name)

    def tick(sender) -> None:
        action()
        sender.set_timeout_us(50)

    for each in lines:
        attach(work_loop, each, action)
    timer = TimerEventSource(tick)
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0)

    everybody = threading.Barrier(4)  # no thread has ended, so that another has its number, before all have begun

    def client() -> None:
        everybody.wait(DEADLINE_S)
        for turn in range(300):
            lines[turn % len(lines)].cause()
            work_loop.run_event_sources()
            work_loop.run_action(action)

    def have_the_loop_do_it() -> None:
        everybody.wait(DEADLINE_S)
        for _ in range(20):
            on_loop(work_loop, action)

    for each in [*(Background(client) for _ in range(3)), Background(have_the_loop_do_it)]:
        each.result()

    assert overlaps == []
    assert len(threads) >= 4  # three clients and the loop's own; otherwise nothing was shown


@pytest.mark.statement(30)
def test_a_client_that_runs_the_sources_runs_the_actions_on_its_own_thread(work_loop, line):
    calls: list[tuple[int, bool, bool]] = []
    attach(
        work_loop,
        line,
        lambda sender, count: calls.append((threading.get_ident(), work_loop.in_gate(), work_loop.on_thread())),
    )
    with work_loop.gate:  # the loop cannot serve it first
        line.cause()
        assert work_loop.run_event_sources() is True

    assert calls == [(threading.get_ident(), True, False)]


@pytest.mark.statement(31)
def test_running_the_sources_of_a_closing_loop_returns_false_and_calls_no_action(line, seen):
    loop = WorkLoop()
    attach(loop, line, seen)
    with loop.gate:
        line.cause()
        loop.close()
        assert loop.run_event_sources() is False
    loop.close()

    assert seen.calls == []


@pytest.mark.statement(31)
def test_a_loop_closed_by_an_action_of_a_clients_pass_makes_the_pass_return_false_and_serves_nobody_else(lines, seen):
    loop = WorkLoop()
    attach(loop, lines[0], lambda sender, count: loop.close())
    attach(loop, lines[1], seen)
    with loop.gate:
        lines[0].cause()
        lines[1].cause()
        assert loop.run_event_sources() is False
    loop.close()

    assert seen.calls == []


@pytest.mark.statement(33)
def test_an_interrupt_that_nobody_has_read_yet_is_pending_for_a_client_that_runs_the_sources(work_loop, line, seen):
    attach(work_loop, line, seen)
    with loop_asleep(work_loop):
        line.cause()  # the loop's thread sleeps: the count is in the kernel
        work_loop.run_event_sources()

        (call,) = seen.calls
    assert (call.thread, call.count) == (threading.get_ident(), 1)


@pytest.mark.statement(34)
def test_a_walk_calls_nothing_of_sources_that_do_no_work_in_it(work_loop, seen):
    work_loop.add_event_source(CommandGate(seen))
    work_loop.add_event_source(EventSource(seen))

    work_loop.signal_work_available()
    work_loop.run_event_sources()
    fence(work_loop)

    assert seen.calls == []


@pytest.mark.statement(35)
def test_an_action_that_raises_is_reported_with_its_source_and_its_line_is_open_again_and_the_rest_served(
    line, edge_line, seen
):
    reports: list[tuple[EventSource, str, bool]] = []

    def report(source: EventSource, error: BaseException) -> None:
        reports.append((source, str(error), source.work_loop is loop))

    def fail(sender, count):
        raise ValueError("boom")

    with WorkLoop(on_error=report) as loop:
        failing = attach(loop, line, fail)
        attach(loop, edge_line, seen)

        cause_together(loop, line, edge_line)

        assert reports == [(failing, "boom", True)]
        assert (failing.producer_count, failing.consumer_count) == (1, 1)
        assert not line.masked
        assert seen.counts == [1]


@pytest.mark.statement(26)
def test_an_action_that_removes_a_later_source_silences_it_within_the_pass(work_loop, lines, seen):
    later = InterruptEventSource(lines[1], seen)
    attach(work_loop, lines[0], lambda sender, count: work_loop.remove_event_source(later))
    work_loop.add_event_source(later)
    later.enable()

    cause_together(work_loop, lines[0], lines[1])

    assert seen.calls == []
    later.close()
