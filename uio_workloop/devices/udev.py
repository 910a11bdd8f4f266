"""Which devices there are, and the names they answer to."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from uio_workloop._linux import irq, pci
from uio_workloop.devices import names
from uio_workloop.devices.hotplug_monitor import udev_runs
from uio_workloop.devices.names import Entry, IrqNumber, Name, OfNode, PciAddress, PciIdentity, UdevProperty, UioName
from uio_workloop.devices.udev_context import udev_context
from uio_workloop.errors import DeviceNotFoundError


def uio_entries() -> list[Entry]:
    """Every UIO device, in order of number."""
    with udev_context() as context:
        return _uio_entries(context)


def pci_entries() -> list[Entry]:
    """Every PCI function, in order of address, which is the order that `#2` counts in."""
    with udev_context() as context:
        return _pci_entries(context)


def _uio_entries(context: Any) -> list[Entry]:
    devices = sorted(context.list_devices(subsystem="uio"), key=lambda each: int(each.sys_number))
    return [entry for entry in map(_uio_entry, devices) if entry is not None]


def _pci_entries(context: Any) -> list[Entry]:
    seen: Counter[tuple[str, str]] = Counter()
    devices = sorted(context.list_devices(subsystem="pci"), key=lambda each: (len(each.sys_name), each.sys_name))
    return [entry for entry in (_pci_entry(each, seen) for each in devices) if entry is not None]


def resolve(wanted: Name, entries: Sequence[Entry], what: str) -> Entry:
    """As that of names.py; also says why udev's own properties are not there."""
    try:
        return names.resolve(wanted, entries, what)
    except DeviceNotFoundError as error:
        if not isinstance(wanted, UdevProperty) or udev_runs():
            raise
        note = "udevd does not run here, so there are the kernel's own properties alone"
        raise DeviceNotFoundError(f"{note}; {error}", path=str(wanted)) from None


def _uio_entry(device: Any) -> Entry | None:
    parent = device.parent
    address = str(parent.sys_name) if parent is not None and parent.subsystem == "pci" else None
    try:
        name = device.attributes.asstring("name")
        numbers = pci.irqs(address) if address else irq.numbers_of(name)
    except (KeyError, OSError):  # it left while we looked
        return None
    node = f"/dev/{device.sys_name}"
    known_as = [str(PciAddress(address))] if address else []
    known_as += [node, str(UioName(name)), *(str(IrqNumber(number)) for number in sorted(numbers))]
    known_as += _of_names(device.sys_path) + _properties(device) + (_properties(parent) if parent is not None else [])
    return Entry(node, name, tuple(dict.fromkeys(known_as)), address)


def _pci_entry(device: Any, seen: Counter[tuple[str, str]]) -> Entry | None:
    address = str(device.sys_name)
    try:
        vendor, number = identity = pci.identity(address)
        nodes = pci.uio_nodes(address)
        driver = pci.driver(address)
        numbers = pci.irqs(address) if nodes else set()
    except OSError:
        return None
    seen[identity] += 1
    known_as = [str(PciAddress(address)), str(PciIdentity(vendor, number, seen[identity]))]
    known_as += (
        [str(IrqNumber(number)) for number in sorted(numbers)] + _of_names(device.sys_path) + _properties(device)
    )
    on = f"on {driver}, {', '.join(f'/dev/{node}' for node in nodes)}" if nodes else f"on {driver or 'no driver'}"
    return Entry(address, f"{vendor}:{number} {on}", tuple(dict.fromkeys(known_as)), address)


def _of_names(sys_path: str) -> list[str]:
    """By its whole path, by its last part, and by that without the address, of the device or the one it sits on."""
    for link in (f"{sys_path}/of_node", f"{sys_path}/device/of_node"):
        if os.path.islink(link):
            path = os.path.realpath(link).partition("/devicetree/base")[2] or "/"
            last = os.path.basename(path)
            return [str(OfNode(each)) for each in (path, last, last.partition("@")[0])]
    return []


def _properties(device: Any) -> list[str]:
    return [str(UdevProperty(key, value)) for key, value in device.properties.items()]
