"""Every name of every device leads to it."""

from __future__ import annotations

import os

import pytest

from uio_workloop import DeviceError, DeviceNotFoundError, PciDevice, UioDevice, find_device
from uio_workloop._linux import irq, pci
from uio_workloop.devices import udev
from uio_workloop.testing.lab import guest

HPET = "PNP0103:00"  # the machine's timer block: a platform device that nothing else has


@pytest.fixture
def hpet():
    """The timer block on uio_pdrv_genirq."""
    device, driver = f"/sys/bus/platform/devices/{HPET}", "/sys/bus/platform/drivers/uio_pdrv_genirq"
    write(f"{device}/driver_override", "uio_pdrv_genirq")
    write(f"{driver}/bind", HPET)
    with UioDevice.find("uio:HPET") as opened:
        yield opened
    write(f"{driver}/unbind", HPET)
    write(f"{device}/driver_override", "\n")


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def opened_as(name: str) -> tuple[type, str]:
    with find_device(name) as device:
        return type(device), device.name


def test_a_card_is_found_by_all_its_names(show):
    first, second = guest.edu_addresses()
    names = [first, f"pci:{first}", f"pci:{first.upper()}", "1234:11e8", "1234:11E8#1", f"udev:PCI_SLOT_NAME={first}"]
    assert {opened_as(name) for name in names} == {(PciDevice, first)}
    assert opened_as("1234:11e8#2") == opened_as(f"udev:PCI_SLOT_NAME={second}") == (PciDevice, second)
    show(f"{first} is found by {', '.join(names)}")


def test_a_device_is_found_by_all_its_names(make_dummy, tmp_path, show):
    node = make_dummy().device.node
    (tmp_path / "link").symlink_to(node)
    (number,) = irq.numbers_of("uio_dummy.0")
    names = [node, os.path.basename(node), str(tmp_path / "link"), "uio:uio_dummy.0", f"irq:{number}"]
    names.append(f"udev:DEVNAME={node}")
    for name in names:
        with find_device(name) as device:
            assert os.path.realpath(device.node) == node
    show(f"{node} is found by {', '.join(names)}")


def test_an_interrupt_of_two_cards_is_told_a_name_for_each(show):
    first, second = guest.edu_addresses()
    number = next(iter(pci.irqs(first)))
    for find in find_device, PciDevice.find, UioDevice.find:
        with pytest.raises(DeviceError) as refused:
            find(f"irq:{number}")
        show(f"several: {refused.value}")
        assert str(refused.value).endswith(f"choose one by a name of its own: pci:{first}, pci:{second}")


@pytest.mark.parametrize(
    ("name", "would_do"),
    [
        ("uio:uio_dumy.0", "uio:uio_dummy.0"),
        ("uio:edu", "uio:uio_dummy.0"),
        ("/dev/uio9", "names that would do: /dev/uio"),
        ("irq:999", "irq:"),
        ("udev:PCI_SLOT_NAME=0000:00:04.1", "udev:PCI_SLOT_NAME=0000:00:04.0"),
        ("of:pruss", "none has a name of that form; there are: /dev/uio0 (uio_dummy.0)"),
        ("0000:00:04.1", "pci:0000:00:04.0"),
        ("1234:11e8#3", "1234:11e8#2"),
        ("1234:11e9", "1234:11e8"),
    ],
)
def test_a_name_that_is_not_there_is_told_those_that_are(name, would_do, show):
    with pytest.raises(DeviceNotFoundError) as refused:
        find_device(name)
    show(f"not there: {refused.value}")
    assert would_do in str(refused.value)


def test_a_card_that_no_uio_driver_has_is_found_by_its_property_and_told_how_to_bind_it(show):
    address = guest.host_architecture().port_addresses[1]
    with pytest.raises(DeviceError) as refused:
        find_device(f"udev:PCI_SLOT_NAME={address}")
    show(f"not bound: {refused.value}")
    assert f"PCI device {address} is on virtio-pci, not on a UIO driver; PciDevice.bind(" in str(refused.value)


def test_every_device_of_the_lists_can_be_found_by_its_first_name():
    for entry in udev.uio_entries():
        with UioDevice.find(entry.key) as device:
            assert UioDevice.list()[device.node] == entry.description
    for address in guest.edu_addresses():
        with PciDevice.find(address) as card:
            assert PciDevice.list()[address].startswith("1234:11e8 on uio_pci_generic")
            assert card.node in PciDevice.list()[address]


# Maps, by index and by name


def test_a_map_is_found_by_its_name(make_dummy):
    device = make_dummy().device
    assert device.map("registers") is device.map(0) is device.map()
    assert [(each.index, each.name, each.size, each.offset) for each in device.maps] == [(0, "registers", 4096, 0)]


def test_a_platform_device_is_reached_by_the_name_of_its_map(hpet, show):
    registers = hpet.map(HPET)
    assert registers is hpet.map(0)
    capabilities = registers.read64(0)  # General Capabilities and ID; IA-PC HPET specification 2.3.4
    show(f"HPET on uio_pdrv_genirq: vendor {capabilities >> 16 & 0xFFFF:#06x}, tick {capabilities >> 32} fs")
    assert capabilities >> 16 & 0xFFFF == 0x8086
    assert UioDevice.list()[hpet.node] == "HPET"
