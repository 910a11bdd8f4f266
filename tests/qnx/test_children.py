"""The child of a fork: nothing in it is attached, and nothing it does or leaves undone harms its parent."""

from __future__ import annotations

import errno
import os

import pytest
from helpers import Background
from qnx_rig import DEADLINE_NS, TRACKED, Note, errno_of, exit_code, fire, forks, settle

from uio_workloop import SoftwareInterrupt
from uio_workloop.qnx import (
    Channel,
    IntrFlags,
    SigevIntr,
    SigevNone,
    SigevSem,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_disable,
    interrupt_enable,
    interrupt_mask,
    interrupt_unmask,
    interrupt_wait,
    sigevent,
)
from uio_workloop.qnx import dispatcher as dispatching


@pytest.mark.qnx(60)
@forks
def test_in_the_child_of_a_fork_the_parents_ids_are_eperm_and_it_can_attach_anew(attached, soft, told):
    id = attached.event(soft, Note(told, "parent"))  # noqa: A001 - QNX's word
    attached.event(soft, SigevIntr())
    child = os.fork()
    if not child:
        code = 1
        try:
            refusals = [
                errno_of(interrupt_mask, soft, id),
                errno_of(interrupt_unmask, soft, id),
                errno_of(interrupt_detach, id),
                errno_of(interrupt_wait),
            ]
            with SoftwareInterrupt() as own:
                mine = interrupt_attach_event(own, SigevIntr())
                own.cause()
                woken = interrupt_wait(timeout_ns=DEADLINE_NS)
                interrupt_detach(mine)
            code = 0 if refusals == [errno.EPERM] * 4 and woken == (mine,) else 2
        finally:
            os._exit(code)
    assert exit_code(child) == 0
    fire(soft)
    assert told == ["parent"]


@pytest.mark.qnx(60)
@forks
def test_the_child_of_a_fork_has_the_descriptors_of_attached_devices_closed_and_the_parent_goes_on(
    attached, named, told
):
    device = SoftwareInterrupt()
    named(device)
    attached.event("fpga", Note(told, "fired"))
    child = os.fork()
    if not child:
        os._exit(0 if device._fd < 0 else 1)
    assert exit_code(child) == 0
    fire(device)
    assert told == ["fired"]


@forks
def test_interrupts_that_the_parent_has_disabled_are_enabled_in_the_child():
    interrupt_disable()
    try:
        child = os.fork()
        if not child:
            code = 1
            try:
                with SoftwareInterrupt() as own:
                    mine = interrupt_attach_event(own, SigevIntr())
                    own.cause()
                    code = 0 if interrupt_wait(timeout_ns=DEADLINE_NS) == (mine,) else 2
                    interrupt_detach(mine)
            finally:
                os._exit(code)
        assert exit_code(child) == 0
    finally:
        interrupt_enable()


@forks
def test_a_child_does_not_end_what_other_threads_of_its_parent_had_attached(attached, soft, stage):
    attached.event(soft, SigevNone())

    def attach_and_stay() -> None:
        interrupt_attach_event(soft, SigevIntr())
        with dispatching.current().loop.dispatch.poll_set._wake_lock:  # as any thread has it now and then
            stage.hold()

    thread = Background(attach_and_stay)
    stage.await_reached()
    child = os.fork()
    if not child:
        os._exit(0)
    code = exit_code(child)
    stage.release()
    thread.result()
    assert code == 0
    settle()


@forks
def test_in_a_child_a_word_of_memory_can_be_changed_whatever_the_parent_was_doing():
    with sigevent._memory:
        child = os.fork()
        if not child:
            os._exit(1 if sigevent._memory.locked() else 0)
    assert exit_code(child) == 0


@forks
def test_a_child_forked_in_a_handler_delivers_nothing_of_its_parent(attached, soft):
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    children = []

    def handler(area, id):  # noqa: A002 - QNX's word
        child = os.fork()
        if child:
            children.append(child)

    attached.event(soft, SigevSem(fd), TRACKED | IntrFlags.END)
    attached.handler(soft, handler)
    fire(soft)
    exit_code(children[0])
    posted = os.eventfd_read(fd)
    os.close(fd)
    assert posted == 1


@forks
def test_a_child_forked_in_a_handler_may_wait_as_its_thread_delivers_nothing_any_more(attached, soft):
    children = []

    def handler(area, id):  # noqa: A002 - QNX's word
        child = os.fork()
        if child:
            children.append(child)
            return
        code = 1
        try:
            with Channel() as own:
                code = 0 if errno_of(own.receive_pulse, 0) == errno.ETIMEDOUT else 2
        finally:
            os._exit(code)

    attached.handler(soft, handler)
    fire(soft)
    assert exit_code(children[0]) == 0


@forks
def test_in_a_child_an_inherited_channel_is_closed_whatever_the_parent_was_doing_with_it(stage):
    with Channel() as channel:

        def receive() -> None:
            with channel._arrived:  # as any thread has it now and then
                stage.hold()

        receiving = Background(receive)
        stage.await_reached()
        child = os.fork()
        if not child:
            os._exit(0 if channel.closed else 1)
        code = exit_code(child)
        stage.release()
        receiving.result()
        assert code == 0
        assert not channel.closed


@forks
def test_what_a_child_receives_from_an_inherited_channel_leaves_the_parents_alone():
    with Channel() as channel:
        channel.send_pulse(1, 1)
        child = os.fork()
        if not child:
            try:
                channel.receive_pulse(0)
            finally:
                os._exit(0)
        exit_code(child)
        assert channel.receive_pulse(0).code == 1
