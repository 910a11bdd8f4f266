"""A UIO device: its registers and its interrupt."""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from uio_workloop._linux import irq, uio
from uio_workloop._linux.uio import UioMap
from uio_workloop.clock import Deadline
from uio_workloop.devices import udev
from uio_workloop.devices.access import open_node, refusal
from uio_workloop.devices.names import (
    IrqNumber,
    OfNode,
    UdevProperty,
    UioName,
    UioNode,
    not_found,
    parse,
    plain,
    shown,
    wrong_kind,
)
from uio_workloop.devices.node_claim import NodeClaim
from uio_workloop.devices.uio_wait import UioWaiter
from uio_workloop.errors import (
    BadArgumentError,
    ClosedError,
    DeviceError,
    DeviceGoneError,
    DeviceNotFoundError,
    MapError,
    NoInterruptError,
    WorkLoopError,
)
from uio_workloop.interrupts.claim import Claimant
from uio_workloop.interrupts.event_count import MODULUS
from uio_workloop.interrupts.interrupt_line import Trigger
from uio_workloop.interrupts.pci_interrupt import PciInterrupt
from uio_workloop.interrupts.uio_interrupt import MaskedUioInterrupt, UioInterrupt
from uio_workloop.registers import Registers

WHAT = "UIO device"
DUMMY_DRIVER = "uio_dummy"  # its registers tell when it last interrupted; see testing/lab/kmod/uio_dummy.c
DUMMY_LAST_RAISE_NS = 0x20


class Region(Protocol):
    """Something that ends with its device."""

    def invalidate(self, why: Callable[[], WorkLoopError]) -> None: ...


R = TypeVar("R", bound=Region)


class UioDevice:
    """A device that a UIO kernel driver hands to user space.

    How its interrupt is masked is found out when it is first wanted: by writing to the device if its kernel driver has
    irqcontrol, through the PCI command register if it sits on a PCI function, else not at all.

    Args:
        node: `/dev/uioN`, or a link to it.
        name: for messages, if another name says more.

    Raises (construction):
        DeviceNotFoundError, PrivilegeError, DeviceGoneError: see `find`.

    Closing the device closes the event source on it, and its registers raise `ClosedError`.
    """

    def __init__(self, node: str, *, name: str | None = None) -> None:
        if not isinstance(node, str):  # a number would be taken for a descriptor
            raise BadArgumentError(f"{shown(node)} is no path of a UIO device's node: write /dev/uio0")
        self.node = node
        self.name = name or node
        self._directory = _sysfs_directory(node)
        self._regions: dict[object, Region] = {}
        self._lock = threading.Lock()  # a mapping made twice would outlive the device once
        self._waiter: UioWaiter | None = None
        self._gone: str | None = None
        self._line: UioInterrupt | None = None
        self._config_fd = -1
        self._fd = _open(node)
        self._claim = NodeClaim(self.name, self._fd)
        try:
            self._first_total = self._read_event_count()  # only sysfs knows where this descriptor starts to count
            self._inode = self._look_up_inode()
        except BaseException:
            os.close(self._fd)
            raise

    @classmethod
    def find(cls, name: str) -> UioDevice:
        """Open a device by name.

        Args:
            name: its node (`/dev/uio0`, or any link to it), the name its driver gave it (`uio:NAME`), its interrupt
                (`irq:39`), its device-tree node (`of:NODE`), or a udev property of it or of what it sits on
                (`udev:PROPERTY=VALUE`).

        Raises:
            DeviceNotFoundError: there is none; the sentence says what there is.
            DeviceError: there are several; the sentence tells them apart.
            PrivilegeError: it is there, and this user may not open it.
            BadArgumentError: `name` is none of these.
        """
        wanted = parse(name)
        if isinstance(wanted, UioNode):
            return cls(wanted.path)
        if isinstance(wanted, UioName | IrqNumber | OfNode | UdevProperty):
            return cls(udev.resolve(wanted, udev.uio_entries(), WHAT).key)
        raise wrong_kind(name, wanted, "a UIO device")

    @classmethod
    def list(cls) -> dict[str, str]:
        """Every UIO device here: `{"/dev/uio0": its driver's name for it}`."""
        return {entry.key: entry.description for entry in udev.uio_entries()}

    def __repr__(self) -> str:
        return f"<UioDevice {self.name}>"

    # Registers

    @property
    def maps(self) -> tuple[UioMap, ...]:
        """What `map` can give: index, name and size of each, and where in its first page it begins.

        Raises:
            DeviceGoneError, ClosedError
        """
        self._check_usable("look at the maps of")
        return self._read_maps("look at the maps of")

    def _read_maps(self, attempt: str) -> tuple[UioMap, ...]:
        try:
            found = tuple(uio.maps(self._directory))
            if os.path.isdir(self._directory):
                return found
        except OSError as error:
            raise DeviceGoneError(f"cannot {attempt} {self.name}: it has left", path=self.node) from error
        raise DeviceGoneError(f"cannot {attempt} {self.name}: it has left", path=self.node)

    def map(self, which: int | str = 0) -> Registers:
        """The registers of one of the device's memory maps; asking again gives the same object.

        Args:
            which: the index of the UIO map, which is not a PCI BAR number (see `PciDevice.bar`), or its name.

        Raises:
            MapError: there is no such map, several have that name, or it cannot be mapped.
            DeviceGoneError, ClosedError
        Source: Documentation/driver-api/uio-howto.rst: map I is at I times the page size, and the registers start
            `offset` into it. Its size may be rounded up to the end of the page, if the driver says no more.
        """
        self._check_usable("map registers of")
        region = self._region(which)
        return self.keep(region.index, lambda: self._map(region))

    def _region(self, which: int | str) -> UioMap:
        regions = self._read_maps(f"find map {shown(which)} of")
        key = which if type(which) in (int, str) else None  # True is not map 1
        found = [each for each in regions if key in (each.index, each.name)]
        if len(found) == 1:
            return found[0]
        there_are = ", ".join(f"{each.index} ({each.name or 'no name'})" for each in regions) or "none"
        if found:
            raise MapError(
                f"{self.name} has {len(found)} maps named {which!r}: {there_are}; give the index", path=self.node
            )
        wanted = f"map named {shown(which)}" if isinstance(which, str) else f"map {which!r}"
        raise MapError(f"{self.name} has no memory {wanted}; there are: {there_are}", path=self.node)

    def keep(self, key: object, make: Callable[[], R]) -> R:
        """What is kept under `key`, made on first use; it shares the device's fate."""
        self._check_usable("map registers of")
        with self._lock:
            self._check_known("map registers of")
            if key not in self._regions:
                self._regions[key] = make()
            return cast("R", self._regions[key])  # made by the same function, last time

    def _map(self, region: UioMap) -> Registers:
        name = f"{self.name} map {region.index}"
        length = -(-(region.offset + region.size) // mmap.PAGESIZE) * mmap.PAGESIZE
        try:
            # Populated now: a page first touched after the device has left would be a SIGBUS, not an exception.
            mapping = mmap.mmap(
                self._fd, length, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, offset=region.index * mmap.PAGESIZE
            )
        except OSError as error:
            raise MapError(f"cannot map {name}: {error.strerror}", path=self.node) from error
        return Registers(mapping, name, region.offset, region.size, self.check_present)

    # The interrupt

    @property
    def event_count(self) -> int:
        """The kernel's count of this device's interrupts since it was bound, modulo 2^32.

        Source: sysfs attribute `event`.
        """
        self._check_usable("read the event count of")
        return self._read_event_count()

    def _read_event_count(self) -> int:
        try:
            return int(uio.read_attribute(self._directory, "event")) % MODULUS
        except OSError as error:
            raise DeviceGoneError(f"{self.name} has left", path=self.node) from error

    def wait(self, timeout_ns: int | None = None) -> int:
        """Wait for the interrupt and return how many came since the last wait; 0 on time-out.

        For programs without a loop: acknowledge the device, then wait again. The line is unmasked when the caller comes
        back and nothing is pending, so never before he had the chance to acknowledge. The first wait counts from the
        moment the device was opened.

        Args:
            timeout_ns: how long to wait; None waits for ever, 0 only looks.

        Context: any thread, one at a time.
        Raises:
            BadArgumentError: `timeout_ns` is negative, or no whole number.
            NoInterruptError: the device has no interrupt.
            NoResourcesError: an event source has it.
            DeviceGoneError: the device has left, before or during the wait.
            AbortedError: the device was closed during the wait.
        QNX: InterruptWait, with the InterruptUnmask that has to come before it.
        """
        if timeout_ns is not None and not (isinstance(timeout_ns, int) and timeout_ns >= 0):
            raise BadArgumentError(
                f"cannot wait {timeout_ns!r} ns for {self.name}: a timeout is a whole number of nanoseconds, 0 or "
                "more, or None"
            )
        deadline = None if timeout_ns is None else Deadline.after(timeout_ns)
        self._check_usable("wait for")
        with self._lock:
            if self._waiter is None:
                self._waiter = UioWaiter(self.name)
            waiter = self._waiter
        try:
            with waiter.claiming(self._claim):
                return waiter.wait(self._interrupt_line(), deadline)
        except DeviceGoneError as gone:
            self.invalidate(str(gone))
            raise

    def claim_interrupt(self, index: int, claimant: Claimant) -> UioInterrupt:
        """See `InterruptProvider.claim_interrupt`."""
        self._check_usable("claim the interrupt of")
        self._claim.take(index, claimant)
        try:
            line = self._interrupt_line()
            line.mask()
            line.drain()
        except BaseException:
            self._claim.give_back()
            raise
        return line

    def _interrupt_line(self) -> UioInterrupt:
        self._check_usable("use the interrupt of")
        if self._line is None:
            self._line = self._find_line()
            if uio.driver(self._directory) == DUMMY_DRIVER:
                self._line.read_timestamp = lambda: self.map(0).read64(DUMMY_LAST_RAISE_NS)
        return self._line

    def _find_line(self) -> UioInterrupt:
        """Find out how the line is masked, by masking it."""
        try:
            uio.mask(self._fd)
        except OSError as error:
            if error.errno == errno.ENOSYS:
                return self._line_without_irqcontrol()
            raise self._no_interrupt(error) from error
        return MaskedUioInterrupt(self._fd, self.name, self._trigger(), self._first_total, self._claim)

    def _line_without_irqcontrol(self) -> UioInterrupt:
        config = os.path.join(self._directory, "device", "config")
        if not os.path.exists(config):
            return UioInterrupt(self._fd, self.name, self._trigger(), self._first_total, self._claim)
        self._config_fd = open_node(config, os.O_RDWR)
        return PciInterrupt(self._fd, self._config_fd, self.name, self._first_total, self._claim)

    def _trigger(self) -> Trigger:
        """As the kernel says; level when it does not, which loses nothing: an edge while masked is latched."""
        types = irq.types_of(uio.read_attribute(self._directory, "name"))
        return Trigger.EDGE if types == {"edge"} else Trigger.LEVEL

    def _no_interrupt(self, error: OSError) -> DeviceError:
        if error.errno == errno.EIO:
            return NoInterruptError(
                f"{self.name} has no interrupt: its kernel driver registered none; its registers can still be mapped",
                path=self.node,
            )
        if error.errno == errno.EINVAL:
            return DeviceGoneError(f"{self.name} has left", path=self.node)
        return refusal(self.node, "mask the interrupt of", error)

    # The end

    def invalidate(self, reason: str) -> None:
        """The device has left: registers raise `DeviceGoneError` from now on. Idempotent."""
        if self._gone is None:
            self._gone = reason
            self._drop_registers(lambda: DeviceGoneError(reason, path=self.node))

    def close(self) -> None:
        """Close the source on the device, its registers and its descriptors. Twice is fine.

        Context: any thread; takes the gate of the source's loop.
        """
        self._claim.revoke()
        self._drop_registers(lambda: ClosedError(f"{self.name} is closed; find it again"))
        with self._lock:
            self._claim.forget_descriptor()
            fds, self._fd, self._config_fd = (self._fd, self._config_fd), -1, -1
            waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.release()
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def __enter__(self) -> UioDevice:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _drop_registers(self, why: Callable[[], WorkLoopError]) -> None:
        with self._lock:
            for registers in self._regions.values():
                registers.invalidate(why)
            self._regions.clear()

    def check_present(self) -> None:
        """For registers: whoever waits for one asks now and then, because a mapping outlives the device.

        Raises:
            DeviceGoneError: the device has left.
            ClosedError: it was closed.
        """
        self._check_usable("wait for registers of")

    def _check_usable(self, operation: str) -> None:
        self._check_known(operation)
        if self._look_up_inode() != self._inode:
            self.invalidate("it has left: unplugged, or its driver was unbound; find it again when it is back")
            self._check_known(operation)

    def _look_up_inode(self) -> int:
        """Tells this device from the next one in its place; 0 if there is none.

        Source: sysfs gives every directory an inode of its own, in fs/kernfs/dir.c, and does not soon use it again.
        """
        try:
            return os.stat(self._directory).st_ino
        except OSError:
            return 0

    def _check_known(self, operation: str) -> None:
        """Without asking the kernel."""
        if self._gone is not None:
            raise DeviceGoneError(f"cannot {operation} {self.name}: {self._gone}", path=self.node)
        if self._fd < 0:
            raise ClosedError(f"cannot {operation} {self.name}: it is closed; find it again")


def _open(node: str) -> int:
    try:
        return open_node(node, os.O_RDWR | os.O_NONBLOCK)
    except DeviceError as error:
        if error.errno == errno.EINVAL:  # uio_open() in drivers/uio/uio.c: its driver is just letting go of it
            raise DeviceGoneError(f"cannot open {node}: its device is leaving", path=node) from error
        raise


def _sysfs_directory(node: str) -> str:
    try:
        directory = uio.directory_of(node)
    except (FileNotFoundError, ValueError):  # no file can have a NUL in its name
        raise not_found(UioNode(node), udev.uio_entries(), WHAT) from None
    except OSError as error:
        raise refusal(plain(node), "look at", error) from error
    if not uio.is_uio(directory):
        there_are = ", ".join(map(str, udev.uio_entries())) or "none on this machine"
        raise DeviceNotFoundError(f"{plain(node)} is not a UIO device; there are: {there_are}", path=node)
    return directory
