"""QEMU's command line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from uio_workloop.testing.lab import virtual_machine
from uio_workloop.testing.lab.architecture import ARCHITECTURES
from uio_workloop.testing.lab.channels import PORTS
from uio_workloop.testing.lab.virtual_machine import Machine, command_line

DESCRIPTORS = {name: number for number, name in enumerate((*PORTS, "qmp", "console"), start=10)}
DEVICES = ("rtl8139", "pci-serial,addr=9")


def words(*, kvm: bool = False, cpus: int = 2) -> list[str]:
    row = ARCHITECTURES["x86_64"]
    machine = Machine(row, Path("/k/vmlinuz"), Path("/c/initramfs"), Path("/c/runs/run-1"), kvm, DEVICES)
    return command_line(machine, DESCRIPTORS, cpus)


def values(option: str, line: list[str]) -> list[str]:
    return [value for word, value in pairwise(line) if word == option]


def test_the_host_is_exported_read_only():
    assert values("-fsdev", words()) == ["local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"]


def test_the_two_cards_share_an_interrupt_line():
    slots = [int(slot, 16) for slot in ARCHITECTURES["x86_64"].edu_slots]

    assert slots[0] % 4 == slots[1] % 4
    assert [device for device in values("-device", words()) if device.startswith("edu")] == [
        "edu,id=edu0,bus=pci.0,addr=4",
        "edu,id=edu1,bus=pci.0,addr=8",
    ]


def test_devices_of_the_caller_come_last():
    assert values("-device", words())[-2:] == list(DEVICES)


def test_every_port_has_a_channel_of_its_own():
    line = words()

    for name in PORTS:
        assert f"socket,id={name},fd={DESCRIPTORS[name]}" in values("-chardev", line)
        assert f"virtserialport,bus=ports.0,chardev={name},name={name}" in values("-device", line)


@pytest.mark.parametrize(("kvm", "accelerator", "cpu"), [(True, "kvm", "host"), (False, "tcg,thread=multi", "max")])
def test_the_processor_fits_the_accelerator(kvm, accelerator, cpu):
    line = words(kvm=kvm)

    assert values("-accel", line) == [accelerator]
    assert values("-cpu", line) == [cpu]


def test_a_panic_ends_qemu():
    line = words()

    assert "-no-reboot" in line
    assert "panic=-1" in values("-append", line)[0].split()


def test_the_guest_learns_where_its_run_directory_is():
    assert "labrun=/c/runs/run-1" in values("-append", words())[0].split()


def test_the_addresses_of_the_cards_are_those_of_their_slots():
    assert ARCHITECTURES["x86_64"].edu_addresses == ("0000:00:04.0", "0000:00:08.0")


def test_the_machine_has_a_platform_device_from_a_table_that_is_there():
    line = words()

    (table,) = values("-acpitable", line)
    content = Path(table.removeprefix("file=")).read_bytes()
    assert (content[:4], int.from_bytes(content[4:8], "little"), sum(content) % 256) == (b"SSDT", len(content), 0)
    assert all(name.partition(":")[0].encode() in content for name in ARCHITECTURES["x86_64"].platform_devices)


def test_a_comma_in_the_path_of_the_package_is_no_separator_to_qemu(monkeypatch):
    monkeypatch.setattr(virtual_machine, "ACPI", Path("/a,b/acpi"))

    assert values("-acpitable", words()) == ["file=/a,,b/acpi/platform_devices.aml"]
