"""Lines that refuse, and devices that leave, come back, or belong to a parent process."""

from __future__ import annotations

import errno

import pytest
from helpers import Departing, Refusing
from qnx_rig import DEADLINE_NS, Note, errno_of, fire, in_thread, settle

from uio_workloop import ClosedError, SoftwareInterrupt
from uio_workloop.qnx import (
    SigevIntr,
    SigevNone,
    WaitFlags,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unmask,
    interrupt_wait,
)
from uio_workloop.qnx import dispatcher as dispatching


def is_closed(device: SoftwareInterrupt) -> bool:
    try:
        device.fileno()
    except ClosedError:
        return True
    return False


def test_an_unmask_that_the_line_refuses_can_be_repeated(attached, told):
    with Refusing() as line:
        id = attached.event(line, Note(told, "fired"))  # noqa: A001 - QNX's word
        fire(line)
        line.refused = "unmask"
        with pytest.raises(OSError, match="no answer"):
            interrupt_unmask(line, id)
        assert interrupt_mask_count(line) == 1
        line.refused = ""
        assert interrupt_unmask(line, id) == 0
        fire(line)
        assert told == ["fired", "fired"]
        attached.detach_all()


def test_a_mask_that_the_line_refuses_is_not_counted(attached, told):
    with Refusing() as line:
        id = attached.event(line, Note(told, "fired"))  # noqa: A001 - QNX's word
        line.refused = "mask"
        with pytest.raises(OSError, match="no answer"):
            interrupt_mask(line, id)
        line.refused = ""
        assert interrupt_mask_count(line) == 0
        fire(line)
        assert told == ["fired"]
        attached.detach_all()


def test_a_device_that_is_back_is_attached_to_anew_while_an_old_attachment_is_still_there(attached, named, told):
    away, back = Departing(), SoftwareInterrupt()
    named(away)
    old = attached.event("fpga", SigevNone())
    away.leave()
    settle()
    with pytest.raises(OSError, match="has left") as gone:
        interrupt_mask("fpga")
    assert gone.value.errno == errno.ENODEV

    named(back)
    new = attached.event("fpga", Note(told, "fired"))
    fire(back)
    assert told == ["fired"]
    with pytest.raises(OSError, match="has left"):
        interrupt_mask("fpga", old)
    interrupt_detach(old)
    assert is_closed(away)
    assert interrupt_unmask("fpga", new) == 0
    interrupt_detach(new)
    assert is_closed(back)


def test_a_device_opened_by_its_name_is_closed_if_nothing_can_be_attached(named):
    device = Refusing()
    named(device)
    device.refused = "unmask"
    with pytest.raises(OSError, match="no answer"):
        interrupt_attach_event("fpga", SigevNone())
    assert is_closed(device)


def test_a_line_that_refuses_as_a_thread_ends_keeps_nothing_of_that_thread(attached):
    with Refusing() as bad, SoftwareInterrupt() as good:
        for line in (bad, good):
            attached.event(line, SigevNone())

        def attach_mask_and_die() -> None:
            for line in (bad, good):
                interrupt_mask(line, interrupt_attach_event(line, SigevIntr()))
            bad.refused = "unmask"

        in_thread(attach_mask_and_die)
        settle()
        bad.refused = ""
        assert interrupt_mask_count(good) == 0
        assert dispatching.current().users == 2
        attached.detach_all()


def test_a_wait_that_cannot_unmask_one_line_unmasks_the_others_the_next_time(attached):
    with Refusing() as bad, SoftwareInterrupt() as good:
        for line in (bad, good):
            attached.event(line, SigevIntr())
        fire(bad)
        fire(good)
        interrupt_wait(timeout_ns=DEADLINE_NS)
        bad.refused = "unmask"
        assert errno_of(interrupt_wait, WaitFlags.UNMASK, 0) == errno.EIO
        bad.refused = ""
        assert errno_of(interrupt_wait, WaitFlags.UNMASK, 0) == errno.ETIMEDOUT
        assert [interrupt_mask_count(line) for line in (bad, good)] == [0, 0]
        attached.detach_all()


def test_of_a_firing_whose_line_refuses_to_be_masked_everybody_is_told(attached, told):
    with Refusing() as line:
        attached.event(line, Note(told, "fired"))
        line.refused = "mask"
        fire(line)
        line.refused = ""
        attached.detach_all()
        assert told == ["fired"]
