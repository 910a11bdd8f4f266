"""Waiting for an interrupt."""

from __future__ import annotations

import errno
import queue
import signal
import threading
from contextlib import suppress

import pytest
from helpers import DEADLINE_S, Background, Departing
from qnx_rig import DEADLINE_NS, TRACKED, await_asleep, await_true, errno_of, fire, in_thread, settle, unmask

from uio_workloop import SoftwareInterrupt
from uio_workloop.clock import monotonic_ns
from uio_workloop.qnx import (
    Channel,
    IntrFlags,
    SigevIntr,
    SigevNone,
    WaitFlags,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_disable,
    interrupt_enable,
    interrupt_mask_count,
    interrupt_unmask,
    interrupt_wait,
)
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.qnx.thread_record import ThreadRecord, my_record


@pytest.mark.qnx(61)
def test_what_fired_before_the_wait_ends_it_at_once_and_only_once(rig, attached):
    id = attached.event(rig.provider, SigevIntr())  # noqa: A001 - QNX's word
    fire(rig)
    assert interrupt_wait() == (id,)
    assert errno_of(interrupt_wait, 0, 0) == errno.ETIMEDOUT


@pytest.mark.qnx(62)
def test_two_interrupts_that_fired_before_the_wait_end_it_once(rig, attached):
    with SoftwareInterrupt() as other:
        ids = [attached.event(rig.provider, SigevIntr()), attached.event(other, SigevIntr())]
        fire(rig)
        fire(other)
        assert interrupt_wait() == tuple(ids)
        assert errno_of(interrupt_wait, 0, 0) == errno.ETIMEDOUT
        attached.detach_all()


@pytest.mark.qnx(63)
def test_a_thread_that_attached_nothing_may_not_wait(attached, soft):
    attached.event(soft, SigevIntr())
    assert in_thread(errno_of, interrupt_wait) == errno.EPERM


def test_an_event_of_another_kind_is_nothing_to_wait_for(attached, soft):
    attached.event(soft, SigevNone())
    assert errno_of(interrupt_wait) == errno.EPERM


@pytest.mark.qnx(64)
def test_a_wait_with_a_timeout_ends_after_it_and_changes_nothing(rig, attached):
    id = attached.event(rig.provider, SigevIntr())  # noqa: A001 - QNX's word
    begin_ns = monotonic_ns()
    with pytest.raises(TimeoutError) as ended:
        interrupt_wait(timeout_ns=10_000_000)
    assert monotonic_ns() - begin_ns >= 10_000_000
    assert ended.value.errno == errno.ETIMEDOUT
    assert interrupt_mask_count(rig.provider) == 0
    fire(rig)
    assert interrupt_wait(timeout_ns=0) == (id,)


@pytest.mark.qnx(69)
def test_a_fast_wait_takes_no_timeout(rig, attached):
    attached.event(rig.provider, SigevIntr())
    assert errno_of(interrupt_wait, WaitFlags.FAST, 1) == errno.ENOTSUP
    fire(rig)
    assert interrupt_wait(WaitFlags.FAST) == (attached.ids[0],)


@pytest.mark.qnx(69)
def test_a_handler_may_not_wait(rig, attached):
    refusals = []
    with Channel() as channel:

        def handler(area, id):  # noqa: A002 - QNX's word
            interrupt_attach_event(rig.provider, SigevIntr(), TRACKED | IntrFlags.NO_UNMASK)
            refusals.append(errno_of(interrupt_wait))
            refusals.append(errno_of(channel.receive_pulse))

        attached.handler(rig.provider, handler)
        fire(rig)
        attached.detach_all()
        for each in tuple(dispatching.current().attachments):
            interrupt_detach(each)
    assert refusals == [errno.EDEADLK, errno.EDEADLK]


@pytest.mark.parametrize(("flags", "timeout_ns"), [(4, None), (-1, None), (0, -1)])
def test_a_wait_that_cannot_be_is_einval(attached, soft, flags, timeout_ns):
    attached.event(soft, SigevIntr())
    assert errno_of(interrupt_wait, flags, timeout_ns) == errno.EINVAL


@pytest.mark.parametrize("flags", [None, "", 0.0, []])
def test_flags_of_a_wait_that_are_no_number_are_a_type_error(attached, soft, flags):
    attached.event(soft, SigevIntr())
    with pytest.raises(TypeError):
        interrupt_wait(flags, 0)


@pytest.mark.qnx(70)
def test_a_wait_that_unmasks_releases_what_the_last_one_returned(rig, attached):
    id = attached.event(rig.provider, SigevIntr())  # noqa: A001 - QNX's word
    assert errno_of(interrupt_wait, WaitFlags.UNMASK, 0) == errno.ETIMEDOUT  # nothing is outstanding
    fire(rig)
    interrupt_wait()
    rig.acknowledge()
    rig.cause()
    assert interrupt_wait(WaitFlags.UNMASK, DEADLINE_NS) == (id,)
    assert interrupt_mask_count(rig.provider) == 1


def test_a_wait_that_unmasks_does_not_release_what_was_unmasked_by_hand(rig, attached):
    id = attached.event(rig.provider, SigevIntr(), IntrFlags(0))  # noqa: A001 - QNX's word
    attached.event(rig.provider, SigevNone(), IntrFlags(0))
    fire(rig)
    interrupt_wait()
    unmask(rig, id)
    assert errno_of(interrupt_wait, WaitFlags.UNMASK, 0) == errno.ETIMEDOUT
    assert interrupt_mask_count(rig.provider) == 1


def test_a_wait_that_unmasks_does_not_mind_what_somebody_has_unmasked_meanwhile(attached, soft):
    attached.event(soft, SigevIntr(), IntrFlags(0))
    fire(soft)
    interrupt_wait(timeout_ns=0)
    interrupt_unmask(soft, -1)  # nobody's: nothing says whose it was
    assert errno_of(interrupt_wait, WaitFlags.UNMASK, 0) == errno.ETIMEDOUT


def test_a_wait_that_unmasks_does_not_mind_what_is_detached_just_then(attached, soft, monkeypatch):
    ids = [attached.event(soft, SigevIntr()) for _ in range(2)]
    fire(soft)
    interrupt_wait(timeout_ns=0)
    to_unmask = ThreadRecord.to_unmask

    def detached_just_then(self):
        found = to_unmask(self)
        interrupt_detach(ids[0])
        return found

    monkeypatch.setattr(ThreadRecord, "to_unmask", detached_just_then)
    assert errno_of(interrupt_wait, WaitFlags.UNMASK, 0) == errno.ETIMEDOUT
    assert interrupt_mask_count(soft) == 0


def test_a_wait_that_unmasks_returns_what_has_fired_although_a_device_it_was_to_unmask_has_left(attached, soft):
    with Departing() as line:
        attached.event(line, SigevIntr())
        id = attached.event(soft, SigevIntr())  # noqa: A001 - QNX's word
        fire(line)
        interrupt_wait(timeout_ns=0)
        line.leave()
        fire(soft)
        assert interrupt_wait(WaitFlags.UNMASK, 0) == (id,)
        attached.detach_all()


def test_a_device_that_leaves_while_its_line_is_masked_ends_the_wait_that_unmasks_it(attached):
    with Departing() as line:
        attached.event(line, SigevIntr())
        fire(line)
        interrupt_wait(timeout_ns=0)
        line.leave()
        with suppress(OSError):
            interrupt_wait(WaitFlags.UNMASK, 0)
        settle()
        assert errno_of(interrupt_wait, WaitFlags.UNMASK, 0) == errno.ENODEV
        attached.detach_all()


def test_what_is_detached_is_not_unmasked_by_a_later_wait(attached, soft):
    interrupt_detach(attached.event(soft, SigevIntr(), TRACKED | IntrFlags.NO_UNMASK))
    assert my_record().to_unmask() == ()


def test_the_usual_loop_attaches_without_unmask_and_waits_with_it(rig, attached):
    served = []

    def serve() -> None:
        id = interrupt_attach_event(rig.provider, SigevIntr(), TRACKED | IntrFlags.NO_UNMASK)  # noqa: A001 - QNX's word
        ready.set()
        while len(served) < 100:
            assert interrupt_wait(WaitFlags.UNMASK, DEADLINE_NS) == (id,)
            rig.acknowledge()
            served.append(id)
            done.release()

    ready, done = threading.Event(), threading.Semaphore(0)
    attached.event(rig.provider, SigevNone(), IntrFlags.PROCESS)
    keeper = attached.ids[0]
    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(DEADLINE_S)
    for _ in range(100):
        rig.cause()
        assert done.acquire(timeout=DEADLINE_S)
        interrupt_unmask(rig.provider, keeper)
    thread.join(DEADLINE_S)
    settle()
    assert len(served) == 100


# Signals


def in_a_moment(line, number):
    """A signal for the main thread once it waits, and an interrupt afterwards."""

    def act() -> None:
        record = next(iter(dispatching.current().attachments.values())).thread
        await_asleep(record)
        while not handled.is_set():  # one that comes just before the thread sleeps is handled when it wakes
            signal.pthread_kill(threading.main_thread().ident, number)
            handled.wait(0.05)
        line.cause()

    handled = threading.Event()
    thread = threading.Thread(target=act)
    thread.start()
    return thread, handled


@pytest.mark.qnx(68)
def test_what_a_signal_handler_raises_ends_the_wait_and_what_is_pending_stays(rig, attached, restored_handler):
    class StopError(Exception):
        pass

    def handler(number, frame):
        if not handled.is_set():
            handled.set()
            raise StopError

    signal.signal(signal.SIGUSR1, handler)
    id = attached.event(rig.provider, SigevIntr())  # noqa: A001 - QNX's word
    thread, handled = in_a_moment(rig, signal.SIGUSR1)
    with pytest.raises(StopError):
        interrupt_wait(timeout_ns=DEADLINE_NS)
    thread.join(DEADLINE_S)
    assert interrupt_wait(timeout_ns=DEADLINE_NS) == (id,)


@pytest.mark.qnx(67)
def test_a_signal_whose_handler_returns_ends_the_wait_with_eintr_and_what_is_pending_stays(
    rig, attached, restored_handler
):
    signal.signal(signal.SIGUSR1, lambda number, frame: handled.set())
    id = attached.event(rig.provider, SigevIntr())  # noqa: A001 - QNX's word
    thread, handled = in_a_moment(rig, signal.SIGUSR1)
    with pytest.raises(InterruptedError) as interrupted:
        interrupt_wait(timeout_ns=DEADLINE_NS)
    assert interrupted.value.errno == errno.EINTR
    assert handled.is_set()
    thread.join(DEADLINE_S)
    assert interrupt_wait(timeout_ns=DEADLINE_NS) == (id,)


@pytest.mark.qnx(67)
def test_a_wait_that_restarts_goes_on_after_a_signal(rig, attached, restored_handler):
    signal.signal(signal.SIGUSR1, lambda number, frame: handled.set())
    id = attached.event(rig.provider, SigevIntr())  # noqa: A001 - QNX's word
    thread, handled = in_a_moment(rig, signal.SIGUSR1)
    assert interrupt_wait(timeout_ns=DEADLINE_NS, restart=True) == (id,)
    assert handled.is_set()
    thread.join(DEADLINE_S)


def test_in_a_thread_that_is_not_the_main_one_no_signal_ends_the_wait(rig, attached, restored_handler):
    handled = []
    signal.signal(signal.SIGUSR1, lambda number, frame: handled.append(number))
    waiting = queue.SimpleQueue()

    def wait():
        id = attached.event(rig.provider, SigevIntr())  # noqa: A001 - QNX's word
        waiting.put((my_record(), threading.get_ident()))
        return interrupt_wait(timeout_ns=DEADLINE_NS) == (id,)

    thread = Background(wait)
    record, ident = waiting.get(timeout=DEADLINE_S)
    await_asleep(record)
    signal.pthread_kill(ident, signal.SIGUSR1)
    await_true(lambda: handled, "the handler of the signal")
    rig.cause()
    assert thread.result()


def test_a_wait_that_ends_without_an_interrupt_says_who_has_masked_it(attached, soft):
    id = attached.event(soft, SigevIntr())  # noqa: A001 - QNX's word
    fire(soft)
    interrupt_wait()
    with pytest.raises(TimeoutError, match=rf"within 0.001 s; {soft.name} is masked, by id {id} \(1\)"):
        interrupt_wait(timeout_ns=1_000_000)
    interrupt_unmask(soft, id)
    interrupt_disable()
    try:
        with pytest.raises(TimeoutError, match="they are disabled"):
            interrupt_wait(timeout_ns=1_000_000)
    finally:
        interrupt_enable()
