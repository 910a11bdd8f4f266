"""Who would miss a PCI function if it were taken from its driver."""

from __future__ import annotations

import os

from uio_workloop._linux import pci, usage
from uio_workloop._linux.usage import Node

_DISPLAY, _BRIDGE = 0x03, 0x06  # base classes
_GIVEN_AWAY = "vfio-pci"  # to a virtual machine; taking it back waits until that ends


def uses_of(address: str) -> list[str]:
    """Who uses a function, a clause each; empty: nobody, as far as this user may see.

    Source: PCI Code and ID Assignment Specification for the classes.
    """
    base_class = pci.class_code(address) >> 16
    if base_class == _BRIDGE:
        return ["it is a bridge, which other devices are behind"]
    driver = pci.driver(address)
    if base_class == _DISPLAY and (driver or pci.shows_the_boot_screen(address)):
        return [f"it is a graphics card{f' on {driver}' if driver else ''} and may show the console"]
    if driver == _GIVEN_AWAY:
        return ["vfio-pci has it for a virtual machine"]
    directory = os.path.realpath(f"{pci.DEVICES}/{address}")
    nodes = usage.nodes_below(directory)
    found = [f"network interface {name} is up" for name in usage.interfaces_up(directory)]
    found += [f"shared directory {name!r} may be mounted" for name in usage.shared_directories(directory)]
    if usage.has_interfaces_elsewhere(directory):
        found.append("its network interface is in another network namespace, as of a container")
    found += [use for node in nodes if node.is_block and (use := _use_of_disk(node))]
    found += [f"keyboard {name} is on it" for name in usage.keyboards(directory)]
    consoles = usage.consoles()
    found += [f"{node.path} is the console" for node in nodes if os.path.basename(node.path) in consoles]
    found += [f"{node.path} is open in process {pid} ({name})" for node, pid, name in usage.openers(nodes)]
    return found


def _use_of_disk(node: Node) -> str | None:
    if mounted := usage.mount_points(node):
        return f"{node.path} is mounted on {', '.join(mounted)}"
    if usage.is_swap(node):
        return f"{node.path} is swap"
    if holders := usage.holders(node):
        return f"{node.path} is part of {', '.join(holders)}"
    if usage.is_held(node) and not _is_held_below(node):
        return f"{node.path} is held by somebody who cannot be seen from here"
    return None


def _is_held_below(disk: Node) -> bool:
    """Whether the holder of a disk is that of a partition of it, which is told there."""
    partitions = [each for each in usage.nodes_below(disk.directory) if each.number != disk.number]
    return any(usage.is_held(each) for each in partitions)
