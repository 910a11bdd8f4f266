"""Lines that refuse, and devices that leave, come back, or belong to a parent process."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest
from helpers import Departing
from qnx_rig import Note, fire, settle

from uio_workloop import ClosedError, SoftwareInterrupt
from uio_workloop.qnx import (
    SigevNone,
    interrupt,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unmask,
)
from uio_workloop.qnx.intr import Identity


class Refusing(SoftwareInterrupt):
    """A line that can be told to refuse being masked and unmasked."""

    refused = ""

    def mask(self) -> None:
        self._check("mask")
        super().mask()

    def unmask(self) -> None:
        self._check("unmask")
        super().unmask()

    def _check(self, operation: str) -> None:
        if operation == self.refused:
            raise OSError(errno.EIO, "no answer")


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the name "fpga" mean what this is given: an object to open, once."""

    def let_it_mean(device: SoftwareInterrupt) -> None:
        monkeypatch.setattr(interrupt, "identify", lambda intr: Identity(("uio", intr), lambda: (device, device.close)))

    return let_it_mean


def is_closed(device: SoftwareInterrupt) -> bool:
    try:
        device.fileno()
    except ClosedError:
        return True
    return False


def test_an_unmask_that_the_line_refuses_can_be_repeated(attached):
    with Refusing() as line:
        told = []
        id = attached.event(line, Note(told, "fired"))  # noqa: A001
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


def test_a_mask_that_the_line_refuses_is_not_counted(attached):
    with Refusing() as line:
        told = []
        id = attached.event(line, Note(told, "fired"))  # noqa: A001
        line.refused = "mask"
        with pytest.raises(OSError, match="no answer"):
            interrupt_mask(line, id)
        line.refused = ""
        assert interrupt_mask_count(line) == 0
        fire(line)
        assert told == ["fired"]
        attached.detach_all()


def test_a_device_that_is_back_is_attached_to_anew_while_an_old_attachment_is_still_there(attached, named):
    away, back = Departing(), SoftwareInterrupt()
    named(away)
    old = attached.event("fpga", SigevNone())
    away.leave()
    settle()
    with pytest.raises(OSError, match="has left") as gone:
        interrupt_mask("fpga")
    assert gone.value.errno == errno.ENODEV

    named(back)
    told = []
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


@pytest.mark.qnx(60)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_child_of_a_fork_has_the_descriptors_of_attached_devices_closed_and_the_parent_goes_on(attached, named):
    device = SoftwareInterrupt()
    named(device)
    told = []
    attached.event("fpga", Note(told, "fired"))
    child = os.fork()
    if not child:
        os._exit(0 if is_closed(device) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    fire(device)
    assert told == ["fired"]


def test_a_device_opened_by_its_name_is_closed_if_nothing_can_be_attached(named):
    device = Refusing()
    named(device)
    device.refused = "unmask"
    with pytest.raises(OSError, match="no answer"):
        interrupt_attach_event("fpga", SigevNone())
    assert is_closed(device)
