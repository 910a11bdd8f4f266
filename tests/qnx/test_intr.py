"""What an interrupt can be called, and that all its names mean one.

The devices are entries of a list; what opens them is shown in the lab.
"""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import Departing
from qnx_rig import Note, errno_of, fire, settle

from uio_workloop import DeviceNotFoundError, SoftwareInterrupt
from uio_workloop.devices import udev
from uio_workloop.devices.names import Entry
from uio_workloop.qnx import (
    SigevNone,
    interrupt,
    interrupt_attach_event,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unmask,
)
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.qnx.intr import identify

FPGA = Entry("/dev/uio0", "fpga", ("/dev/uio0", "uio:fpga", "irq:39"))
CARD = Entry("/dev/uio1", "card", ("/dev/uio1", "uio:card", "irq:11", "pci:0000:00:04.0"), "0000:00:04.0")
CARD_ON_THE_BUS = Entry("0000:00:04.0", "1234:11e8", ("pci:0000:00:04.0", "1234:11e8", "irq:11"))


@pytest.fixture
def devices(monkeypatch):
    """What there is; change it as you like."""
    there_are = [FPGA, CARD]
    monkeypatch.setattr(udev, "uio_entries", lambda: there_are)
    monkeypatch.setattr(udev, "pci_entries", lambda: [CARD_ON_THE_BUS])
    return there_are


def test_all_names_of_a_uio_device_mean_one_interrupt(devices, tmp_path):
    link = tmp_path / "fpga"
    link.symlink_to("/dev/uio0")
    names = ["/dev/uio0", "uio0", "uio:fpga", "irq:39", 39, link, str(link)]
    assert {identify(name).key for name in names} == {("uio", "/dev/uio0")}


def test_all_names_of_a_card_mean_one_interrupt(devices):
    names = ["/dev/uio1", "uio:card", "irq:11", 11, "pci:0000:00:04.0", "0000:00:04.0", "1234:11e8"]
    assert {identify(name).key for name in names} == {("uio", "/dev/uio1")}


def test_all_spellings_of_a_gpio_line_mean_one_interrupt():
    assert {identify(name).key for name in ("gpiochip0:17", "/dev/gpiochip0:17")} == {("gpio", "gpiochip0:17")}


def test_a_name_of_two_devices_is_einval(devices):
    devices.append(Entry("/dev/uio2", "fpga", ("/dev/uio2", "uio:fpga")))
    with pytest.raises(OSError, match="is the name of 2") as refused:
        interrupt_attach_event("uio:fpga", SigevNone())
    assert refused.value.errno == errno.EINVAL
    assert identify("/dev/uio2").key == ("uio", "/dev/uio2")


def test_two_open_devices_are_two_interrupts_and_one_is_one():
    with SoftwareInterrupt() as a, SoftwareInterrupt() as b:
        assert identify(a).key == identify(a).key != identify(b).key


def test_importing_the_package_and_attaching_to_what_is_open_loads_no_dependency():
    script = """
import sys
from uio_workloop import SoftwareInterrupt
from uio_workloop.qnx import SigevNone, interrupt_attach_event, interrupt_detach
interrupt_detach(interrupt_attach_event(SoftwareInterrupt(), SigevNone()))
print([name for name in sys.modules if name in ("pyudev", "periphery", "uio_workloop.devices")])
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


class Unhashable(SoftwareInterrupt):
    __hash__ = None  # type: ignore[assignment]  # which object does not allow


def test_a_provider_that_cannot_be_hashed_is_attached_to_as_any_other(attached, told):
    with Unhashable() as line:
        id = attached.event(line, Note(told, "fired"))  # noqa: A001 - QNX's word
        fire(line)
        assert interrupt_unmask(line, id) == 0
        assert told == ["fired"]
        attached.detach_all()


class Equal(SoftwareInterrupt):
    """Equal to every other of its kind, as a driver's class may have it."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal)

    def __hash__(self) -> int:
        return 1


def test_an_object_that_is_equal_to_one_that_is_attached_is_another_interrupt(attached):
    with Equal() as line, Equal() as equal:
        id = attached.event(line, SigevNone())  # noqa: A001 - QNX's word
        assert errno_of(interrupt_mask, equal) == errno.EINVAL
        assert errno_of(interrupt_mask, equal, id) == errno.EINVAL
        assert interrupt_mask_count(line) == 0
        attached.detach_all()


def test_a_path_that_is_made_anew_each_time_is_the_same_name(attached, named):
    named(SoftwareInterrupt())
    for _ in range(3):
        attached.event(Path("/dev/fpga"), SigevNone())
    (vector,) = dispatching.current().vectors.values()
    assert len(vector.names) == 1
    assert interrupt_mask(Path("/dev/fpga")) == 1


def test_a_name_means_the_device_that_is_there_and_not_the_one_that_left(attached, named, told):
    away, back = Departing(), SoftwareInterrupt()
    named(away, "/dev/uio0")
    attached.event("uio:fpga", SigevNone())
    away.leave()
    settle()
    named(back, "/dev/uio1")
    attached.event("uio:fpga", SigevNone())
    assert interrupt_mask("uio:fpga") == 1
    assert back.masked


def test_another_name_of_a_device_that_is_attached_means_it_too(attached, named):
    named(SoftwareInterrupt(), "/dev/uio0")
    id = attached.event("uio:fpga", SigevNone())  # noqa: A001 - QNX's word
    assert interrupt_mask("irq:39") == 1
    assert interrupt_mask("irq:39", id) == 2


def test_the_name_of_a_device_that_left_is_enodev_although_it_means_another_by_now(attached, named):
    away = Departing()
    named(away, "/dev/uio0")
    attached.event("uio:fpga", SigevNone())
    away.leave()
    settle()
    named(away, "/dev/uio1")
    assert errno_of(interrupt_mask, "uio:fpga") == errno.ENODEV


def test_the_name_of_a_device_that_left_is_enodev_although_it_means_nothing_any_more(attached, named, monkeypatch):
    def identify(intr):
        raise DeviceNotFoundError(f"there is no {intr}")

    away = Departing()
    named(away, "/dev/uio0")
    attached.event("uio:fpga", SigevNone())
    away.leave()
    settle()
    monkeypatch.setattr(interrupt, "identify", identify)
    assert errno_of(interrupt_mask, "uio:fpga") == errno.ENODEV
