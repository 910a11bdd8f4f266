"""The end of a loop, and what it does to whoever is on it."""

from __future__ import annotations

import threading

import pytest
from helpers import DEADLINE_S, Background, Stage, attach

from uio_workloop import (
    AbortedError,
    ClosedError,
    InterruptEventSource,
    SoftwareInterrupt,
    TimerEventSource,
    WaitResult,
    WorkLoop,
)
from uio_workloop.testing import fence
from uio_workloop.testing.leaks import open_descriptors


@pytest.mark.statement(139)
def test_closing_waits_for_the_action_that_runs_and_closes_the_sources(line, seen):
    stage = Stage()
    loop = WorkLoop()
    source = attach(loop, line, lambda sender, count: stage.hold())
    line.cause()
    stage.await_reached()

    closer = Background(loop.close)
    assert not closer.finished
    stage.release()
    closer.result()

    assert not loop.thread.is_alive()
    assert source.closed
    assert line.masked


@pytest.mark.statement(139)
def test_closing_twice_or_from_two_threads_is_fine():
    loop = WorkLoop()
    closers = [Background(loop.close) for _ in range(2)]
    loop.close()
    for each in closers:
        each.result()


@pytest.mark.statement(139)
def test_a_client_holding_the_gate_can_close_the_loop():
    loop = WorkLoop()
    loop.run_action(loop.close)
    loop.thread.join(DEADLINE_S)
    assert not loop.thread.is_alive()


@pytest.mark.statement(139)
def test_a_closed_loop_refuses_everything_in_one_sentence(line):
    loop = WorkLoop("short-lived")
    loop.close()
    with InterruptEventSource(line, lambda sender, count: None) as source:
        for refused in (
            lambda: loop.run_action(print),
            lambda: loop.attempt_action(print),
            lambda: loop.add_event_source(source),
            loop.enable_all_event_sources,
        ):
            with pytest.raises(ClosedError, match="work loop 'short-lived' is closed; make a new one"):
                refused()
    assert loop.run_event_sources() is False
    assert loop.run_until_signal() is None
    loop.signal_work_available()


def test_a_closed_source_cannot_be_added(work_loop, line):
    source = InterruptEventSource(line, lambda sender, count: None)
    source.close()
    with pytest.raises(ClosedError, match="cannot add InterruptEventSource on line to work loop 'under test'"):
        work_loop.add_event_source(source)


@pytest.mark.statement(93)
def test_closing_wakes_sleepers_on_the_gate():
    loop = WorkLoop()
    asleep = threading.Semaphore(0)

    def sleep() -> WaitResult:
        with loop.gate:
            asleep.release()
            return loop.gate.sleep("never")

    sleeper = Background(sleep)
    assert asleep.acquire(timeout=DEADLINE_S)
    loop.close()

    assert sleeper.result() is WaitResult.INTERRUPTED
    with loop.gate:
        assert loop.gate.sleep("never") is WaitResult.INTERRUPTED  # and nobody sleeps on it again


def test_a_thread_that_gets_the_number_of_an_ended_loops_thread_is_not_on_it():
    loop = WorkLoop()
    loop.close()
    assert not any(Background(loop.on_thread).result() for _ in range(20))


def test_a_hundred_loops_leave_no_thread_and_no_descriptor(seen):
    before = len(open_descriptors())
    for _ in range(100):
        with SoftwareInterrupt() as each, WorkLoop() as loop:
            attach(loop, each, seen)
            timer = TimerEventSource(seen)
            loop.add_event_source(timer)
            each.cause()
    assert len(open_descriptors()) == before
    assert threading.active_count() == 1


def test_closing_a_provider_first_closes_the_source_on_it(work_loop, seen):
    with SoftwareInterrupt() as each:
        source = attach(work_loop, each, seen)
    assert source.closed
    assert source not in work_loop.event_sources
    fence(work_loop)


def test_an_attempt_that_gets_the_gate_just_after_the_loop_was_closed_is_refused(monkeypatch):
    loop = WorkLoop()
    attempt = loop.gate.attempt

    def attempt_after_close():
        loop.close()
        return attempt()

    monkeypatch.setattr(loop.gate, "attempt", attempt_after_close)
    with pytest.raises(AbortedError):
        loop.attempt_action(pytest.fail)


def test_a_client_who_gets_the_gate_just_after_the_loop_was_closed_is_refused():
    loop = WorkLoop()
    loop.close()
    with pytest.raises(AbortedError):
        loop.gate.call(pytest.fail, (), {})
