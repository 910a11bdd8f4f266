"""A PCI card on a UIO driver: its BARs by number, and its INTx interrupt."""

from __future__ import annotations

import mmap
import os
import re

from uio_workloop._linux import pci
from uio_workloop.devices import udev
from uio_workloop.devices.access import open_node
from uio_workloop.devices.uio_device import UioDevice
from uio_workloop.errors import BadArgumentError, DeviceError, DeviceGoneError, DeviceNotFoundError, MapError
from uio_workloop.interrupts.claim import Claimant
from uio_workloop.interrupts.uio_interrupt import UioInterrupt
from uio_workloop.registers import Registers

ADDRESS = re.compile(r"(?:pci:)?(?P<address>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])", re.IGNORECASE)
IDENTITY = re.compile(r"(?P<vendor>[0-9a-f]{4}):(?P<device>[0-9a-f]{4})(?:#(?P<which>[1-9][0-9]*))?", re.IGNORECASE)


class PciDevice:
    """A PCI function bound to a UIO driver such as uio_pci_generic.

    Its registers are reached by BAR number through sysfs, because UIO map numbers are not BAR numbers and 64-bit BARs
    have no UIO map at all. Its interrupt is the level-triggered INTx line, which it may share with other cards; the
    kernel driver answers for its own card only.

    Args:
        address: `0000:00:04.0`.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._uio = UioDevice(f"/dev/{_uio_node(address)}", name=address)

    @classmethod
    def find(cls, name: str) -> PciDevice:
        """Open a card by address (`0000:00:04.0`, `pci:0000:00:04.0`) or identity (`1234:11e8`, second one `#2`).

        Raises:
            DeviceNotFoundError: there is none.
            DeviceError: it is not bound to a UIO driver; the sentence says how to.
            PrivilegeError: this user may not open it.
            BadArgumentError: `name` is neither.
        """
        if match := ADDRESS.fullmatch(name):
            return cls(match["address"].lower())
        if match := IDENTITY.fullmatch(name):
            return cls(_address_of(match["vendor"].lower(), match["device"].lower(), int(match["which"] or 1)))
        raise BadArgumentError(
            f"{name!r} names no PCI device: write an address as 0000:00:04.0 or an identity as 1234:11e8"
        )

    def __repr__(self) -> str:
        return f"<PciDevice {self.address} on {self._uio.node}>"

    @property
    def name(self) -> str:
        return self.address

    @property
    def event_count(self) -> int:
        """See `UioDevice.event_count`."""
        return self._uio.event_count

    def bar(self, index: int) -> Registers:
        """The registers of a memory BAR; asking again gives the same object.

        Raises:
            MapError: there is no such BAR, it is one of I/O ports, or it cannot be mapped.
            PrivilegeError: this user may not open the resource file.
            DeviceGoneError, ClosedError
        Source: Documentation/PCI/sysfs-pci.rst.
        """
        return self._uio.keep_registers(("bar", index), lambda: self._map_bar(index))

    def _map_bar(self, index: int) -> Registers:
        name = f"{self.address} BAR {index}"
        try:
            bars = pci.bars(self.address)
        except OSError as error:
            raise DeviceGoneError(f"cannot map {name}: the card has left", path=self.address) from error
        if index not in bars:
            there_are = ", ".join(str(each) for each in bars) or "none"
            raise MapError(f"{self.address} has no BAR {index}; there are: {there_are}", path=self.address)
        if not bars[index].is_memory:
            raise MapError(f"{name} is a range of I/O ports, which cannot be mapped", path=self.address)
        path = f"{pci.DEVICES}/{self.address}/resource{index}"
        fd = open_node(path, os.O_RDWR | os.O_SYNC)
        try:
            length = -(-bars[index].size // mmap.PAGESIZE) * mmap.PAGESIZE
            mapping = mmap.mmap(fd, length, flags=mmap.MAP_SHARED)
        except OSError as error:
            raise MapError(f"cannot map {name}: {error.strerror}", path=path) from error
        finally:
            os.close(fd)
        return Registers(mapping, name, 0, bars[index].size)

    def wait(self, timeout_ns: int | None = None) -> int:
        """See `UioDevice.wait`."""
        return self._uio.wait(timeout_ns)

    def claim_interrupt(self, index: int, claimant: Claimant) -> UioInterrupt:
        """See `InterruptProvider.claim_interrupt`."""
        return self._uio.claim_interrupt(index, claimant)

    def invalidate(self, reason: str) -> None:
        """See `InterruptProvider.invalidate`."""
        self._uio.invalidate(reason)

    def close(self) -> None:
        """Close the source on the card, its registers and its descriptors. Twice is fine."""
        self._uio.close()

    def __enter__(self) -> PciDevice:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _address_of(vendor: str, device: str, which: int) -> str:
    addresses = udev.pci_addresses(vendor, device)
    if which <= len(addresses):
        return addresses[which - 1]
    there_are = ", ".join(addresses) or "none"
    raise DeviceNotFoundError(
        f"there is no PCI device {vendor}:{device}{f'#{which}' if which > 1 else ''}; "
        f"of that identity there are: {there_are}",
        path=f"{vendor}:{device}",
    )


def _uio_node(address: str) -> str:
    if not os.path.isdir(f"{pci.DEVICES}/{address}"):
        raise DeviceNotFoundError(f"there is no PCI device {address}; lspci -D lists what there is", path=address)
    nodes = pci.uio_nodes(address)
    if not nodes:
        driver = pci.driver(address)
        raise DeviceError(
            f"PCI device {address} is {f'used by {driver}' if driver else 'bound to no driver'}, not by a UIO driver; "
            + (f"if nothing needs {driver} there, unbind it, then " if driver else "")
            + f"as root: modprobe uio_pci_generic && echo {pci.identity(address).replace(':', ' ')} "
            "> /sys/bus/pci/drivers/uio_pci_generic/new_id",
            path=address,
        )
    return nodes[0]
