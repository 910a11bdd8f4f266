"""The kinds of events, each delivered by hand."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
import threading
from collections.abc import Iterator

import pytest
from helpers import DEADLINE_S
from qnx_rig import errno_of

from uio_workloop import qnx
from uio_workloop.qnx import (
    Channel,
    Event,
    MemOp,
    SigevIntr,
    SigevMemory,
    SigevNone,
    SigevPulse,
    SigevSem,
    SigevSignal,
    SigevSignalCode,
    SigevSignalThread,
    SigevThread,
    SigevUnblock,
)
from uio_workloop.qnx.thread_record import ThreadRecord

ID = 7


@pytest.fixture
def me() -> ThreadRecord:
    return ThreadRecord()


@pytest.fixture
def channel() -> Iterator[Channel]:
    with Channel() as channel:
        yield channel


@pytest.fixture
def queued() -> Iterator[int]:
    """A real-time signal, blocked so that it can be waited for."""
    number = signal.SIGRTMIN + 3
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    yield number
    while signal.sigtimedwait([number], 0) is not None:
        pass
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def word(value: int = 0) -> memoryview:
    view = memoryview(bytearray(4)).cast("I")
    view[0] = value
    return view


def test_an_event_cannot_be_changed(channel):
    with pytest.raises(dataclasses.FrozenInstanceError):
        SigevPulse(channel).code = 1


def test_of_a_none_event_nobody_is_told_and_that_is_a_success(me):
    assert SigevNone().deliver(me, ID)


def test_an_intr_event_sets_the_flag_of_the_thread_that_attached_it(me):
    me.attach(ID, masked=False)
    assert SigevIntr().deliver(me, ID)
    assert me.wait(None, restart=False) == (ID,)


def test_an_intr_event_for_a_thread_that_has_ended_is_not_delivered(me):
    me.end()
    assert not SigevIntr().deliver(me, ID)


def test_a_pulse_event_queues_a_pulse(me, channel):
    assert SigevPulse(channel, 20, -5, "value").deliver(me, ID)
    assert channel.receive_pulse(0)[:3] == (-5, "value", 20)


def test_a_pulse_event_that_must_not_queue_is_dropped_if_nobody_waits(me, channel):
    assert not SigevPulse(channel, noqueue=True).deliver(me, ID)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (SigevSignal(signal.SIGRTMIN + 3), 0),  # SI_USER
        (SigevSignal(signal.SIGRTMIN + 3, 5), -1),  # SI_QUEUE
        (SigevSignalCode(signal.SIGRTMIN + 3, 2**31 - 1, -100), -100),
        (SigevSignalThread(signal.SIGRTMIN + 3, -(2**31), -65), -65),
    ],
)
def test_a_signal_arrives_with_its_code(me, queued, event, code):
    event.check()
    assert event.deliver(me, ID)
    info = signal.sigtimedwait([queued], DEADLINE_S)
    assert (info.si_signo, info.si_code, info.si_pid) == (queued, code, os.getpid())


def test_a_signal_for_a_thread_reaches_that_thread_alone(me, queued):
    others = []
    SigevSignalThread(queued).deliver(me, ID)
    thread = threading.Thread(target=lambda: others.append(signal.sigtimedwait([queued], 0)))
    thread.start()
    thread.join(DEADLINE_S)
    assert others == [None]
    assert signal.sigtimedwait([queued], 0).si_signo == queued


def test_a_signal_for_a_thread_that_has_ended_is_not_sent(me):
    me.end()
    assert not SigevSignalThread(signal.SIGRTMIN).deliver(me, ID)


def test_signals_from_sigrtmin_on_queue(me, queued):
    for _ in range(3):
        SigevSignal(queued).deliver(me, ID)
    assert [signal.sigtimedwait([queued], 0) is not None for _ in range(4)] == [True, True, True, False]


def test_a_semaphore_is_posted(me):
    semaphore = threading.Semaphore(0)
    SigevSem(semaphore).check()
    assert SigevSem(semaphore).deliver(me, ID)
    assert [semaphore.acquire(blocking=False) for _ in range(2)] == [True, False]


def test_a_semaphore_that_is_an_eventfd_is_posted(me):
    fd = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK)
    try:
        SigevSem(fd).check()
        SigevSem(fd).deliver(me, ID)
        assert os.eventfd_read(fd) == 1
    finally:
        os.close(fd)


@pytest.mark.qnx(80)
@pytest.mark.parametrize(
    ("op", "before", "value", "after"),
    [
        (MemOp.ASSIGN, 7, 9, 9),
        (MemOp.ADD, 2**32 - 1, 1, 0),
        (MemOp.SUB, 0, 1, 2**32 - 1),
        (MemOp.BITSET, 0b1100, 0b1010, 0b1110),
        (MemOp.BITCLR, 0b1100, 0b1010, 0b0100),
        (MemOp.BITTOGGLE, 0b1100, 0b1010, 0b0110),
    ],
)
def test_a_word_of_memory_is_changed_as_the_operation_is_called(me, op, before, value, after):
    memory = word(before)
    event = SigevMemory(memory, value, op)
    event.check()
    assert event.deliver(me, ID)
    assert memory[0] == after


def test_a_new_thread_calls_the_function_with_the_value(me):
    called = threading.Event()
    seen = []

    def function(value: object) -> None:
        seen.append((value, threading.current_thread().name, threading.current_thread()))
        called.set()

    SigevThread(function, 5, "server").deliver(me, ID)
    assert called.wait(DEADLINE_S)
    ((value, name, thread),) = seen
    thread.join(DEADLINE_S)
    assert (value, name) == (5, "server")


@pytest.mark.parametrize("code", [0, 1, -6, -129])
def test_a_code_that_the_kernel_would_refuse_is_refused_before(code):
    for kind in (SigevSignalCode, SigevSignalThread):
        with pytest.raises(OSError, match="cannot have code") as refused:
            kind(signal.SIGRTMIN, code=code).check()
        assert refused.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    "event",
    [
        SigevSignal(0),
        SigevSignal(32),  # the C library's own
        SigevSignal(signal.NSIG),
        SigevSignal(signal.SIGRTMIN, 2**31),
        SigevSem(-1),
        SigevMemory(memoryview(bytes(4)).cast("I"), 1),
        SigevMemory(memoryview(bytearray(4)), 1),
        SigevMemory(word(), 2**32),
        SigevMemory(word(), 1, 7),
    ],
    ids=repr,
)
def test_what_is_out_of_range_is_refused_with_einval(event):
    with pytest.raises(OSError) as refused:  # noqa: PT011 - its errno is what counts
        event.check()
    assert refused.value.errno == errno.EINVAL


def test_a_pulse_that_cannot_be_is_refused_with_einval(channel):
    closed = Channel()
    closed.close()
    for event in (SigevPulse(closed), SigevPulse(channel, code=128), SigevPulse(channel, code=-129)):
        with pytest.raises(OSError, match="a pulse cannot") as refused:
            event.check()
        assert refused.value.errno == errno.EINVAL


def test_a_descriptor_that_is_no_eventfd_is_no_semaphore():
    ends = os.pipe()
    try:
        assert [errno_of(SigevSem(end).check) for end in ends] == [errno.EINVAL] * 2
    finally:
        for end in ends:
            os.close(end)


@pytest.mark.parametrize(
    "event",
    [SigevSem("sem"), SigevSem(True), SigevSem(threading.Semaphore), SigevThread(None), SigevMemory(b"four", 1)],
    ids=repr,
)
def test_what_has_the_wrong_type_is_a_type_error(event):
    with pytest.raises(TypeError):
        event.check()


def test_an_unblock_event_is_none_for_interrupts():
    with pytest.raises(OSError, match="timeout") as refused:
        SigevUnblock().check()
    assert refused.value.errno == errno.ENOTSUP


def test_events_for_the_process_are_the_pulse_and_the_two_signals_that_name_no_thread():
    kinds = {
        each for each in vars(qnx).values() if isinstance(each, type) and issubclass(each, Event) and each.for_process
    }
    assert {kind for kind in kinds if kind.for_process} == {SigevPulse, SigevSignal, SigevSignalCode}
