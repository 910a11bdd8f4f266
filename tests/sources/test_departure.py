"""A device that leaves."""

from __future__ import annotations

import os
import threading

import pytest
from helpers import attach

from uio_workloop import ClosedError, DeviceGoneError
from uio_workloop.testing import fence


def test_a_departure_terminates_the_source_once_and_the_loop_goes_on(work_loop, departing, line, seen, caplog):
    terminated: list[tuple[object, bool]] = []
    source = attach(work_loop, departing, seen)
    source.on_terminated = lambda sender: terminated.append((sender, work_loop.in_gate()))
    attach(work_loop, line, seen)

    departing.leave()
    fence(work_loop)
    fence(work_loop)
    line.cause()
    seen.wait_for_calls(1)

    assert terminated == [(source, True)]
    assert source.terminated
    assert source not in work_loop.event_sources
    assert departing.invalidated == ["/dev/departing has left"]
    assert "the source is terminated" in caplog.text
    with pytest.raises(ClosedError, match="its device has left") as refused:
        source.enable()
    assert isinstance(refused.value.__cause__, DeviceGoneError)
    source.close()


def test_a_departure_while_disabled_is_noticed_too(work_loop, departing, seen):
    source = attach(work_loop, departing, seen)
    source.disable()
    departing.leave()
    source_gone = threading.Event()
    source.on_terminated = lambda sender: source_gone.set()
    with pytest.raises(DeviceGoneError):
        source.enable()  # the line says so to whoever asks

    assert seen.calls == []


def test_what_came_before_the_departure_is_still_delivered(work_loop, departing, seen):
    source = attach(work_loop, departing, seen)
    source.enable_primary_interrupt_timestamp(True)  # so that it is drained at once, whoever has the gate
    fence(work_loop)
    with work_loop.gate:
        departing.cause(3)
        while source.statistics.interrupts == 0:
            os.sched_yield()
        departing.leave()
        work_loop.run_event_sources()

    assert seen.counts == [3]
    assert source.terminated


def test_a_failing_on_terminated_breaks_nothing(work_loop, departing, line, seen, caplog):
    source = attach(work_loop, departing, seen)
    source.on_terminated = lambda sender: 1 // 0
    attach(work_loop, line, seen)
    departing.leave()
    fence(work_loop)
    line.cause()
    seen.wait_for_calls(1)
    assert "on_terminated raised" in caplog.text
