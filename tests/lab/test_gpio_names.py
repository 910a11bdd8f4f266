"""Lines found by what stays when chips are renumbered."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest
from lab_devices import gpio_chip

from uio_workloop import DeviceError, DeviceNotFoundError, GpioLine
from uio_workloop.testing.lab import guest


@pytest.mark.parametrize(("name", "offset"), [("gpio:button", 0), ("gpio:alarm", 3), ("gpio:lab/7", 7)])
def test_a_line_is_opened_by_its_name_and_by_its_chips_label(name, offset):
    with GpioLine.find(name) as line:
        assert line.name == f"{guest.gpio_chip().name}:{offset}"


def test_every_line_is_listed_with_the_name_that_stays():
    chip = guest.gpio_chip().name
    names = GpioLine.list()
    assert len(names) == 32
    assert names[f"{chip}:0"] == "gpio:button"
    assert names[f"{chip}:31"] == "gpio:lab/31"


def test_a_name_that_two_lines_have_is_refused_and_their_labels_tell_them_apart(show):
    with gpio_chip("other", button=5) as chip:
        with pytest.raises(DeviceError) as refused:
            GpioLine.find("gpio:button")
        show(f"ambiguous: {refused.value}")
        assert refused.value.errno == errno.ENOTUNIQ
        assert str(refused.value) == (
            f"'gpio:button' names 2 GPIO lines: {guest.gpio_chip().name}:0 (gpio:lab/0), {chip}:5 (gpio:other/5); "
            "write one of these"
        )
        with GpioLine.find("gpio:other/5") as line:
            assert line.name == f"{chip}:5"


@pytest.mark.parametrize(
    ("name", "near"), [("gpio:Buton", "gpio:button"), ("gpio:lap/7", "gpio:lab/7"), ("gpio:zzzz", None)]
)
def test_a_name_that_no_line_has_is_refused_with_what_was_looked_at(name, near, show):
    with pytest.raises(DeviceNotFoundError) as refused:
        GpioLine.find(name)
    show(f"not there: {refused.value}")
    sentence = str(refused.value)
    assert sentence.startswith(f"there is no GPIO line {name!r}: looked at {guest.gpio_chip().name} (lab, 32 lines)")
    assert (near in sentence) if near else sentence.endswith("lines)")


def test_a_user_who_may_not_open_the_chips_is_told_so_and_not_that_there_is_no_line(show):
    script = "import os, periphery\nfrom uio_workloop import GpioLine\nos.setgroups([]); os.setuid(65534)\n"
    script += "print(GpioLine.list())\nGpioLine.find('gpio:button')"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    sentence = outcome.stderr.strip().splitlines()[-1]
    show(f"no permission: {sentence}")
    assert outcome.stdout == "{}\n"
    assert sentence.startswith(
        "uio_workloop.errors.PrivilegeError: cannot look for 'gpio:button' on every chip: cannot open /dev/gpiochip"
    )
