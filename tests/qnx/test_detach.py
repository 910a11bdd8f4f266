"""Detaching."""

from __future__ import annotations

import errno
import os
import threading

import pytest
from helpers import DEADLINE_S
from qnx_rig import DEADLINE_NS, TRACKED, Note, exists, fire, settle

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

UNTRACKED = IntrFlags(0)


@pytest.fixture
def told() -> list[object]:
    return []


@pytest.mark.qnx(43)
def test_detaching_gives_back_the_masks_that_are_booked(attached, soft, told):
    attached.event(soft, Note(told, "other"))
    masking = attached.event(soft, SigevNone())
    for _ in range(3):
        interrupt_mask(soft, masking)
    interrupt_detach(masking)
    assert interrupt_mask_count(soft) == 0
    fire(soft)
    assert told == ["other"]


@pytest.mark.qnx(44)
def test_masks_that_are_not_tracked_stay_until_somebody_releases_them(attached, soft, told):
    attached.event(soft, Note(told, "other"))
    masking = attached.event(soft, SigevNone(), UNTRACKED)
    for _ in range(3):
        interrupt_mask(soft, masking)
    interrupt_detach(masking)
    fire(soft)
    assert told == []
    assert [interrupt_unmask(soft, -1) for _ in range(3)] == [2, 1, 0]
    settle()
    assert told == ["other"]


@pytest.mark.qnx(45)
def test_the_last_one_that_detaches_masks_the_line_and_ends_the_thread(attached, soft, told):
    interrupt_detach(attached.event(soft, Note(told, "fired")))
    soft.cause()
    assert soft.masked
    assert dispatching.current() is None
    assert told == []


@pytest.mark.qnx(46)
def test_masks_nobody_released_are_forgotten_with_the_last_attachment(attached, soft):
    id = attached.event(soft, SigevNone(), UNTRACKED)  # noqa: A001
    interrupt_mask(soft, id)
    interrupt_detach(id)
    attached.event(soft, SigevNone())
    assert interrupt_mask_count(soft) == 0
    assert not soft.masked


@pytest.mark.qnx(47)
def test_once_detach_has_returned_nothing_is_delivered(attached, soft, told):
    attached.event(soft, SigevNone(), TRACKED | IntrFlags.PROCESS)
    for _ in range(50):
        id = attached.event(soft, Note(told, "fired"))  # noqa: A001
        soft.cause()
        interrupt_detach(id)
        told.clear()
        settle()
        assert told == []
        if interrupt_mask_count(soft):
            interrupt_unmask(soft, attached.ids[0])


@pytest.mark.qnx(48)
def test_a_pulse_that_is_queued_stays_and_its_id_is_unknown(attached, soft):
    with Channel() as channel:
        attached.event(soft, SigevNone())
        id = attached.event(soft, SigevPulse(channel, code=9))  # noqa: A001
        fire(soft)
        interrupt_detach(id)
        assert channel.receive_pulse(0).code == 9
        with pytest.raises(ProcessLookupError):
            interrupt_unmask(soft, id)


class Waiter:
    """A thread that attaches, and waits."""

    def __init__(self, lines) -> None:
        self.ids: list[int] = []
        self.outcome: object = None
        attached = threading.Event()

        def run() -> None:
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
def test_detaching_what_a_thread_waits_for_ends_its_wait_with_esrch(attached, soft):
    attached.event(soft, SigevNone())
    waiter = Waiter([soft])
    await_wait(waiter)
    interrupt_detach(waiter.ids[0])
    assert waiter.result() == errno.ESRCH


@pytest.mark.qnx(50)
def test_a_wait_goes_on_for_the_attachment_that_is_left(attached, soft):
    attached.event(soft, SigevNone())
    waiter = Waiter([soft, soft])
    await_wait(waiter)
    interrupt_detach(waiter.ids[0])
    fire(soft)
    assert waiter.result() == (waiter.ids[1],)
    settle()


def await_wait(waiter: Waiter) -> None:
    """Until the thread waits: observed, not guessed."""
    record = dispatching.find(waiter.ids[0]).thread
    while record._bell is None:
        os.sched_yield()


@pytest.mark.qnx(51)
def test_a_handler_can_detach_itself_and_others_of_the_same_firing(attached, soft, told):
    later = attached.event(soft, Note(told, "later"))

    def handler(area, id):  # noqa: A002
        interrupt_detach(later)
        interrupt_detach(id)
        told.append("handler")

    attached.event(soft, Note(told, "last"), TRACKED | IntrFlags.END)
    attached.handler(soft, handler)
    fire(soft)
    assert told == ["handler", "last"]
    assert not exists(later)


@pytest.mark.qnx(51)
def test_a_handler_that_detaches_the_last_attachment_does_not_deadlock(attached, soft, told):
    done = threading.Event()
    loops = []

    def handler(area, id):  # noqa: A002
        loops.append(dispatching.current().loop)
        interrupt_detach(id)
        done.set()

    attached.handler(soft, handler)
    soft.cause()
    assert done.wait(DEADLINE_S)
    loops[0].thread.join(DEADLINE_S)
    assert soft.masked


@pytest.mark.qnx(52)
def test_detaching_twice_is_einval(attached, soft):
    id = attached.event(soft, SigevNone())  # noqa: A001
    interrupt_detach(id)
    with pytest.raises(OSError, match="no attachment") as refused:
        interrupt_detach(id)
    assert refused.value.errno == errno.EINVAL
