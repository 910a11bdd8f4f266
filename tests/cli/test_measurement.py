"""What is counted, and how a run ends."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from misbehaving import BoastingSubject, BrokenSubject, LeavingSubject, MiscountingSubject

from uio_workloop.cli.measurement import Measurement
from uio_workloop.cli.subjects import SoftwareSubject

DEADLINE_S = 10.0


class Run:
    """A measurement of a subject, from start to the end that `until` waits for."""

    def __init__(self, subject):
        self.ended = threading.Event()
        self.subject = subject

    def measure(self, until):
        with closing(self.subject), Measurement(self.subject, on_end=self.ended.set) as measurement:
            measurement.start()
            assert until(), "the run did not come to its end"
            return measurement.stop()


def measure_some(subject):
    """A run until twenty actions or more were answered."""
    answered = threading.Semaphore(0)
    acknowledge = subject.acknowledge
    subject.acknowledge = lambda: (acknowledge(), answered.release())
    return Run(subject).measure(until=lambda: all(answered.acquire(timeout=DEADLINE_S) for _ in range(20)))


def measure_to_the_end(subject):
    run = Run(subject)
    return run.measure(until=lambda: run.ended.wait(DEADLINE_S))


def test_everything_raised_is_delivered_when_a_run_has_stopped():
    final = measure_some(SoftwareSubject())

    assert final.missing == 0
    assert final.interrupts == final.raised


def test_interrupts_are_calls_and_what_shared_them():
    final = measure_some(SoftwareSubject())

    assert final.interrupts == final.action_calls + final.coalesced
    assert final.action_calls >= 20


def test_latency_is_known_of_no_more_interrupts_than_there_were_calls():
    final = measure_some(SoftwareSubject())

    assert 1 <= final.latency.count <= final.action_calls
    assert 0 < final.latency.p50_ns <= final.latency.p99_ns <= final.latency.max_ns


def test_nothing_has_elapsed_before_the_start():
    with closing(SoftwareSubject()) as subject, Measurement(subject, on_end=lambda: None) as measurement:
        snapshot = measurement.snapshot()

    assert (snapshot.elapsed_ns, snapshot.interrupts, snapshot.latency, snapshot.missing) == (0, 0, None, None)


@pytest.mark.usefixtures("_short_patience")
def test_an_interrupt_that_never_arrives_is_missing():
    assert measure_some(MiscountingSubject()).missing == MiscountingSubject.surplus


def test_interrupts_that_nobody_raised_are_missing_with_a_minus():
    assert measure_some(BoastingSubject()).missing == BoastingSubject.surplus


def test_a_device_that_leaves_ends_the_run():
    final = measure_to_the_end(LeavingSubject())

    assert final.device_left
    assert final.missing is None


def test_a_bug_in_the_action_ends_the_run_and_is_raised():
    with pytest.raises(ZeroDivisionError, match="a bug in a subject"):
        measure_to_the_end(BrokenSubject())
