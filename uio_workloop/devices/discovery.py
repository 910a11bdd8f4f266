"""What there is for drivers to match: PCI cards, UIO devices that are no PCI cards, and lines of GPIO chips.

A PCI card on a UIO driver is two devices to the kernel. Here it is one, the card; what the UIO driver adds is its node.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from uio_workloop._linux import gpio, uio
from uio_workloop.devices.device_description import DeviceDescription
from uio_workloop.devices.hotplug_monitor import device_at, devices_of, parent_of


def list_devices(*, gpio_lines: bool = False) -> list[DeviceDescription]:
    """Every PCI card and every other UIO device; on demand every line of every GPIO chip this user may open."""
    found = {}
    for subsystem in ("pci", "uio", "gpio") if gpio_lines else ("pci", "uio"):
        for device in devices_of(subsystem):
            for each in _matchable(device):
                found[each.sys_path] = each
    return list(found.values())


def devices_at(sys_path: str) -> list[DeviceDescription]:
    """What there is at a directory of sysfs, such as an event tells of, as `list_devices` has it."""
    device = device_at(sys_path)
    return [] if device is None else list(_matchable(device))


def waits_for_its_driver(device: DeviceDescription) -> bool:
    """Whether a UIO device may not be complete yet, because the kernel driver that makes it is still at it.

    Maps and interrupt come after the event that announces the device; once all is done its parent is announced as
    bound. A parent without a driver is never bound.

    Source: __uio_register_device in drivers/uio/uio.c; really_probe in drivers/base/dd.c sets the link first.
    """
    return device.subsystem == "uio" and os.path.exists(f"{device.sys_path}/device/driver")


def _matchable(device: DeviceDescription) -> Iterator[DeviceDescription]:
    if device.subsystem == "pci":
        yield _card(device)
    elif device.subsystem == "uio":
        yield from _of_uio(device)
    elif device.subsystem == "gpio":
        yield from _lines(device)
    else:
        for child in _uio_children(device.sys_path):
            yield from _of_uio(child)


def _uio_children(sys_path: str) -> list[DeviceDescription]:
    try:
        names = sorted(os.listdir(f"{sys_path}/uio"))
    except OSError:
        return []
    children = (device_at(f"{sys_path}/uio/{name}") for name in names)
    return [child for child in children if child is not None and child.subsystem == "uio"]


def _card(card: DeviceDescription) -> DeviceDescription:
    name = os.path.basename(card.sys_path)
    for child in _uio_children(card.sys_path):
        properties = {**child.properties, **card.properties}
        return replace(
            card,
            name=name,
            node=child.node,
            properties=properties,
            uio_name=_name_of(child.sys_path),
            trace=child.trace,
        )
    return replace(card, name=name)


def _of_uio(device: DeviceDescription) -> Iterator[DeviceDescription]:
    parent = parent_of(device.sys_path)
    if parent is not None and parent.subsystem == "pci":
        yield _card(parent)
        return
    above = {} if parent is None else parent.properties
    yield replace(device, properties={**above, **device.properties}, uio_name=_name_of(device.sys_path))


def _name_of(sys_path: str) -> str | None:
    try:
        return uio.read_attribute(sys_path, "name")
    except OSError:  # it is leaving
        return None


def _lines(chip: DeviceDescription) -> Iterator[DeviceDescription]:
    if chip.node is None:  # the same chip as the older interface to GPIO in sysfs shows it
        return
    try:
        fd = os.open(chip.node, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # not for this user, or gone
        return
    try:
        chip_info = gpio.chip_info(fd)
        lines = [gpio.line_info(fd, offset) for offset in range(chip_info.lines)]
    except OSError:
        return
    finally:
        os.close(fd)
    chip_name = os.path.basename(chip.node)
    for offset, line in enumerate(lines):
        by_number, by_label = f"{chip_name}:{offset}", f"{chip_info.label}/{offset}"
        names = (by_number, by_label, line.name) if line.name else (by_number, by_label)
        yield replace(chip, sys_path=f"{chip.sys_path}#{offset}", name=by_number, gpio_names=names)
