"""All interrupts of the process off, and on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import DEADLINE_S, Background, Departing, attach, await_queue
from qnx_rig import TRACKED, Note, await_held_up, errno_of, fire, settle

from uio_workloop.qnx import (
    IntrFlags,
    SigevNone,
    interrupt_disable,
    interrupt_enable,
    interrupt_mask_count,
    interrupt_unmask,
)
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.testing import fence


@pytest.fixture(autouse=True)
def enabled_again() -> Iterator[None]:
    yield
    interrupt_enable()


@pytest.mark.qnx(87)
def test_while_disabled_nothing_is_delivered_and_what_came_arrives_as_one_afterwards(attached, lines, told):
    ids = [attached.event(line, Note(told, number)) for number, line in enumerate(lines[:2])]
    interrupt_disable()
    for line in lines[:2]:
        fire(line)
        fire(line)
    assert told == []
    interrupt_enable()
    settle()
    assert sorted(told) == [0, 1]
    assert [interrupt_unmask(*each) for each in zip(lines[:2], ids, strict=True)] == [0, 0]


@pytest.mark.qnx(87)
def test_a_second_disable_does_not_nest(attached, lines, told):
    attached.event(lines[0], Note(told, "fired"))
    interrupt_disable()
    interrupt_disable()
    interrupt_enable()
    fire(lines[0])
    assert told == ["fired"]


@pytest.mark.qnx(87)
def test_event_sources_on_other_loops_go_on(attached, lines, work_loop, seen):
    attached.event(lines[0], SigevNone())
    attach(work_loop, lines[1], seen)
    interrupt_disable()
    lines[1].cause()
    fence(work_loop)
    assert seen.total == 1


def test_what_is_attached_while_disabled_is_silent_too_and_counts_go_on(attached, lines, told):
    interrupt_disable()
    attached.event(lines[0], Note(told, "fired"))
    fire(lines[0])
    assert (told, interrupt_mask_count(lines[0])) == ([], 0)
    interrupt_enable()
    settle()
    assert told == ["fired"]


def test_disabling_waits_for_the_handler_that_runs(attached, lines, stage):
    attached.handler(lines[0], lambda area, id: stage.hold())  # noqa: A006 - QNX's word
    lines[0].cause()
    stage.await_reached()
    with ThreadPoolExecutor(1) as thread:
        disabling = thread.submit(interrupt_disable)
        await_held_up()
        assert not disabling.done()
        stage.release()
        disabling.result(DEADLINE_S)


def test_one_device_that_has_left_does_not_keep_the_others_from_being_enabled(attached, lines, told):
    with Departing() as left:
        attached.event(lines[0], Note(told, "before"))
        attached.event(left, SigevNone())
        attached.event(lines[1], Note(told, "after"))
        interrupt_disable()
        left.left = True
        with pytest.raises(OSError, match="has left") as refused:
            interrupt_enable()
        assert refused.value.errno == errno.ENODEV
        fire(lines[0])
        fire(lines[1])
        assert sorted(told) == ["after", "before"]
        attached.detach_all()


@pytest.mark.qnx(87)
def test_disabling_waits_for_everybody_whom_the_firing_is_told(attached, lines, stage, told):
    def second(area, id):  # noqa: A002 - QNX's word
        told.append(bool(dispatching.current().delivering.waiting))

    attached.handler(lines[0], lambda area, id: stage.hold())  # noqa: A006 - QNX's word
    attached.handler(lines[0], second, None, TRACKED | IntrFlags.END)
    lines[0].cause()
    stage.await_reached()
    disabling = Background(interrupt_disable)
    await_held_up()
    stage.release()
    disabling.result()
    settle()
    assert told == [True]


def test_a_disable_that_is_refused_changes_nothing(attached, lines, work_loop, stage):
    def handler(area, id):  # noqa: A002 - QNX's word
        stage.hold()
        work_loop.run_action(lambda: None)

    attached.handler(lines[0], handler)
    with work_loop.gate:
        lines[0].cause()
        stage.await_reached()
        stage.release()
        await_queue(work_loop)
        assert errno_of(interrupt_disable) == errno.EDEADLK
        assert not dispatching.disabled
