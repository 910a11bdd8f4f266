"""Attaching, and everything that can be wrong with it."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
from contextlib import suppress

import pytest
from helpers import Departing, Refusing, attach
from qnx_rig import DEADLINE_NS, TRACKED, Note, errno_of, fire, settle

from uio_workloop import NoResourcesError, PrivilegeError, SoftwareInterrupt
from uio_workloop.qnx import (
    Channel,
    IntrFlags,
    SigevIntr,
    SigevNone,
    SigevPulse,
    SigevSignal,
    SigevSignalCode,
    SigevUnblock,
    WaitFlags,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_info,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unmask,
    interrupt_wait,
)
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.testing.leaks import open_descriptors


class Forbidden(SoftwareInterrupt):
    """A device that this user may not use."""

    def claim_interrupt(self, index, claimant):
        raise PrivilegeError("no") from OSError(errno.EACCES, "no")


@pytest.mark.qnx(1)
def test_attaching_opens_the_line(rig, attached):
    id = attached.event(rig.provider, SigevNone(), TRACKED)  # noqa: A001 - QNX's word
    assert type(id) is int
    assert id > 0
    assert interrupt_mask_count(rig.provider) == 0
    assert rig.seems_open()


@pytest.mark.qnx(2)
def test_a_second_attachment_has_another_id_and_the_first_keeps_working(rig, attached, told):
    first = attached.event(rig.provider, Note(told, "first"), TRACKED)
    assert attached.event(rig.provider, SigevNone(), TRACKED) != first
    fire(rig)
    assert told == ["first"]


@pytest.mark.qnx(3)
def test_attaching_does_not_wait_for_an_interrupt(rig, attached):
    assert interrupt_info(attached.event(rig.provider, SigevIntr())).fired == 0


@pytest.mark.qnx(4)
@pytest.mark.parametrize("intr", [-1, 4_000_000, "no device", "/dev/uio4000", "gpiochip4000:1", "uio:no such"])
def test_an_interrupt_that_there_is_not_is_einval_and_leaves_nothing(intr):
    with pytest.raises(OSError) as refused:  # noqa: PT011 - its errno is what counts
        interrupt_attach_event(intr, SigevNone())
    assert refused.value.errno == errno.EINVAL
    assert dispatching.current() is None


@pytest.mark.parametrize("intr", [True, None, 1.5, b"/dev/uio0", SoftwareInterrupt])
def test_what_is_no_interrupt_at_all_is_a_type_error(intr):
    with pytest.raises(TypeError):
        interrupt_attach_event(intr, SigevNone())
    assert dispatching.current() is None


@pytest.mark.qnx(5)
def test_a_device_this_user_may_not_use_is_eperm_and_says_why(attached):
    with Forbidden() as line:
        descriptors = open_descriptors()
        with pytest.raises(PermissionError) as refused:
            interrupt_attach_event(line, SigevNone())
        assert refused.value.errno == errno.EPERM
        assert refused.value.__cause__.__cause__.errno == errno.EACCES
        assert open_descriptors() == descriptors


@pytest.mark.qnx(6)
def test_at_the_limit_attaching_is_eagain_until_one_is_detached(rig, attached, monkeypatch):
    monkeypatch.setattr(dispatching, "MOST_ATTACHMENTS", 2)
    first = attached.event(rig.provider, SigevNone())
    attached.event(rig.provider, SigevNone())
    with pytest.raises(BlockingIOError) as full:
        interrupt_attach_event(rig.provider, SigevNone())
    assert full.value.errno == errno.EAGAIN
    interrupt_detach(first)
    attached.event(rig.provider, SigevNone())


@pytest.mark.qnx(6)
def test_without_a_descriptor_for_the_hidden_loop_attaching_is_eagain(attached, soft):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        with pytest.raises(BlockingIOError, match="close what is not needed") as lacking:
            interrupt_attach_event(soft, SigevNone())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert lacking.value.errno == errno.EAGAIN
    attached.event(soft, SigevNone())


@pytest.mark.qnx(6)
def test_without_a_thread_for_the_hidden_loop_attaching_is_eagain(attached, soft, monkeypatch):
    def no_thread(self):
        raise RuntimeError("can't start new thread")  # as Python says it

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        code = errno_of(interrupt_attach_event, soft, SigevNone())
    assert code == errno.EAGAIN
    attached.event(soft, SigevNone())


@pytest.mark.qnx(6)
@pytest.mark.parametrize("lacking", [errno.EMFILE, errno.ENFILE, errno.ENOMEM], ids=errno.errorcode.get)
def test_a_device_that_cannot_be_opened_for_want_of_something_is_eagain(attached, soft, lacking):
    class Lacking(SoftwareInterrupt):
        def claim_interrupt(self, index, claimant):
            raise OSError(lacking, os.strerror(lacking))

    attached.event(soft, SigevNone())
    with Lacking() as line:
        assert errno_of(interrupt_attach_event, line, SigevNone()) == errno.EAGAIN
    assert dispatching.current().users == 1


@pytest.mark.qnx(7)
@pytest.mark.parametrize("event", [None, 4, SigevNone, "intr"])
def test_what_is_no_event_is_a_type_error_and_nothing_is_opened(soft, event):
    with pytest.raises(TypeError):
        interrupt_attach_event(soft, event)
    assert dispatching.current() is None


@pytest.mark.qnx(8)
def test_an_event_that_only_unblocks_is_enotsup_and_nothing_is_opened(soft):
    with pytest.raises(OSError, match="timeout") as refused:
        interrupt_attach_event(soft, SigevUnblock())
    assert refused.value.errno == errno.ENOTSUP
    assert dispatching.current() is None


@pytest.mark.qnx(9)
@pytest.mark.parametrize("case", ["closed channel", "pulse code", "code 0", "code -6", "signal 0", "signal 65"])
def test_an_event_that_could_not_be_delivered_is_einval(soft, case):
    with Channel() as channel:
        closed = Channel()
        closed.close()
        event = {
            "closed channel": SigevPulse(closed),
            "pulse code": SigevPulse(channel, code=128),
            "code 0": SigevSignalCode(signal.SIGRTMIN, code=0),
            "code -6": SigevSignalCode(signal.SIGRTMIN, code=-6),
            "signal 0": SigevSignal(0),
            "signal 65": SigevSignal(65),
        }[case]
        with pytest.raises(OSError) as refused:  # noqa: PT011 - its errno is what counts
            interrupt_attach_event(soft, event)
    assert refused.value.errno == errno.EINVAL
    assert dispatching.current() is None


@pytest.mark.qnx(10)
def test_a_line_that_cannot_be_opened_is_let_go_of_and_can_be_attached_to_later(attached):
    with Refusing() as line:
        line.refused = "unmask"
        with pytest.raises(OSError, match="no answer") as refused:
            interrupt_attach_event(line, SigevNone())
        assert refused.value.errno == errno.EIO
        assert dispatching.current() is None
        line.refused = ""
        attached.event(line, SigevNone())
        assert interrupt_mask_count(line) == 0
        attached.detach_all()


@pytest.mark.qnx(11)
def test_an_attachment_that_fails_changes_nothing_for_those_that_are_there(attached, told):
    with Refusing() as line:
        first = attached.event(line, Note(told, "first"))
        with pytest.raises(OSError, match="exclusive"):
            interrupt_attach_event(line, SigevNone(), IntrFlags.EXCLUSIVE | IntrFlags.NO_UNMASK)
        assert (interrupt_info(first).position, interrupt_mask_count(line)) == (0, 0)
        fire(line)
        attached.detach_all()
    assert told == ["first"]


@pytest.mark.qnx(11)
@pytest.mark.parametrize("flags", [IntrFlags.NO_UNMASK, IntrFlags.NO_UNMASK | TRACKED])
def test_an_attachment_that_fails_half_way_is_undone(attached, flags, told):
    with Refusing() as line:
        first = attached.event(line, Note(told, "first"))
        line.refused = "mask"
        with pytest.raises(OSError, match="no answer") as refused:
            interrupt_attach_event(line, Note(told, "second"), flags)
        line.refused = ""
        assert refused.value.errno == errno.EIO
        assert (interrupt_info(first).position, interrupt_mask_count(line)) == (0, 0)
        fire(line)
        assert told == ["first"]
        attached.detach_all()


@pytest.mark.qnx(10)
def test_a_line_that_could_not_be_opened_is_free_for_others_although_something_else_is_attached(
    attached, soft, work_loop, seen
):
    attached.event(soft, SigevNone())
    with Refusing() as line:
        line.refused = "unmask"
        with pytest.raises(OSError, match="no answer"):
            interrupt_attach_event(line, SigevNone())
        line.refused = ""
        attach(work_loop, line, seen).close()


@pytest.mark.qnx(12)
def test_what_was_attached_is_delivered_although_the_caller_has_dropped_it(rig, attached):
    with Channel() as channel:
        event = SigevPulse(channel, code=3)
        attached.event(rig.provider, event)
        with suppress(AttributeError):
            event.code = 4
        del event
        fire(rig)
        assert channel.receive_pulse(0).code == 3


@pytest.mark.qnx(40)
def test_an_exclusive_attachment_wants_to_be_alone_and_is_left_alone(rig, attached):
    first = attached.event(rig.provider, SigevNone())
    with pytest.raises(OSError, match="exclusive") as refused:
        interrupt_attach_event(rig.provider, SigevNone(), IntrFlags.EXCLUSIVE)
    interrupt_detach(first)
    alone = attached.event(rig.provider, SigevNone(), IntrFlags.EXCLUSIVE)
    with pytest.raises(OSError, match="exclusive") as late:
        interrupt_attach_event(rig.provider, SigevNone())
    assert (refused.value.errno, late.value.errno) == (errno.EBUSY, errno.EBUSY)
    interrupt_detach(alone)
    attached.event(rig.provider, SigevNone())


@pytest.mark.qnx(41)
@pytest.mark.parametrize(
    ("flags", "code"), [(0x200, errno.EINVAL), (0x10, errno.EINVAL), (-1, errno.EINVAL), (0x80, errno.ENOTSUP)]
)
def test_flags_that_mean_nothing_are_einval_and_those_linux_lacks_enotsup(soft, flags, code):
    with pytest.raises(OSError, match="flag") as refused:
        interrupt_attach_event(soft, SigevNone(), flags)
    assert refused.value.errno == code
    assert dispatching.current() is None


def test_an_interrupt_that_an_event_source_has_is_ebusy(rig, attached, work_loop, seen):
    source = attach(work_loop, rig.provider, seen)
    with pytest.raises(OSError, match="taken by") as refused:
        interrupt_attach_event(rig.provider, SigevNone())
    assert refused.value.errno == errno.EBUSY
    assert isinstance(refused.value.__cause__, NoResourcesError)
    source.close()


@pytest.mark.qnx(71)
def test_a_device_that_leaves_ends_the_wait_and_can_only_be_detached(attached):
    with Departing() as line:
        id = attached.event(line, SigevIntr())  # noqa: A001 - QNX's word
        line.leave()
        with pytest.raises(OSError, match="left") as wait:
            interrupt_wait(timeout_ns=DEADLINE_NS)
        with pytest.raises(OSError, match="has left") as unmask:
            interrupt_unmask(line, id)
        assert (wait.value.errno, unmask.value.errno) == (errno.ENODEV, errno.ENODEV)
        interrupt_detach(id)


@pytest.mark.qnx(71)
def test_a_device_that_leaves_ends_no_wait_of_a_thread_that_does_not_wait_for_it(attached, soft):
    with Departing() as line:
        attached.event(line, SigevNone())
        id = attached.event(soft, SigevIntr())  # noqa: A001 - QNX's word
        line.leave()
        settle()
        assert errno_of(interrupt_mask, line) == errno.ENODEV
        assert errno_of(interrupt_wait, 0, 0) == errno.ETIMEDOUT
        fire(soft)
        assert interrupt_wait(timeout_ns=0) == (id,)
        attached.detach_all()


@pytest.mark.qnx(71)
def test_a_device_that_is_closed_under_an_attachment_ends_the_wait_too(attached):
    with SoftwareInterrupt() as line:
        id = attached.event(line, SigevIntr())  # noqa: A001 - QNX's word
    with pytest.raises(OSError, match="was closed") as wait:
        interrupt_wait(timeout_ns=DEADLINE_NS)
    assert wait.value.errno == errno.ENODEV
    interrupt_detach(id)


@pytest.mark.qnx(71)
def test_detaching_from_a_device_that_has_just_left_is_always_possible(attached):
    with Departing() as line:
        attached.event(line, SigevNone())
        masked = attached.event(line, SigevNone(), TRACKED | IntrFlags.NO_UNMASK)
        line.left = True  # nobody has noticed yet
        interrupt_detach(masked)
        with pytest.raises(OSError, match="no attachment"):
            interrupt_detach(masked)
        attached.detach_all()


def test_flags_of_a_wait_are_none_of_an_attachment_and_the_other_way_round(attached, soft):
    with pytest.raises(TypeError, match="are IntrFlags"):
        interrupt_attach_event(soft, SigevNone(), WaitFlags.UNMASK)
    attached.event(soft, SigevIntr())
    with pytest.raises(TypeError, match="are WaitFlags"):
        interrupt_wait(IntrFlags.NO_UNMASK)
