"""What differs between processor architectures, in one table. Nothing else in the lab asks where it is.

Source: QEMU's machine documentation; Debian's architecture and kernel flavour names.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

from uio_workloop.errors import LabError


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row: how this architecture is called by everybody the lab talks to."""

    machine: str  # uname -m
    debian: str  # dpkg --print-architecture; also the flavour in Debian's kernel package names
    kernel: str  # ARCH= of the kernel's makefiles
    qemu: str
    qemu_package: str
    qemu_machine: str
    emulated_cpu: str
    console: str  # console= of the first serial port
    image: str  # file name of the kernel image, before the version
    pci_bus: str
    chipset_addresses: tuple[str, ...]  # PCI functions the machine has by itself
    root_slot: str
    serial_slot: str
    edu_slots: tuple[str, str]
    firmware_arguments: tuple[str, ...]  # kernel arguments that only this architecture understands
    platform_arguments: tuple[str, ...]  # what has QEMU declare platform devices; {acpi} is the folder of that name
    platform_devices: tuple[str, ...]  # the guest's names for them; uio_pdrv_genirq gets them

    @property
    def edu_addresses(self) -> tuple[str, ...]:
        """Where the guest's sysfs has the two cards."""
        return tuple(map(pci_address, self.edu_slots))

    @property
    def port_addresses(self) -> tuple[str, ...]:
        """Where it has the lab's own way to the host."""
        return (pci_address(self.root_slot), pci_address(self.serial_slot))


def pci_address(slot: str) -> str:
    """How Linux writes the first function of a slot, given as QEMU's `addr=`."""
    return f"0000:00:{int(slot, 16):02x}.0"


ARCHITECTURES = {
    "x86_64": Architecture(
        machine="x86_64",
        debian="amd64",
        kernel="x86",
        qemu="qemu-system-x86_64",
        qemu_package="qemu-system-x86",
        qemu_machine="pc",  # not q35: here device_del really removes a card, and cards share interrupt lines
        emulated_cpu="max",
        console="ttyS0",
        image="vmlinuz-",
        pci_bus="pci.0",
        chipset_addresses=tuple(f"0000:00:{function}" for function in ("00.0", "01.0", "01.1", "01.2", "01.3")),
        root_slot="2",
        serial_slot="3",
        edu_slots=("4", "8"),  # i440fx gives slot n and slot n+4 the same interrupt line
        firmware_arguments=("no_timer_check", "tsc=reliable"),
        platform_arguments=(
            *("-acpitable", "file={acpi}/platform_devices.aml"),
            *("-global", "hpet.hpet-intcap=0xff0104"),  # as q35 has it; the HPET of pc can interrupt on line 2 only
        ),
        platform_devices=("UIOW0001:00",),
    ),
}


def host_architecture() -> Architecture:
    """The row of the machine we run on.

    Raises:
        LabError: the table has no such row.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise LabError(f"the lab cannot boot a {machine} guest: architecture.py knows only {known}; add a row there")
    return ARCHITECTURES[machine]
