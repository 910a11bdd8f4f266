"""Devices the demo knows well enough to make them interrupt, and to acknowledge them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from uio_workloop import (
    DeviceError,
    DeviceGoneError,
    PciDevice,
    PrivilegeError,
    TimerEventSource,
    UioDevice,
    WorkLoop,
)
from uio_workloop.cli.kernel_count import KernelCount
from uio_workloop.clock import MILLISECOND_NS, monotonic_ns

PERIOD_NS: Final = MILLISECOND_NS  # between two interrupts, where we are the ones who cause them


class EduSubject:
    """QEMU's teaching card: it interrupts when it is told to, and a timer tells it.

    Source: docs/specs/edu.rst of QEMU.
    """

    IDENTITY = ("0x1234", "0x11e8")
    STATUS, RAISE, ACKNOWLEDGE = 0x24, 0x60, 0x64  # in BAR 0, 32 bits each

    description = "QEMU's edu card; a timer makes it interrupt"
    can_acknowledge = True

    def __init__(self, device: PciDevice) -> None:
        self.name = device.name
        self.raised: int | None = 0
        self.provider = device
        self._caused = 0
        self._registers = device.bar(0)
        self._pending = False
        self._stamp: int | None = None
        self._timer = TimerEventSource(self._cause)

    @classmethod
    def recognises(cls, device: PciDevice) -> bool:
        card = Path("/sys/bus/pci/devices", device.address)
        return (_read(card / "vendor"), _read(card / "device")) == cls.IDENTITY

    def start(self, loop: WorkLoop) -> None:
        self.acknowledge()  # whatever an earlier program left behind
        loop.add_event_source(self._timer)
        self._timer.set_timeout_ns(PERIOD_NS)

    def stop(self) -> None:
        self._timer.close()

    def _cause(self, timer: TimerEventSource) -> None:
        timer.set_timeout_ns(PERIOD_NS)
        if self._pending:  # a second one now would be the same interrupt: the card has one line
            return
        self._pending = True
        self._caused += 1
        self.raised = self._caused
        self._stamp = monotonic_ns()
        self._registers.write32(self.RAISE, 1)

    def take_stamp(self, delivered: int) -> int | None:
        stamp, self._stamp = self._stamp, None
        return stamp

    def acknowledge(self) -> None:
        self._registers.write32(self.ACKNOWLEDGE, self._registers.read32(self.STATUS))
        self._pending = False

    def outstanding(self, delivered: int) -> int | None:
        return self._caused - delivered

    def close(self) -> None:
        self.stop()
        self.provider.close()


class DummySubject:
    """A device of the uio_dummy kernel module: its own timer raises the interrupt.

    The kernel's count is what deliveries are checked against, not the device's: raises that come while the line is
    masked are one interrupt, for this device as for a real one.

    Source: testing/lab/kmod/uio_dummy.c.
    """

    NAME, MAGIC = "uio_dummy", 0x4F495544
    RAISED, LAST_RAISE_NS, STATUS = 0x08, 0x20, 0x28  # in map 0, after the magic

    description = "uio_dummy; its timer raises one a millisecond"
    can_acknowledge = True

    def __init__(self, device: UioDevice) -> None:
        self.name = device.name
        self.raised: int | None = 0
        self.provider = device
        self._count = KernelCount(device)
        self._registers = device.map(0)
        self._period = _sysfs_directory(device) / "device" / "period_ns"
        self._period_before: str | None = None
        self._raised_before = self._seen = self._registers.read64(self.RAISED)

    @classmethod
    def recognises(cls, device: UioDevice) -> bool:
        # The name first: on a strange device even a read of the first register may have an effect.
        named_so = _read(_sysfs_directory(device) / "name").startswith(cls.NAME)
        return named_so and device.map(0).read32(0) == cls.MAGIC

    def start(self, loop: WorkLoop) -> None:
        self._count.begin()
        self._raised_before = self._seen = self._registers.read64(self.RAISED)
        period_before = _read(self._period)
        _write(self._period, str(PERIOD_NS))
        self._period_before = period_before

    def stop(self) -> None:
        period_before, self._period_before = self._period_before, None
        if period_before is not None:
            with suppress(DeviceGoneError):  # and its timer with it
                _write(self._period, period_before)
                self.raised = self._registers.read64(self.RAISED) - self._raised_before

    def take_stamp(self, delivered: int) -> int | None:
        raised = self._registers.read64(self.RAISED)
        last_ns = self._registers.read64(self.LAST_RAISE_NS)
        if raised == self._seen or raised != self._registers.read64(self.RAISED):
            return None  # answered already, or raised again between the reads
        # We answer the first of those not seen yet; the device only remembers when it raised the last.
        first_ns = last_ns - (raised - self._seen - 1) * PERIOD_NS
        self._seen = raised
        self.raised = raised - self._raised_before
        return first_ns

    def acknowledge(self) -> None:
        self._registers.write32(self.STATUS, 0)

    def outstanding(self, delivered: int) -> int | None:
        return self._count.outstanding(delivered)

    def close(self) -> None:
        self.stop()
        self.provider.close()


def on_pci(device: UioDevice | PciDevice) -> bool:
    """Whether the device is a PCI function, by whatever name it was opened."""
    return isinstance(device, PciDevice) or (_sysfs_directory(device) / "device" / "config").exists()


def _sysfs_directory(device: UioDevice) -> Path:
    return Path("/sys/class/uio", Path(device.node).resolve().name)  # the node may be a link that udev made


def _read(attribute: Path) -> str:
    """The value of a sysfs attribute; nothing if it cannot be read."""
    try:
        return attribute.read_text().strip()
    except OSError:
        return ""


def _write(attribute: Path, value: str) -> None:
    try:
        attribute.write_text(value)
    except PermissionError as error:
        raise PrivilegeError(
            f"cannot write {attribute}, which makes the device interrupt: no permission; run as root",
            code=error.errno,
            path=str(attribute),
        ) from error
    except FileNotFoundError as error:
        raise DeviceGoneError(f"cannot write {attribute}: its device has left", path=str(attribute)) from error
    except OSError as error:
        raise DeviceError(
            f"cannot write {value} to {attribute}: {error.strerror}", code=error.errno, path=str(attribute)
        ) from error
