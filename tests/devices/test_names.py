"""Names of devices that are not there, or are no names: one sentence each, nothing left open."""

from __future__ import annotations

import pytest

from uio_workloop import BadArgumentError, DeviceNotFoundError, GpioLine, PciDevice, UioDevice, find_device


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("/dev/uio77", "there is no UIO device /dev/uio77; there (is none on this machine|are: )"),
        ("uio77", "there is no UIO device /dev/uio77"),
        ("uio:no-such", "there is no UIO device named 'no-such'"),
        ("/dev/null", "/dev/null is not a UIO device"),
        ("gpiochip99:0", "cannot open /dev/gpiochip99: there is no such file"),
        ("ffff:00:00.0", "there is no PCI device ffff:00:00.0; lspci -D lists what there is"),
        ("pci:ffff:00:00.0", "there is no PCI device ffff:00:00.0"),
        ("dead:beef", "there is no PCI device dead:beef; of that identity there are: none"),
    ],
)
def test_a_device_that_is_not_there_is_named_with_a_way_out(name, sentence):
    with pytest.raises(DeviceNotFoundError, match=sentence):
        find_device(name)


@pytest.mark.parametrize(
    ("find", "name", "sentence"),
    [
        (PciDevice.find, "edu", "'edu' names no PCI device: write an address as 0000:00:04.0 or an identity"),
        (PciDevice.find, "1234:11e8#0", "names no PCI device"),
        (GpioLine.find, "17", "'17' names no GPIO line: write chip and offset as gpiochip0:17"),
        (GpioLine.find, "gpiochip0:x", "names no GPIO line"),
        (find_device, "gpiochip0:x", "'gpiochip0:x' names no device: write /dev/uio0 or uio:NAME, a PCI address"),
        (find_device, "foo", "'foo' names no device"),
        (find_device, "", "'' names no device"),
    ],
)
def test_what_is_no_name_is_told_how_names_look(find, name, sentence):
    with pytest.raises(BadArgumentError, match=sentence):
        find(name)


def test_a_plain_file_is_not_a_uio_device(tmp_path):
    (tmp_path / "uio0").touch()
    with pytest.raises(DeviceNotFoundError, match=r"is not a UIO device|there is no UIO device"):
        UioDevice.find(str(tmp_path / "uio0"))


def test_a_gpio_line_below_zero_and_an_edge_that_is_none_are_refused_before_anything_is_opened():
    with pytest.raises(BadArgumentError, match="there is no GPIO line gpiochip0:-1: lines count from 0"):
        GpioLine("gpiochip0", -1)
    with pytest.raises(BadArgumentError, match="gpiochip0:1 cannot interrupt on edge 'up'; write one of"):
        GpioLine("gpiochip0", 1, edge="up")
