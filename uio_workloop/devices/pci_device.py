"""A PCI card on a UIO driver: its BARs by number, its configuration space, and its INTx interrupt."""

from __future__ import annotations

import errno
import mmap
import os

from uio_workloop._linux import pci
from uio_workloop.devices import udev
from uio_workloop.devices.access import open_node
from uio_workloop.devices.names import (
    IrqNumber,
    OfNode,
    PciAddress,
    PciIdentity,
    UdevProperty,
    is_pci_address,
    not_found,
    parse,
    shown,
    wrong_kind,
)
from uio_workloop.devices.pci_binding import PciBinding, exclusive, release
from uio_workloop.devices.pci_config import PciConfig
from uio_workloop.devices.uio_device import UioDevice
from uio_workloop.errors import BadArgumentError, DeviceError, DeviceGoneError, MapError
from uio_workloop.interrupts.claim import Claimant
from uio_workloop.interrupts.uio_interrupt import UioInterrupt
from uio_workloop.registers import MappedPages, PortRegisters, Registers, RegisterSpace

WHAT = "PCI device"


class PciDevice:
    """A PCI function bound to a UIO driver such as uio_pci_generic.

    Its registers are reached by BAR number through sysfs, because UIO map numbers are not BAR numbers and 64-bit BARs
    have no UIO map at all. Its interrupt is the level-triggered INTx line, which it may share with other cards; the
    kernel driver answers for its own card only.

    `vendor` and `device` are its identity, `class_code` has base class, subclass and programming interface: 0x020000 is
    an Ethernet controller.

    Args:
        address: `0000:00:04.0`.
    """

    def __init__(self, address: str) -> None:
        if not is_pci_address(address):
            raise BadArgumentError(f"{shown(address)} is no PCI address: write 0000:00:04.0, or find the card by name")
        self.address = address
        self._binding: PciBinding | None = None
        node = _uio_node(address)
        try:
            self.vendor, self.device = (int(word, 16) for word in pci.identity(address))
            self.class_code = pci.class_code(address)
        except OSError as error:
            raise DeviceGoneError(f"cannot open PCI device {address}: it has left", path=address) from error
        self._uio = UioDevice(f"/dev/{node}", name=address)

    @classmethod
    def find(cls, name: str) -> PciDevice:
        """Open a card that is on a UIO driver.

        Args:
            name: its address (`pci:0000:00:04.0`, `0000:00:04.0`), its vendor and device (`1234:11e8`, the second such
                card `1234:11e8#2`), its interrupt (`irq:11`), device-tree node (`of:NODE`) or a udev property
                (`udev:PROPERTY=VALUE`).

        Raises:
            DeviceNotFoundError: there is none; the sentence says what there is.
            DeviceError: it is not bound to a UIO driver; the sentence says how to. Or there are several.
            PrivilegeError: this user may not open it.
            BadArgumentError: `name` is none of these.
        """
        return cls(_address_of(name))

    @classmethod
    def bind(cls, name: str, *, force: bool = False) -> PciDevice:
        """Give a card to uio_pci_generic and open it. Closing it gives it back to the driver it had.

        A card that is on a UIO driver already is opened as it is, and stays there; if another program bound it, until
        that one closes it. The card of a program that died before it could give it back is freed by
        `PciDevice.bind(name).unbind()`. The module uio_pci_generic is loaded if need be, and stays loaded.

        Args:
            name: as `find`.
            force: take it from whoever uses it.

        Raises:
            DeviceNotFoundError, BadArgumentError: as `find`.
            DeviceError: it is in use (a disk mounted, a network interface up, a device node open, the console, a
                graphics card, a bridge), or the kernel refuses; the sentence says who or what. All is as it was then.
            NoInterruptError: it has no interrupt.
            PrivilegeError: it takes root.
        """
        address = _address_of(name)
        if not pci.exists(address):
            raise not_found(PciAddress(address), udev.pci_entries(), WHAT)
        with exclusive(address):
            binding = PciBinding(address, force=force)
            try:
                card = cls(address)
            except BaseException:
                binding.undo()
                raise
            card._binding = binding
        return card

    def unbind(self) -> None:
        """Close the card and take it from uio_pci_generic: it goes back to the driver that `bind` took it from.

        A card that was bound by somebody else goes to whichever driver the kernel chooses.

        Raises:
            DeviceError: that driver does not take it back, or the kernel refuses; the sentence says so.
            PrivilegeError: it takes root.
        """
        self.close()
        with exclusive(self.address):
            release(self.address)

    @classmethod
    def list(cls) -> dict[str, str]:
        """Every PCI function here, `{"0000:00:04.0": "1234:11e8 on uio_pci_generic, /dev/uio0"}`."""
        return {entry.key: entry.description for entry in udev.pci_entries()}

    def __repr__(self) -> str:
        return f"<PciDevice {self.address} on {self._uio.node}>"

    @property
    def name(self) -> str:
        return self.address

    @property
    def node(self) -> str:
        """`/dev/uioN`."""
        return self._uio.node

    @property
    def event_count(self) -> int:
        """See `UioDevice.event_count`."""
        return self._uio.event_count

    @property
    def config(self) -> PciConfig:
        """The card's configuration space; asking again gives the same object.

        Raises:
            PrivilegeError: this user may not write to it.
            DeviceGoneError, ClosedError
        """
        return self._uio.keep("config", self._open_config)

    def _open_config(self) -> PciConfig:
        fd = open_node(f"{pci.DEVICES}/{self.address}/config", os.O_RDWR)
        return PciConfig(fd, f"{self.address} configuration space")

    @property
    def bus_master(self) -> bool:
        """Whether the card may reach memory by itself (DMA). Set it before telling the card to.

        uio_pci_generic clears it when the last program closes the card.

        Raises:
            PrivilegeError, DeviceGoneError, ClosedError: as `config`.
        Source: release in drivers/uio/uio_pci_generic.c; bit 2 of the command register.
        """
        return self.config.bus_master

    @bus_master.setter
    def bus_master(self, allowed: bool) -> None:
        self.config.bus_master = allowed

    def bar(self, index: int) -> RegisterSpace:
        """The registers of a BAR, in memory or in I/O ports, little endian; asking again gives the same object.

        Args:
            index: of the BAR, 0 to 5; a 64-bit one has the lower of its two numbers.

        Raises:
            MapError: there is no such BAR, or it cannot be mapped.
            BadArgumentError: `index` is no number.
            PrivilegeError: this user may not open the resource file.
            DeviceGoneError, ClosedError
        Source: Documentation/PCI/sysfs-pci.rst.
        """
        if type(index) is not int:  # True is not BAR 1
            raise BadArgumentError(f"{self.address} has no BAR {index!r}: BARs are numbered 0 to 5")
        return self._uio.keep(("bar", index), lambda: self._open_bar(index).little_endian)

    def _open_bar(self, index: int) -> RegisterSpace:
        name = f"{self.address} BAR {index}"
        bar = self._look_up_bar(index, name)
        path = f"{pci.DEVICES}/{self.address}/resource{index}"
        if not bar.is_memory:
            return PortRegisters(open_node(path, os.O_RDWR), name, bar.size)
        fd = open_node(path, os.O_RDWR | os.O_SYNC)
        try:
            whole = bar.size % mmap.PAGESIZE == 0
            mapping = mmap.mmap(fd, bar.size) if whole else MappedPages(fd, bar.offset + bar.size)
        except OSError as error:
            raise MapError(f"cannot map {name}: {_why_not(error)}", path=path) from error
        finally:
            os.close(fd)
        return Registers(mapping, name, bar.offset, bar.size, self._uio.check_present)

    def _look_up_bar(self, index: int, name: str) -> pci.Bar:
        try:
            bars = pci.bars(self.address)
        except OSError as error:
            raise DeviceGoneError(f"cannot map {name}: the card has left", path=self.address) from error
        if index not in bars:
            there_are = ", ".join(map(str, bars.values())) or "none"
            raise MapError(f"{self.address} has no BAR {index}; there are: {there_are}", path=self.address)
        if not bars[index].is_assigned:
            raise MapError(f"cannot map {name}: neither firmware nor kernel gave it an address", path=self.address)
        return bars[index]

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
        """Close the source on the card, its registers and its descriptors; what `bind` took is given back.

        Twice is fine.

        Raises:
            DeviceError: the driver does not take the card back; all else is closed then.
        """
        self._uio.close()
        if self._binding is None:
            return
        with exclusive(self.address):  # if that is refused, closing once more tries again
            binding, self._binding = self._binding, None
            if binding is not None:  # another thread was not first
                binding.undo()

    def __enter__(self) -> PciDevice:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _address_of(name: str) -> str:
    wanted = parse(name)
    if isinstance(wanted, PciAddress):
        return wanted.address
    if isinstance(wanted, PciIdentity | IrqNumber | OfNode | UdevProperty):
        return udev.resolve(wanted, udev.pci_entries(), WHAT).key
    raise wrong_kind(name, wanted, "a PCI device")


def _uio_node(address: str) -> str:
    if not pci.exists(address):
        raise not_found(PciAddress(address), udev.pci_entries(), WHAT)
    nodes = pci.uio_nodes(address)
    if not nodes:
        driver = pci.driver(address)
        raise DeviceError(
            f"PCI device {address} is {f'on {driver}' if driver else 'on no driver'}, not on a UIO driver; "
            f"PciDevice.bind({address!r}) gives it to uio_pci_generic for as long as it is open",
            code=errno.EBUSY if driver else errno.ENODEV,
            path=address,
        )
    return nodes[0]


def _why_not(error: OSError) -> str:
    """Source: pci_mmap_resource in drivers/pci/pci-sysfs.c; iomem_is_exclusive looks at whole pages."""
    if error.errno == errno.EINVAL:
        return (
            "the kernel keeps its page for a driver, perhaps that of another card in it; "
            "unbind that, or boot with iomem=relaxed"
        )
    return error.strerror or "unknown error"
