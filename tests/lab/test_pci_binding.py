"""Cards taken from their drivers and given back."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab_devices import card_state as state
from lab_devices import run, said_to_nobody

from uio_workloop import DeviceError, InterruptEventSource, NoInterruptError, PciDevice
from uio_workloop._linux import pci
from uio_workloop.testing.lab import guest

DRIVER = "uio_pci_generic"
BUSYBOX = str(guest.LAB_DIRECTORY / "busybox")
STATUS = 0x08  # of an Intel 8254x network card, BAR 0
FULL_DUPLEX = 1 << 0


def network_interface(address: str) -> str:
    return os.listdir(f"{pci.DEVICES}/{address}/net")[0]


@pytest.fixture
def file_system():
    """A file system, read-only, for QEMU to make a disk of: it shows it a directory."""
    run("modprobe", "-a", "vfat", "nls_ascii", "nls_cp437")
    drive = {"driver": "vvfat", "node-name": "fat", "dir": str(Path(__file__).parent), "read-only": True}
    guest.qmp("blockdev-add", **drive)
    yield "fat"
    guest.qmp("blockdev-del", **{"node-name": "fat"})


@pytest.fixture
def disk(file_system, insert, tmp_path) -> tuple[str, Path]:
    """A disk with that, and where to mount it."""
    return insert("virtio-blk-pci", "virtio_blk", drive=file_system), tmp_path


def refusal_of(address: str, show, kind: type[DeviceError] = DeviceError) -> str:
    """What `bind` answers; nothing may have changed."""
    before = state(address)
    with pytest.raises(kind) as refused:
        PciDevice.bind(address)
    assert state(address) == before
    show(f"cannot bind: {refused.value}")
    return str(refused.value)


def test_a_card_is_taken_from_its_driver_and_given_back(network_card, show):
    with PciDevice.bind(network_card) as card:
        assert state(network_card) == (DRIVER, DRIVER)
        assert card.bar(0).read32(STATUS) & FULL_DUPLEX
    assert state(network_card) == ("e1000", "")
    show(f"{network_card}: e1000 -> {DRIVER} -> e1000, interface {network_interface(network_card)} is back")


def test_a_bound_card_interrupts(network_card, work_loop, seen):
    cause_read, cause_set, mask_set = 0xC0, 0xC8, 0xD0
    with PciDevice.bind(network_card) as card:
        registers = card.bar(0)

        def acknowledge(sender, count):
            registers.read32(cause_read)
            seen(sender, count)

        source = InterruptEventSource(card, acknowledge)
        work_loop.add_event_source(source)
        source.enable()
        registers.write32(mask_set, 1 << 2)
        registers.write32(cause_set, 1 << 2)
        seen.wait_for_calls(1)


def test_a_card_goes_round_and_round(network_card):
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with PciDevice.bind(network_card) as card:
            card.bar(0).read32(STATUS)
            card.bus_master = True
        assert state(network_card) == ("e1000", "")
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_unbind_ends_it_at_once_and_close_has_nothing_left_to_do(network_card):
    card = PciDevice.bind(network_card)
    card.unbind()
    assert state(network_card) == ("e1000", "")
    card.close()
    assert state(network_card) == ("e1000", "")


def test_a_card_without_a_driver_is_given_back_to_none(insert):
    address = insert("sdhci-pci")
    assert state(address) == (None, "")
    PciDevice.bind(address).close()
    assert state(address) == (None, "")


def test_an_override_that_was_there_is_there_again(insert):
    address = insert("sdhci-pci")
    pci.set_driver_override(address, "no_such_driver")
    PciDevice.bind(address).close()
    assert state(address) == (None, "no_such_driver")


def test_a_card_that_is_bound_already_is_opened_and_stays_bound():
    address = guest.edu_addresses()[0]
    before = state(address)
    PciDevice.bind(address).close()
    assert state(address) == before == (DRIVER, DRIVER)


def test_a_card_of_a_program_that_died_goes_back_to_the_driver_the_kernel_chooses(network_card):
    script = f"import os, uio_workloop; card = uio_workloop.PciDevice.bind({network_card!r}); os._exit(0)"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert state(network_card) == (DRIVER, DRIVER)
    PciDevice.find(network_card).unbind()
    assert state(network_card) == ("e1000", "")


def test_a_card_can_be_bound_as_soon_as_it_is_announced():
    slot = "9"
    address = guest.pci_address(slot)
    with guest.kernel_events() as events:
        guest.qmp("device_add", driver="virtio-rng-pci", id="new", bus=guest.host_architecture().pci_bus, addr=slot)
        guest.wait_for_event(events, action="add", path_end=f"/{address}")
    PciDevice.bind(address).close()
    guest.unplug("new")


def test_a_kernel_that_is_not_done_with_a_new_card_is_waited_for(insert, monkeypatch):
    address = insert("sdhci-pci")
    really_bind, answers = pci.bind, [errno.ENODEV] * 3

    def bind(address: str, driver: str) -> None:
        if answers:
            raise OSError(answers.pop(), "not yet")
        really_bind(address, driver)

    monkeypatch.setattr(pci, "bind", bind)
    PciDevice.bind(address).close()
    assert (answers, state(address)) == ([], (None, ""))


def test_a_card_that_left_while_it_was_bound_is_closed_in_silence(insert):
    insert("sdhci-pci")
    address = guest.insert("sdhci-pci", "leaving", "9")
    card = PciDevice.bind(address)
    guest.unplug("leaving")
    card.close()


def test_a_card_that_somebody_gave_to_another_driver_is_left_to_it(network_card):
    card = PciDevice.bind(network_card)
    pci.unbind(network_card, DRIVER)
    pci.set_driver_override(network_card, "")
    pci.bind(network_card, "e1000")
    card.close()
    assert state(network_card) == ("e1000", "")


def test_a_driver_that_does_not_take_its_card_back_is_an_error_that_names_it(network_card, show):
    card = PciDevice.bind(network_card)
    run("modprobe", "-r", "e1000")
    with pytest.raises(DeviceError) as refused:
        card.close()
    show(f"not given back: {refused.value}")
    assert (
        str(refused.value)
        == f"PCI device {network_card}: cannot give it back to e1000: that driver is not loaded any more"
    )
    card.close()
    assert state(network_card) == (None, "")


def test_the_module_is_loaded_if_need_be():
    first, second = guest.edu_addresses()
    run("modprobe", "-r", DRIVER)
    assert pci.driver(first) is None
    PciDevice.bind(first).close()
    assert state(first) == state(second) == (DRIVER, DRIVER)  # as their override, still there, wants it


def test_no_module_is_an_error_that_says_modprobe(monkeypatch, network_card, show):
    monkeypatch.setattr("uio_workloop.devices.pci_binding.DRIVER", "uio_no_such_driver")
    sentence = refusal_of(network_card, show)
    assert sentence.endswith("this kernel has no uio_no_such_driver loaded; as root: modprobe uio_no_such_driver")


def test_all_is_as_it_was_when_the_driver_refuses_the_card(monkeypatch, network_card, show):
    really_bind = pci.bind

    def refuse(address: str, driver: str) -> None:  # as it does a card before PCI 2.3; no such card can be had here
        if driver == DRIVER:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        really_bind(address, driver)

    monkeypatch.setattr(pci, "bind", refuse)
    assert "cannot give it to uio_pci_generic: that driver refuses it" in refusal_of(network_card, show)
    assert network_interface(network_card)


def test_all_is_as_it_was_when_the_card_cannot_be_opened(monkeypatch, network_card):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    monkeypatch.setattr("uio_workloop.devices.pci_device.UioDevice", refuse)
    with pytest.raises(OSError, match="No such device"):
        PciDevice.bind(network_card)
    assert state(network_card) == ("e1000", "")


# Who is in the way


def test_a_network_card_that_is_up_is_refused_unless_told_otherwise(network_card, show):
    name = network_interface(network_card)
    run(BUSYBOX, "ip", "link", "set", name, "up")
    assert f"it is in use: network interface {name} is up; end that first, or bind it with force=True" in refusal_of(
        network_card, show
    )
    with PciDevice.bind(network_card, force=True):
        assert state(network_card) == (DRIVER, DRIVER)
    assert state(network_card) == ("e1000", "")


def test_a_disk_that_is_mounted_is_refused(disk, show):
    address, directory = disk
    run("mount", "-o", "ro", "/dev/vda1", str(directory))
    try:
        assert f"/dev/vda1 is mounted on {directory}" in refusal_of(address, show)
    finally:
        run("umount", str(directory))
    PciDevice.bind(address).close()
    assert state(address) == ("virtio-pci", "")


def test_a_disk_that_is_mounted_where_we_cannot_see_it_is_refused(disk, show):
    address, directory = disk
    elsewhere = f"mount -o ro /dev/vda1 {directory} && echo mounted && read line"
    with subprocess.Popen(
        [BUSYBOX, "unshare", "-m", "sh", "-c", elsewhere], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"mounted\n"
        assert "/dev/vda1 is held by somebody who cannot be seen from here" in refusal_of(address, show)
        other.communicate(b"end\n")


def test_a_device_node_that_a_program_has_open_is_refused(insert, show):
    address = insert("pci-serial", "8250_pci")
    node = next(path for path in Path(os.path.realpath(f"{pci.DEVICES}/{address}")).rglob("ttyS*") if path.is_dir())
    with open(f"/dev/{node.name}", "rb"):
        sentence = refusal_of(address, show)
    assert f"/dev/{node.name} is open in process {os.getpid()} (" in sentence


def test_a_bridge_is_refused(show):
    assert "it is a bridge, which other devices are behind" in refusal_of("0000:00:01.0", show)


def test_a_graphics_card_with_a_driver_is_refused(insert, monkeypatch, show):
    address = insert("sdhci-pci")
    run("modprobe", "pci-stub")
    pci.set_driver_override(address, "pci-stub")
    pci.bind(address, "pci-stub")
    PciDevice.bind(address).close()  # pci-stub by itself is in nobody's way
    monkeypatch.setattr(pci, "class_code", lambda address: 0x030000)  # QEMU's own cannot be pulled out again
    assert "it is a graphics card on pci-stub and may show the console" in refusal_of(address, show)


def test_a_card_without_an_interrupt_is_refused(insert, show):
    sentence = refusal_of(insert("pci-testdev"), show, NoInterruptError)
    assert sentence.endswith("it has no interrupt pin, and there is nothing to wait for")


def test_somebody_who_is_not_root_is_refused(network_card, show):
    sentence = said_to_nobody(f"PciDevice.bind({network_card!r})")
    show(f"no permission: {sentence}")
    assert sentence.startswith(f"uio_workloop.errors.PrivilegeError: cannot bind PCI device {network_card}: no perm")
    assert state(network_card) == ("e1000", "")


def test_a_card_that_is_not_on_a_uio_driver_is_told_how_to_bind_it(network_card, show):
    with pytest.raises(DeviceError) as refused:
        PciDevice.find(network_card)
    show(f"not bound: {refused.value}")
    assert str(refused.value) == (
        f"PCI device {network_card} is on e1000, not on a UIO driver; PciDevice.bind('{network_card}') gives it to "
        "uio_pci_generic for as long as it is open"
    )


def test_registers_of_a_card_given_back_are_closed(network_card):
    card = PciDevice.bind(network_card)
    registers, config = card.bar(0), card.config
    card.unbind()
    for access in (lambda: registers.read32(0), lambda: config.read32(0), lambda: card.bus_master):
        with pytest.raises(RuntimeError, match="is closed"):
            access()


def test_a_shared_directory_of_the_host_is_not_taken_away():
    """The lab's own root is one, and no process sees where it is mounted."""
    (device,) = Path("/sys/bus/virtio/drivers/9pnet_virtio").glob("virtio*")
    address = device.resolve().parent.name
    before = state(address)
    with pytest.raises(DeviceError, match=r"it is in use: shared directory '.*' may be mounted") as refused:
        PciDevice.bind(address)
    assert refused.value.errno == errno.EBUSY
    assert state(address) == before
