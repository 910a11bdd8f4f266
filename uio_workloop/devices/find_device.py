"""From a name to an open device, whatever its kind."""

from __future__ import annotations

from uio_workloop.devices import udev
from uio_workloop.devices.gpio_line import GpioLine
from uio_workloop.devices.names import (
    GpioName,
    GpioOffset,
    IrqNumber,
    OfNode,
    PciAddress,
    PciIdentity,
    UdevProperty,
    parse,
)
from uio_workloop.devices.pci_device import PciDevice
from uio_workloop.devices.uio_device import UioDevice

Device = UioDevice | PciDevice | GpioLine


def find_device(name: str) -> Device:
    """Open the device of that name.

    Args:
        name: `/dev/uio0` (or any link to it), `uio:NAME`: a UIO device. `pci:0000:00:04.0`, `1234:11e8` (second one
            `#2`): a PCI card. `gpiochip0:17`, `gpio:LABEL/17`, `gpio:LINE_NAME`: a GPIO line. `irq:39`, `of:NODE`,
            `udev:PROPERTY=VALUE`: whichever has that; a card on the PCI bus is opened as one.

    Raises:
        BadArgumentError: the name has none of these forms.
        DeviceNotFoundError: nothing has that name; the sentence says what there is.
        DeviceError: several have it, or the device is not ours to open; the sentence says the way out.
        PrivilegeError: this user may not open it.
    """
    wanted = parse(name)
    if isinstance(wanted, GpioOffset | GpioName):
        return GpioLine.find(name)
    if isinstance(wanted, PciAddress | PciIdentity):
        return PciDevice.find(name)
    if isinstance(wanted, IrqNumber | OfNode | UdevProperty):
        return _find_either(wanted)
    return UioDevice.find(name)


def _find_either(wanted: IrqNumber | OfNode | UdevProperty) -> UioDevice | PciDevice:
    uio_entries = udev.uio_entries()
    on_no_uio_driver = [entry for entry in udev.pci_entries() if str(wanted) in entry.names]
    if on_no_uio_driver and not any(str(wanted) in entry.names for entry in uio_entries):
        return PciDevice.find(str(wanted))  # which says what to do about it
    entry = udev.resolve(wanted, uio_entries, "UIO device")
    return UioDevice(entry.key) if entry.pci_address is None else PciDevice(entry.pci_address)
