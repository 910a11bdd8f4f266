"""Who would miss a card that is bound, and how that is seen."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_devices import card_state, run

from uio_workloop import DeviceError, PciDevice
from uio_workloop._linux import pci, usage
from uio_workloop.devices import pci_use
from uio_workloop.testing.lab import guest

BUSYBOX = str(guest.LAB_DIRECTORY / "busybox")


def refusal_of(address: str, show) -> str:
    """What `bind` answers; nothing may have changed."""
    before = card_state(address)
    with pytest.raises(DeviceError, match="it is in use: ") as refused:
        PciDevice.bind(address)
    assert card_state(address) == before
    show(f"cannot bind: {refused.value}")
    return str(refused.value)


@pytest.fixture
def disk(disk_image, insert) -> str:
    return insert("virtio-blk-pci", "virtio_blk", drive=disk_image)


@pytest.fixture
def disk_image() -> Iterator[str]:
    """A disk of QEMU's that can be written, and forgets all in the end."""
    words = Path("/proc/cmdline").read_text().split()
    directory = next(word.removeprefix("labrun=") for word in words if word.startswith("labrun="))
    file = {"driver": "file", "filename": f"{directory}/disk"}
    guest.qmp("blockdev-create", **{"job-id": "make", "options": {**file, "size": 16 << 20}})
    while guest.qmp("query-jobs")["return"][0]["status"] != "concluded":
        os.sched_yield()
    guest.qmp("job-dismiss", id="make")
    guest.qmp("blockdev-add", **{**file, "node-name": "image"})
    yield "image"
    guest.qmp("blockdev-del", **{"node-name": "image"})


def test_a_disk_that_is_swapped_to_is_refused(disk, show):
    run("mkswap", "/dev/vda")
    run("swapon", "/dev/vda")
    try:
        assert "/dev/vda is swap" in refusal_of(disk, show)
    finally:
        run("swapoff", "/dev/vda")
    PciDevice.bind(disk).close()


def test_a_disk_that_another_is_built_on_is_refused(tmp_path):
    (tmp_path / "holders" / "dm-0").mkdir(parents=True)  # what device-mapper, md and bcache leave in sysfs
    assert pci_use._use_of_disk(usage.Node("/dev/none", str(tmp_path), 0, is_block=True)) == "/dev/none is part of dm-0"


def test_a_network_card_whose_interface_a_container_has_is_refused(network_card, show):
    (interface,) = os.listdir(f"{pci.DEVICES}/{network_card}/net")
    with subprocess.Popen(
        [BUSYBOX, "unshare", "-n", "sh", "-c", "echo there && read line"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as container:
        assert container.stdout.readline() == b"there\n"
        run(BUSYBOX, "ip", "link", "set", interface, "netns", str(container.pid))
        assert "its network interface is in another network namespace" in refusal_of(network_card, show)
        container.communicate(b"end\n")


def test_a_card_with_the_keyboard_is_refused(insert, show):
    address = insert("virtio-keyboard-pci", "virtio_input")
    assert "keyboard QEMU Virtio Keyboard is on it" in refusal_of(address, show)
    PciDevice.bind(insert("virtio-tablet-pci", "virtio_input")).close()


def test_the_serial_port_of_the_console_is_refused(insert, monkeypatch, show):
    address = insert("pci-serial", "8250_pci")
    (port,) = usage.nodes_below(f"{pci.DEVICES}/{address}")
    PciDevice.bind(address).close()
    monkeypatch.setattr(usage, "consoles", lambda: ["tty0", os.path.basename(port.path)])
    assert f"{port.path} is the console" in refusal_of(address, show)


def test_the_card_of_the_boot_screen_is_refused_even_without_a_driver(insert, monkeypatch, show):
    address = insert("sdhci-pci")
    monkeypatch.setattr(pci, "class_code", lambda address: 0x030000)  # QEMU's own cannot be pulled out again
    PciDevice.bind(address).close()
    monkeypatch.setattr(pci, "shows_the_boot_screen", lambda address: True)
    assert "it is a graphics card and may show the console" in refusal_of(address, show)


def test_a_card_of_a_virtual_machine_is_refused(insert, monkeypatch, show):
    address = insert("sdhci-pci")
    monkeypatch.setattr(pci, "driver", lambda address: "vfio-pci")
    monkeypatch.setattr("lab_devices.pci.driver", lambda address: "vfio-pci")
    assert "vfio-pci has it for a virtual machine" in refusal_of(address, show)


def test_an_interface_that_leaves_while_it_is_looked_at_is_not_up(tmp_path):
    (tmp_path / "eth0").mkdir()
    for name in ("ifindex", "flags"):
        (tmp_path / "eth0" / name).symlink_to("gone")
    assert usage.interfaces_up(str(tmp_path)) == []
