"""What is done in full, or undone, although a signal handler raises."""

from __future__ import annotations

import errno
import queue
import signal
import threading
from collections.abc import Iterator

import pytest
from helpers import DEADLINE_S, Background, Stage

from uio_workloop.qnx.uninterrupted import _Task, uninterrupted


class StopError(Exception):
    """What a signal handler raises."""


@pytest.fixture
def stopping() -> Iterator[threading.Event]:
    """SIGUSR1 raises in the main thread; set when it does."""
    stopped = threading.Event()

    def stop(number: int, frame: object) -> None:
        stopped.set()
        raise StopError

    before = signal.signal(signal.SIGUSR1, stop)
    yield stopped
    signal.signal(signal.SIGUSR1, before)


def test_its_result_and_its_error_are_those_of_what_is_done():
    assert uninterrupted(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        uninterrupted(lambda: 1 // 0)


def test_in_the_main_thread_another_thread_does_it_and_in_others_they_themselves():
    assert uninterrupted(threading.get_ident) != threading.get_ident()
    assert Background(lambda: uninterrupted(threading.get_ident) == threading.get_ident()).result()


def test_what_an_exception_of_a_signal_handler_takes_the_caller_away_from_is_done_and_undone(stopping):
    stage, undone = Stage(), queue.SimpleQueue()

    def do() -> int:
        stage.hold()
        return 5

    def signal_main() -> None:
        stage.await_reached()
        while not stopping.is_set():  # one that comes just before main sleeps is handled when it wakes
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
            stopping.wait(0.05)

    sender = Background(signal_main)
    with pytest.raises(StopError):
        uninterrupted(do, undone.put)
    sender.result()
    assert undone.empty()
    stage.release()
    assert undone.get(timeout=DEADLINE_S) == 5


def test_what_is_finished_when_it_is_given_up_is_undone_too():
    undone = queue.SimpleQueue()
    task = _Task(lambda: 5, undone.put)
    task.run()
    task.abandon()
    assert undone.get(timeout=DEADLINE_S) == 5


def test_what_has_failed_when_it_is_given_up_has_nothing_to_undo():
    task = _Task(lambda: 1 // 0, pytest.fail)
    task.run()
    task.abandon()
    assert isinstance(task.error, ZeroDivisionError)


def test_what_needs_a_gate_of_the_caller_is_done_by_him(work_loop):
    def do() -> bool:
        with work_loop.gate:
            return work_loop.gate.held

    with work_loop.gate:
        assert uninterrupted(do)


def test_without_another_thread_the_caller_does_it(monkeypatch):
    def no_more(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    assert uninterrupted(threading.get_ident) == threading.get_ident()


def test_a_deadlock_that_is_the_callers_own_is_told():
    def do() -> None:
        raise OSError(errno.EDEADLK, "for good")

    with pytest.raises(OSError, match="for good"):
        uninterrupted(do)
