"""From a name to a device, whatever its kind."""

from __future__ import annotations

import re

from uio_workloop.devices import gpio_line, pci_device
from uio_workloop.devices.gpio_line import GpioLine
from uio_workloop.devices.pci_device import PciDevice
from uio_workloop.devices.uio_device import UioDevice
from uio_workloop.errors import BadArgumentError

UIO_NAME = re.compile(r"uio[0-9]+|uio:.+|.*/.+")
Device = UioDevice | PciDevice | GpioLine


def find_device(name: str) -> Device:
    """Open the device of that name: what has an interrupt and a name has one of these forms.

    `gpiochip0:17` is a GPIO line; `0000:00:04.0`, `pci:0000:00:04.0` and `1234:11e8` are PCI cards; `/dev/uio0` (or any
    other path), `uio0` and `uio:NAME` are UIO devices.

    Raises:
        BadArgumentError: the name has none of these forms.
        DeviceNotFoundError, DeviceError, PrivilegeError: as the `find` of that class.
    """
    if gpio_line.NAME.fullmatch(name):
        return GpioLine.find(name)
    if pci_device.ADDRESS.fullmatch(name) or pci_device.IDENTITY.fullmatch(name):
        return PciDevice.find(name)
    if UIO_NAME.fullmatch(name):
        return UioDevice.find(name)
    raise BadArgumentError(
        f"{name!r} names no device: write /dev/uio0 or uio:NAME, a PCI address (0000:00:04.0) or identity (1234:11e8), "
        "or a GPIO line as gpiochip0:17"
    )
