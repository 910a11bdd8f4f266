"""What differs between processor architectures, in one table. Nothing else in the lab asks which one it is on.

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
    root_slot: str
    serial_slot: str
    edu_slots: tuple[str, str]
    firmware_arguments: tuple[str, ...]  # kernel arguments that only this architecture understands

    @property
    def edu_addresses(self) -> tuple[str, ...]:
        """Where the guest's sysfs has the two cards."""
        return tuple(f"0000:00:{int(slot, 16):02x}.0" for slot in self.edu_slots)


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
        root_slot="2",
        serial_slot="3",
        edu_slots=("4", "8"),  # i440fx gives slot n and slot n+4 the same interrupt line
        firmware_arguments=("no_timer_check",),
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
