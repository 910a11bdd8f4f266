"""The IOKit contract, 3.11: what Linux makes of it. What only real devices can show is in tests/lab."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager

import pytest
from device_rigs import put_to_work
from helpers import DEADLINE_S, Background, Stage

from uio_workloop import InterruptEventSource, SoftwareInterrupt
from uio_workloop.interrupts.event_count import EventCount
from uio_workloop.testing import fence


@pytest.mark.statement(141)
def test_what_interrupted_before_the_source_was_made_is_not_delivered(rig, work_loop, seen):
    rig.burst(1)
    rig.acknowledge()
    source = rig.attach(work_loop, seen)
    fence(work_loop)
    assert (seen.calls, source.producer_count) == ([], 0)

    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [1]


@pytest.mark.statement(142)
@pytest.mark.parametrize(
    ("last", "now", "count"), [(7, 12, 5), (0x7FFFFFFF, -0x80000000, 1), (0xFFFFFFFF, 0, 1), (-1, 0, 1), (5, 5, 0)]
)
def test_totals_are_compared_modulo_2_to_the_32(last, now, count):
    assert EventCount(last).advance(now) == count


@contextmanager
def interval_signals(handler):
    """SIGALRM at this process every half millisecond."""
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.statement(149)
def test_no_interrupt_is_lost_to_signals(rig, work_loop, seen):
    interrupted = []
    rig.attach(work_loop, seen)
    with interval_signals(lambda number, frame: interrupted.append(threading.current_thread())):
        turn = 0
        while turn < 300 or not interrupted:
            turn += 1
            rig.cause()
            seen.wait_for_total(turn)
    fence(work_loop)

    assert seen.total == turn
    assert set(interrupted) == {threading.main_thread()}


@pytest.mark.statement(149)
def test_a_keyboard_interrupt_is_raised_in_the_main_thread_and_never_on_the_loops(rig, work_loop, seen):
    stage = Stage()
    rig.attach(work_loop, lambda sender, count: (stage.hold(), seen(sender, count)))
    rig.cause()
    stage.await_reached()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    stage.release()
    seen.wait_for_calls(1)

    assert work_loop.thread.is_alive()


@pytest.mark.statement(150)
def test_a_descriptor_number_that_comes_back_is_not_mistaken_for_the_closed_source(work_loop, seen):
    with SoftwareInterrupt(name="first") as first:
        put_to_work(work_loop, InterruptEventSource(first, seen))
        number = first.fileno()
    with SoftwareInterrupt(name="second") as second:
        assert second.fileno() == number
        second.cause()
        fence(work_loop)
        assert seen.calls == []
        assert second.drain() == 1  # nobody has read it

        put_to_work(work_loop, InterruptEventSource(second, seen))
        second.cause()
        seen.wait_for_calls(1)


@pytest.mark.statement(150)
def test_a_source_closed_by_a_client_while_its_line_is_ready_is_out_of_the_poll_set_at_once(rig, work_loop, seen):
    source = rig.attach(work_loop, seen)
    with work_loop.gate:
        rig.burst(1)
        source.close()
        assert work_loop.event_sources == ()
    fence(work_loop)

    assert seen.calls == []


@pytest.mark.statement(150)
def test_sources_opened_and_closed_by_four_threads_get_their_own_interrupts_only(work_loop):
    def own_interrupts_only(owner):
        for _ in range(50):
            delivered = threading.Event()
            senders = []

            def action(sender, count, senders=senders, delivered=delivered):
                senders.append(sender)
                delivered.set()

            with SoftwareInterrupt(name=f"of {owner}") as line:
                source = put_to_work(work_loop, InterruptEventSource(line, action))
                line.cause()
                assert delivered.wait(DEADLINE_S)
            assert senders == [source]

    for thread in [Background(own_interrupts_only, owner) for owner in range(4)]:
        thread.result()
