"""Events delivered by an interrupt, and handlers."""

from __future__ import annotations

import errno
import os
import signal
import threading

import pytest
from helpers import DEADLINE_S
from qnx_rig import TRACKED, Note, delivery, fire, in_thread, settle, unmask

from uio_workloop.qnx import (
    Channel,
    InterruptSpin,
    IntrFlags,
    MemOp,
    SigevIntr,
    SigevMemory,
    SigevNone,
    SigevPulse,
    SigevSem,
    SigevSignal,
    SigevSignalThread,
    SigevThread,
    interrupt_info,
    interrupt_lock,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unlock,
    interrupt_unmask,
    interrupt_wait,
)
from uio_workloop.qnx.thread_record import my_record


def test_interrupts_beyond_one_for_each_time_it_was_served_are_counted_as_coalesced(attached, soft):
    id = attached.event(soft, SigevNone())  # noqa: A001 - QNX's word
    for count in (3, 4):
        soft.cause(count)
        settle()
        interrupt_unmask(soft, id)
    info = interrupt_info(id)
    assert (info.fired, info.coalesced) == (2, 5)


@pytest.mark.qnx(74)
def test_a_firing_for_a_closed_channel_is_a_failed_delivery_and_masks(rig, attached):
    with Channel() as channel:
        id = attached.event(rig.provider, SigevPulse(channel))  # noqa: A001 - QNX's word
    fire(rig)
    info = interrupt_info(id)
    assert (info.delivered, info.failed, info.booked) == (0, 1, 1)


@pytest.mark.qnx(75)
def test_a_pulse_that_must_not_queue_is_dropped_when_nobody_receives_and_the_mask_stays(rig, attached):
    with Channel() as channel:
        id = attached.event(rig.provider, SigevPulse(channel, noqueue=True))  # noqa: A001 - QNX's word
        fire(rig)
        with pytest.raises(TimeoutError):
            channel.receive_pulse(0)
    assert (interrupt_mask_count(rig.provider), interrupt_info(id).failed) == (1, 1)


@pytest.mark.qnx(77)
def test_a_signal_for_a_thread_is_pending_for_the_one_that_attached_alone(rig, attached):
    number = signal.SIGRTMIN + 1
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        attached.event(rig.provider, SigevSignalThread(number))
        fire(rig)
        assert in_thread(signal.sigtimedwait, [number], 0) is None
        assert signal.sigtimedwait([number], DEADLINE_S).si_signo == number
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.qnx(78)
@pytest.mark.parametrize(("number", "pending"), [(signal.SIGIO, 1), (signal.SIGRTMIN + 1, 3)])
def test_real_time_signals_queue_and_others_merge(rig, attached, number, pending):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])  # first: the hidden thread inherits it
    try:
        id = attached.event(rig.provider, SigevSignal(number))  # noqa: A001 - QNX's word
        for _ in range(3):
            fire(rig)
            unmask(rig, id)
        found = 0
        while signal.sigtimedwait([number], 0) is not None:
            found += 1
        assert found == pending
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.qnx(79)
def test_a_semaphore_is_posted_once_for_every_firing(rig, attached):
    semaphore = threading.Semaphore(0)
    id = attached.event(rig.provider, SigevSem(semaphore))  # noqa: A001 - QNX's word
    for _ in range(5):
        fire(rig)
        unmask(rig, id)
    assert [semaphore.acquire(blocking=False) for _ in range(6)] == [True] * 5 + [False]


@pytest.mark.qnx(80)
def test_a_word_of_memory_wraps_at_32_bits(rig, attached):
    memory = memoryview(bytearray(b"\xff" * 4)).cast("I")
    attached.event(rig.provider, SigevMemory(memory, 1, MemOp.ADD))
    fire(rig)
    assert memory[0] == 0


@pytest.mark.qnx(81)
def test_every_firing_has_a_thread_of_its_own(rig, attached):
    threads, both = [], threading.Barrier(3)

    def function(value):
        threads.append((value, threading.current_thread()))
        both.wait(DEADLINE_S)

    id = attached.event(rig.provider, SigevThread(function, 8))  # noqa: A001 - QNX's word
    fire(rig)
    unmask(rig, id)
    fire(rig)
    both.wait(DEADLINE_S)
    for _, thread in threads:
        thread.join(DEADLINE_S)
    assert [value for value, _ in threads] == [8, 8]
    assert threads[0][1] is not threads[1][1]


@pytest.mark.qnx(82)
def test_an_event_that_raises_stops_nobody_else(rig, attached, told, caplog):
    def fail() -> None:
        raise ValueError("broken")

    attached.event(rig.provider, Note(told, "behind"))
    broken = attached.event(rig.provider, Note([], "broken", fail))
    attached.event(rig.provider, Note(told, "in front"))
    for _ in range(2):
        fire(rig)
        for each in attached.ids:
            unmask(rig, each)
    assert told == ["in front", "behind"] * 2
    assert interrupt_info(broken).failed == 2
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]


# Handlers


@pytest.mark.qnx(83)
def test_a_handler_masks_nothing_and_the_next_interrupt_comes_without_an_unmask(rig, attached, told):
    handler = rig.acknowledging(lambda area, own: told.append((area, own)))
    id = attached.handler(rig.provider, handler, "area")  # noqa: A001 - QNX's word
    for _ in range(3):
        fire(rig)
    assert told == [("area", id)] * 3
    assert interrupt_mask_count(rig.provider) == 0
    assert rig.seems_open()


@pytest.mark.qnx(84)
def test_a_handler_can_swallow_interrupts_and_tell_of_every_hundredth(rig, attached):
    calls = []

    def handler(area, id):  # noqa: A002 - QNX's word
        calls.append(id)
        return SigevPulse(channel) if len(calls) % 100 == 0 else None

    with Channel() as channel:
        id = attached.handler(rig.provider, rig.acknowledging(handler))  # noqa: A001 - QNX's word
        for _ in range(100):
            fire(rig)
        assert (interrupt_info(id).fired, interrupt_info(id).delivered) == (100, 1)
        assert channel.receive_pulse(0).code == 0


def test_a_handler_can_tell_of_several_events(rig, attached, told):
    attached.handler(rig.provider, rig.acknowledging(lambda area, _: [Note(told, 1), Note(told, 2)]))
    fire(rig)
    assert told == [1, 2]


def test_an_event_of_a_handler_that_could_not_be_delivered_is_refused_and_has_failed(rig, attached, caplog):
    no_signal = SigevSignal(0)  # the kernel would take it: it asks whether the process exists
    id = attached.handler(rig.provider, rig.acknowledging(lambda area, id: no_signal))  # noqa: A001, A006 - QNX's word
    fire(rig)
    info = interrupt_info(id)
    assert (info.delivered, info.failed) == (0, 1)
    assert [record.exc_info[0] for record in caplog.records] == [OSError]


@pytest.mark.qnx(85)
def test_a_handler_that_masks_leaves_the_line_masked(rig, attached, told):
    def handler(area, id):  # noqa: A002 - QNX's word
        told.append(interrupt_mask(rig.provider, id))

    id = attached.handler(rig.provider, rig.acknowledging(handler))  # noqa: A001 - QNX's word
    fire(rig)
    fire(rig)
    assert told == [1]
    assert rig.seems_masked()
    with delivery(rig):
        assert interrupt_unmask(rig.provider, id) == 0
    assert told == [1, 1]


@pytest.mark.qnx(86)
def test_handlers_and_events_are_served_in_the_order_of_the_list(rig, attached, told):
    attached.event(rig.provider, Note(told, "event"))
    attached.handler(rig.provider, lambda area, _: told.append("handler"))
    attached.handler(rig.provider, lambda area, _: told.append("last"), flags=TRACKED | IntrFlags.END)
    fire(rig)
    assert told == ["handler", "event", "last"]
    assert interrupt_mask_count(rig.provider) == 1


def test_a_handler_that_raises_has_failed_and_the_line_goes_on(rig, attached, told):
    def handler(area, id):  # noqa: A002 - QNX's word
        told.append("called")
        raise ValueError("broken")

    id = attached.handler(rig.provider, rig.acknowledging(handler))  # noqa: A001 - QNX's word
    for _ in range(20):  # more often than an event source may fail in a row
        fire(rig)
    assert len(told) == 20
    assert interrupt_info(id).failed == 20


@pytest.mark.qnx(88)
def test_a_spin_keeps_a_handler_out_while_a_thread_holds_it(attached, soft, told):
    spin, reached = InterruptSpin(), threading.Event()

    def handler(area, id):  # noqa: A002 - QNX's word
        reached.set()
        interrupt_lock(spin)
        told.append("handler")
        interrupt_unlock(spin)

    attached.handler(soft, handler)
    interrupt_lock(spin)
    soft.cause()
    assert reached.wait(DEADLINE_S)
    told.append("thread")
    interrupt_unlock(spin)
    attached.detach_all()
    assert told == ["thread", "handler"]


@pytest.mark.qnx(88)
def test_a_spin_does_not_nest_and_says_so_instead_of_hanging():
    spin = InterruptSpin()
    with pytest.raises(OSError, match="does not nest") as twice, spin:
        spin.acquire()
    with pytest.raises(PermissionError):
        interrupt_unlock(spin)
    assert twice.value.errno == errno.EDEADLK


def test_what_is_no_spin_is_a_type_error():
    with pytest.raises(TypeError):
        interrupt_lock(None)


@pytest.mark.qnx(89)
def test_a_line_that_is_never_unmasked_keeps_nothing_but_one_event_per_attachment(attached, soft):
    with Channel() as channel:
        for _ in range(3):
            attached.event(soft, SigevPulse(channel))
        intr = attached.event(soft, SigevIntr())
        semaphore = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK)
        attached.event(soft, SigevSem(semaphore))
        kept = set()
        for _ in range(20):
            soft.cause(50_000)
            settle()
            kept.add((len(channel._queue), tuple(my_record()._pending), interrupt_mask_count(soft)))
        assert kept == {(3, (intr,), 5)}
        assert os.eventfd_read(semaphore) == 1
        with pytest.raises(BlockingIOError):
            os.eventfd_read(semaphore)
        os.close(semaphore)


@pytest.mark.qnx(89)
def test_a_thread_that_unmasks_and_never_waits_has_one_flag_per_attachment(attached, soft):
    ids = [attached.event(soft, SigevIntr()) for _ in range(2)]
    for _ in range(20):
        soft.cause(50_000)
        settle()
        for each in ids:
            interrupt_unmask(soft, each)
    assert sorted(my_record()._pending) == ids
    assert sorted(interrupt_wait(timeout_ns=0)) == ids
