"""What an interrupt can be called, and that all its names mean one.

The devices are entries of a list; what opens them is shown in the lab.
"""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest
from qnx_rig import Note, fire

from uio_workloop import SoftwareInterrupt
from uio_workloop.devices import udev
from uio_workloop.devices.names import Entry
from uio_workloop.qnx import SigevNone, interrupt_attach_event, interrupt_unmask
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
    __hash__ = None  # type: ignore[assignment]


def test_a_provider_that_cannot_be_hashed_is_attached_to_as_any_other(attached, told):
    with Unhashable() as line:
        id = attached.event(line, Note(told, "fired"))  # noqa: A001
        fire(line)
        assert interrupt_unmask(line, id) == 0
        assert told == ["fired"]
        attached.detach_all()
