"""Two programs that want the same card, and programs that are killed while they have it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from lab_devices import card_state

from uio_workloop import DeviceError, PciDevice
from uio_workloop._linux import pci
from uio_workloop.devices import pci_binding

TURNS = """
import sys
from uio_workloop import DeviceError, PciDevice
for _ in range(5):
    try:
        PciDevice.bind(sys.argv[1]).close()
    except DeviceError as error:
        print(error)
"""

KILLED = """
import os, signal, sys
from uio_workloop import PciDevice
from uio_workloop._linux import pci
setattr(pci, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
PciDevice.bind(sys.argv[1])
"""

HOLD = """
import sys
from uio_workloop.devices.pci_binding import exclusive
with exclusive(sys.argv[1]):
    print("has it", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def card_on_its_driver(rtl8139_driver, insert) -> str:
    """Not an e1000: the driver of those counts how often it was bound, and complains after 32 times."""
    return insert("rtl8139")


def program(script: str, *arguments: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.timeout(180)
def test_two_programs_that_bind_one_card_over_and_over_leave_it_to_its_driver(card_on_its_driver, show):
    programs = [program(TURNS, card_on_its_driver) for _ in range(2)]
    complaints = "".join(each.communicate()[0] for each in programs)
    left = card_state(card_on_its_driver)
    show(f"two programs, 5 times each: left as {left}, complaints: {complaints!r}")
    assert left == ("8139cp", "")
    assert "Traceback" not in complaints
    assert "give it back" not in complaints


@pytest.mark.parametrize("step", ["unbind", "bind"])
def test_a_program_killed_between_two_steps_leaves_a_card_that_can_be_given_back(card_on_its_driver, step, show):
    with program(KILLED, card_on_its_driver, step) as killed:
        killed.communicate()
    left = card_state(card_on_its_driver)
    assert left == ("8139cp" if step == "unbind" else None, "uio_pci_generic")
    PciDevice.bind(card_on_its_driver).unbind()
    show(f"killed before {step}: {left}, then {card_state(card_on_its_driver)}")
    assert card_state(card_on_its_driver) == ("8139cp", "")


def test_a_program_killed_with_the_card_does_not_keep_others_from_it(card_on_its_driver):
    with program(HOLD, card_on_its_driver) as holder:
        assert holder.stdout.readline() == "has it\n"
        holder.kill()
    PciDevice.bind(card_on_its_driver).close()
    assert card_state(card_on_its_driver) == ("8139cp", "")


def test_a_program_that_does_not_finish_is_named(card_on_its_driver, monkeypatch, show):
    monkeypatch.setattr(pci_binding, "OTHERS_NS", 0)
    with program(HOLD, card_on_its_driver) as holder:
        assert holder.stdout.readline() == "has it\n"
        with pytest.raises(DeviceError) as refused:
            PciDevice.bind(card_on_its_driver)
        show(f"busy: {refused.value}")
        assert str(refused.value) == (
            f"cannot change the driver of PCI device {card_on_its_driver}: process {holder.pid} (python) is at it; "
            "try again when that is done"
        )
        holder.communicate()


def test_a_card_that_could_not_be_given_back_because_somebody_was_at_it_is_given_back_by_the_next_close(
    card_on_its_driver, monkeypatch
):
    card = PciDevice.bind(card_on_its_driver)
    monkeypatch.setattr(pci_binding, "OTHERS_NS", 0)
    with program(HOLD, card_on_its_driver) as holder:
        assert holder.stdout.readline() == "has it\n"
        with pytest.raises(DeviceError, match="is at it; try again when that is done"):
            card.close()
        holder.communicate()
    card.close()
    assert card_state(card_on_its_driver) == ("8139cp", "")


def test_a_card_that_was_on_no_driver_is_on_none_after_unbind(card_on_its_driver):
    pci.unbind(card_on_its_driver, "8139cp")
    PciDevice.bind(card_on_its_driver).unbind()
    assert card_state(card_on_its_driver) == (None, "")


def test_a_second_object_on_a_bound_card_loses_it_with_the_first(card_on_its_driver):
    first = PciDevice.bind(card_on_its_driver)
    with PciDevice.bind(card_on_its_driver) as second:
        first.close()
        assert card_state(card_on_its_driver) == ("8139cp", "")
        with pytest.raises(DeviceError, match="has left"):
            second.wait(0)
    assert card_state(card_on_its_driver) == ("8139cp", "")
