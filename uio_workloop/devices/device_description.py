"""What the kernel and udev say of a device, without opening it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uio_workloop.errors import BadArgumentError

if TYPE_CHECKING:
    from uio_workloop.devices.gpio_line import GpioLine
    from uio_workloop.devices.pci_device import PciDevice
    from uio_workloop.devices.uio_device import UioDevice


@dataclass(frozen=True, slots=True)
class DeviceDescription:
    """A device as it was at one moment.

    sys_path: its directory in sysfs; of a GPIO line, that of the chip and `#OFFSET`.
    subsystem: `pci`, `uio`, `gpio`, or whatever else the kernel calls it.
    name: what `find_device` opens it by, if it is a device of that kind: `0000:00:04.0`, `/dev/uio0`, `gpiochip0:17`.
    node: its file in /dev; of a PCI card that of its UIO driver, None as long as no UIO driver has it.
    properties: udev's, or the kernel's where no udev runs. A UIO device and a PCI card on UIO have those of both, the
        UIO device and what it stands for.
    uio_name: what its UIO driver calls it.
    gpio_names: every name of a GPIO line, in the forms of `GpioLine.find`, without the `gpio:`.
    trace: a directory of sysfs and its inode, by which a device is told from the next one in its place.
    """

    sys_path: str
    subsystem: str
    name: str
    node: str | None
    properties: Mapping[str, str]
    uio_name: str | None = None
    gpio_names: tuple[str, ...] = ()
    trace: tuple[str, int] = ("", 0)

    @property
    def pci_id(self) -> str | None:
        """Vendor and device of a PCI card, as `1234:11e8`."""
        identity = self.properties.get("PCI_ID") if self.subsystem == "pci" else None
        return identity and identity.lower()

    @property
    def compatible(self) -> tuple[str, ...]:
        """What the device tree says it is compatible with, the most specific first."""
        numbered = (key for key in self.properties if key.startswith("OF_COMPATIBLE_") and key[14:].isdecimal())
        return tuple(self.properties[key] for key in sorted(numbered, key=lambda key: int(key[14:])))

    @property
    def present(self) -> bool:
        """Whether this very device is still there; not one that took its place.

        Source: sysfs gives every directory an inode of its own, in fs/kernfs/dir.c, and does not soon use it again.
        """
        directory, inode = self.trace
        try:
            return os.stat(directory).st_ino == inode
        except OSError:
            return False

    def open(self) -> UioDevice | PciDevice | GpioLine:
        """Open the device.

        Raises:
            DeviceError: as its class, such as for a PCI card that no UIO driver has.
            BadArgumentError: it is no UIO device, PCI card or GPIO line.
        """
        from uio_workloop.devices.gpio_line import GpioLine
        from uio_workloop.devices.pci_device import PciDevice
        from uio_workloop.devices.uio_device import UioDevice

        if self.gpio_names:
            return GpioLine.find(self.name)
        if self.subsystem == "pci":
            return PciDevice(self.name)  # by address: nothing needs to be looked for
        if self.subsystem == "uio":
            return UioDevice(self.name)
        raise BadArgumentError(f"cannot open {self.name}: it is no UIO device, PCI card or GPIO line")
