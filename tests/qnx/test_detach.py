"""Detaching."""

from __future__ import annotations

import errno
import os
import threading

import pytest
from helpers import DEADLINE_S
from qnx_rig import DEADLINE_NS, TRACKED, Note, await_asleep, delivery, exists, fire, settle, unmask

from uio_workloop.qnx import (
    Channel,
    IntrFlags,
    SigevIntr,
    SigevNone,
    SigevPulse,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unmask,
    interrupt_wait,
)
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.qnx.thread_record import my_record

UNTRACKED = IntrFlags(0)


@pytest.mark.qnx(43)
def test_detaching_gives_back_the_masks_that_are_booked(rig, attached, told):
    attached.event(rig.provider, Note(told, "other"))
    masking = attached.event(rig.provider, SigevNone())
    for _ in range(3):
        interrupt_mask(rig.provider, masking)
    interrupt_detach(masking)
    assert interrupt_mask_count(rig.provider) == 0
    fire(rig)
    assert told == ["other"]


@pytest.mark.qnx(44)
def test_masks_that_are_not_tracked_stay_until_somebody_releases_them(rig, attached, told):
    attached.event(rig.provider, Note(told, "other"))
    masking = attached.event(rig.provider, SigevNone(), UNTRACKED)
    for _ in range(3):
        interrupt_mask(rig.provider, masking)
    interrupt_detach(masking)
    fire(rig)
    assert told == []
    with delivery(rig):
        assert [interrupt_unmask(rig.provider, -1) for _ in range(3)] == [2, 1, 0]
    assert told == ["other"]


@pytest.mark.qnx(45)
def test_the_last_one_that_detaches_masks_the_line_and_ends_the_thread(rig, attached, told):
    interrupt_detach(attached.event(rig.provider, Note(told, "fired")))
    rig.cause()
    assert rig.seems_masked()
    assert dispatching.current() is None
    assert told == []


@pytest.mark.qnx(46)
def test_masks_nobody_released_are_forgotten_with_the_last_attachment(rig, attached):
    id = attached.event(rig.provider, SigevNone(), UNTRACKED)  # noqa: A001 - QNX's word
    interrupt_mask(rig.provider, id)
    interrupt_detach(id)
    attached.event(rig.provider, SigevNone())
    assert interrupt_mask_count(rig.provider) == 0
    assert rig.seems_open()


class Slow(Note):
    """Takes its time, so that others come in between."""

    def deliver(self, thread, id):  # noqa: A002 - QNX's word
        for _ in range(20):
            os.sched_yield()
        return super().deliver(thread, id)


@pytest.mark.qnx(47)
def test_once_detach_has_returned_nothing_is_delivered(rig, attached, told, threads_take_turns_often):
    keeper = attached.event(rig.provider, SigevNone())
    for number in range(50):
        with delivery(rig):  # before the attachment goes, or after it
            id = attached.event(rig.provider, Slow(told, number))  # noqa: A001 - QNX's word
            rig.cause()
            interrupt_detach(id)
            told_before = list(told)
        assert told == told_before
        assert unmask(rig, keeper) == 0


@pytest.mark.qnx(48)
def test_a_pulse_that_is_queued_stays_and_its_id_is_unknown(rig, attached):
    with Channel() as channel:
        attached.event(rig.provider, SigevNone())
        id = attached.event(rig.provider, SigevPulse(channel, code=9))  # noqa: A001 - QNX's word
        fire(rig)
        interrupt_detach(id)
        assert channel.receive_pulse(0).code == 9
        with pytest.raises(ProcessLookupError):
            interrupt_unmask(rig.provider, id)


class Waiter:
    """A thread that attaches, and waits."""

    def __init__(self, lines) -> None:
        self.ids: list[int] = []
        self.outcome: object = None
        attached = threading.Event()

        def run() -> None:
            self.record = my_record()
            self.ids = [interrupt_attach_event(line, SigevIntr()) for line in lines]
            attached.set()
            try:
                self.outcome = interrupt_wait(timeout_ns=DEADLINE_NS)
            except OSError as error:
                self.outcome = error.errno

        self.thread = threading.Thread(target=run)
        self.thread.start()
        assert attached.wait(DEADLINE_S)

    def result(self) -> object:
        self.thread.join(DEADLINE_S)
        return self.outcome


@pytest.mark.qnx(49)
def test_detaching_what_a_thread_waits_for_ends_its_wait_with_esrch(rig, attached):
    attached.event(rig.provider, SigevNone())
    waiter = Waiter([rig.provider])
    await_asleep(waiter.record)
    interrupt_detach(waiter.ids[0])
    assert waiter.result() == errno.ESRCH


@pytest.mark.qnx(50)
def test_a_wait_goes_on_for_the_attachment_that_is_left(rig, attached):
    attached.event(rig.provider, SigevNone())
    waiter = Waiter([rig.provider, rig.provider])
    await_asleep(waiter.record)
    interrupt_detach(waiter.ids[0])
    fire(rig)
    assert waiter.result() == (waiter.ids[1],)
    settle()


@pytest.mark.qnx(51)
def test_a_handler_can_detach_itself_and_others_of_the_same_firing(rig, attached, told):
    later = attached.event(rig.provider, Note(told, "later"))

    def handler(area, id):  # noqa: A002 - QNX's word
        interrupt_detach(later)
        interrupt_detach(id)
        told.append("handler")

    attached.event(rig.provider, Note(told, "last"), TRACKED | IntrFlags.END)
    attached.handler(rig.provider, handler)
    fire(rig)
    assert told == ["handler", "last"]
    assert not exists(later)


@pytest.mark.qnx(51)
def test_a_handler_that_detaches_the_last_attachment_does_not_deadlock(rig, attached, told):
    done = threading.Event()
    loops = []

    def handler(area, id):  # noqa: A002 - QNX's word
        loops.append(dispatching.current().loop)
        rig.acknowledge()
        interrupt_detach(id)
        done.set()

    attached.handler(rig.provider, handler)
    rig.cause()
    assert done.wait(DEADLINE_S)
    loops[0].thread.join(DEADLINE_S)
    assert rig.seems_masked()


@pytest.mark.qnx(52)
def test_detaching_twice_is_einval(rig, attached):
    id = attached.event(rig.provider, SigevNone())  # noqa: A001 - QNX's word
    interrupt_detach(id)
    with pytest.raises(OSError, match="no attachment") as refused:
        interrupt_detach(id)
    assert refused.value.errno == errno.EINVAL
