"""From what a caller writes for an interrupt to which one it is, and how to open it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from uio_workloop.interrupts.interrupt_line import InterruptProvider
from uio_workloop.interrupts.software_interrupt import SoftwareInterrupt

Intr = int | str | os.PathLike[str] | InterruptProvider
"""A Linux IRQ number, any name that `find_device` takes, or an open device or `SoftwareInterrupt`."""

Opened = tuple[InterruptProvider, Callable[[], object] | None]


@dataclass(frozen=True, slots=True)
class Identity:
    """An interrupt that was not opened yet.

    Args:
        key: equal for all names of one interrupt.
        open: gives the provider, and what closes it again if it was opened for this.
    """

    key: Hashable
    open: Callable[[], Opened]


def name_of(intr: object) -> Hashable:
    """What an interrupt was called by, to be found again without looking it up; an object is itself, not its equals."""
    if type(intr) in (int, str):
        return intr
    return os.fspath(intr) if isinstance(intr, os.PathLike) else ("object", id(intr))


def shown(intr: object) -> str:
    """For messages."""
    name = getattr(intr, "name", None)
    return name if isinstance(name, str) else repr(intr)


def identify(intr: Intr) -> Identity:
    """Which interrupt that is; nothing is opened.

    Raises:
        TypeError: it is nothing of what an interrupt can be written as.
        OSError: EINVAL, a negative number.
        BadArgumentError, DeviceNotFoundError, DeviceError, PrivilegeError: see `find_device`.
    """
    if isinstance(intr, bool):
        raise TypeError(f"{intr} is no interrupt: write its number, a name that find_device() takes, or an open device")
    if isinstance(intr, int):
        if intr < 0:
            raise OSError(errno.EINVAL, f"there is no interrupt {intr}: they are numbered from 0; see /proc/interrupts")
        return _by_name(f"irq:{intr}")
    if isinstance(intr, str | os.PathLike):
        return _by_name(os.fspath(intr))
    if isinstance(intr, type) or not hasattr(intr, "claim_interrupt"):
        raise TypeError(
            f"{intr!r} is no interrupt: write its number, a name that find_device() takes, or an open device"
        )
    return Identity(_key_of(intr), lambda: (intr, None))


def _key_of(provider: InterruptProvider) -> Hashable:
    """What an open device has in common with its names."""
    if not isinstance(provider, SoftwareInterrupt):
        from uio_workloop.devices.gpio_line import GpioLine  # here, as all of devices: not everybody has one
        from uio_workloop.devices.pci_device import PciDevice
        from uio_workloop.devices.uio_device import UioDevice

        if isinstance(provider, UioDevice | PciDevice):
            return _uio_key(provider.node)
        if isinstance(provider, GpioLine):
            return ("gpio", provider.name)
    return ("object", id(provider))


def _uio_key(node: str) -> Hashable:
    return ("uio", os.path.realpath(node))


def _by_name(name: str) -> Identity:
    from uio_workloop.devices import names

    wanted = names.parse(name)
    if isinstance(wanted, names.GpioOffset | names.GpioName):
        return _gpio_line(name)
    if isinstance(wanted, names.PciAddress):
        return _pci_device(wanted.address)
    if isinstance(wanted, names.PciIdentity):
        from uio_workloop.devices import udev

        return _pci_device(udev.resolve(wanted, udev.pci_entries(), "PCI device").key)
    return _uio_device(wanted)


def _gpio_line(name: str) -> Identity:
    from uio_workloop.devices import gpio_names
    from uio_workloop.devices.gpio_line import GpioLine

    chip, offset = gpio_names.resolve(name)

    def open_it() -> Opened:
        line = GpioLine(chip, offset)
        return line, line.close

    return Identity(("gpio", f"{chip}:{offset}"), open_it)


def _pci_device(address: str) -> Identity:
    from uio_workloop.devices import udev

    nodes = [each.key for each in udev.uio_entries() if each.pci_address == address]
    return _card(address, _uio_key(nodes[0]) if nodes else ("pci", address))  # without one, opening says why


def _card(address: str, key: Hashable) -> Identity:
    from uio_workloop.devices.pci_device import PciDevice

    def open_it() -> Opened:
        device = PciDevice(address)
        return device, device.close

    return Identity(key, open_it)


def _uio_device(wanted: object) -> Identity:
    from uio_workloop.devices import names, udev
    from uio_workloop.devices.uio_device import UioDevice

    entries = udev.uio_entries()
    if isinstance(wanted, names.UioNode):
        node = os.path.realpath(wanted.path)
        entry = next((each for each in entries if each.key == node), None)
    else:
        assert isinstance(wanted, names.UioName | names.IrqNumber | names.OfNode | names.UdevProperty)
        entry = udev.resolve(wanted, entries, "UIO device")
        node = entry.key
    if entry is not None and entry.pci_address is not None:
        return _card(entry.pci_address, _uio_key(node))

    def open_it() -> Opened:
        device = UioDevice(node)
        return device, device.close

    return Identity(_uio_key(node), open_it)
