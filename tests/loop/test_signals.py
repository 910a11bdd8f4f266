"""Waiting for a signal in the main thread."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from helpers import Background

from uio_workloop import TimerEventSource, UsageError, WorkLoop, WrongThreadError


def test_run_until_signal_returns_the_signal_and_puts_the_handlers_back(work_loop):
    before = signal.signal(signal.SIGUSR1, mine := lambda number, frame: None)  # one that comes too soon kills nobody

    def send(timer):
        os.kill(os.getpid(), signal.SIGUSR1)
        timer.set_timeout_ms(20)

    timer = TimerEventSource(send)
    try:
        work_loop.add_event_source(timer)
        timer.set_timeout_ms(1)
        assert work_loop.run_until_signal([signal.SIGUSR1]) is signal.SIGUSR1
        assert signal.getsignal(signal.SIGUSR1) is mine
    finally:
        timer.close()
        signal.signal(signal.SIGUSR1, before)


def test_run_until_signal_returns_none_when_the_loop_is_closed():
    with WorkLoop() as loop:
        timer = TimerEventSource(lambda sender: loop.close())
        loop.add_event_source(timer)
        timer.set_timeout_ms(1)
        assert loop.run_until_signal() is None


def test_run_until_signal_is_not_ended_by_other_signals(work_loop):
    had = signal.signal(signal.SIGUSR2, lambda number, frame: None)
    try:
        numbers = iter([signal.SIGUSR2, signal.SIGUSR1])

        def send(timer):
            signal.pthread_kill(threading.main_thread().ident, next(numbers))
            timer.set_timeout_ms(20)

        timer = TimerEventSource(send)
        work_loop.add_event_source(timer)
        timer.set_timeout_ms(20)
        assert work_loop.run_until_signal([signal.SIGUSR1]) is signal.SIGUSR1
        timer.close()
    finally:
        signal.signal(signal.SIGUSR2, had)


def test_a_signal_that_cannot_be_waited_for_leaves_everything_as_it_was(work_loop):
    had = signal.getsignal(signal.SIGINT)
    with pytest.raises(OSError, match="Invalid argument"):
        work_loop.run_until_signal([signal.SIGINT, signal.SIGKILL])
    assert signal.getsignal(signal.SIGINT) is had


def test_run_until_signal_belongs_to_the_main_thread_with_the_gate_open(work_loop):
    with pytest.raises(WrongThreadError, match="main thread only"):
        Background(work_loop.run_until_signal).result()
    with work_loop.gate, pytest.raises(UsageError, match="with the gate held"):
        work_loop.run_until_signal()
