"""The interrupt of a UIO device: counted by read(), masked by write()."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from uio_workloop._linux import uio
from uio_workloop.clock import monotonic_ns
from uio_workloop.errors import DeviceGoneError
from uio_workloop.interrupts.claim import Claim
from uio_workloop.interrupts.event_count import EventCount
from uio_workloop.interrupts.interrupt_line import Trigger

T = TypeVar("T")


class UioInterrupt:
    """A line whose kernel driver has no irqcontrol: it counts, and cannot be masked.

    Args:
        fd: of /dev/uioN, non-blocking; lent by the device.
        total: the kernel's count at which to start.

    Source: uio_read in drivers/uio/uio.c. Once there was an interrupt, EIO from it means that the device has left.
    """

    masked_by_interrupt = False

    def __init__(self, fd: int, name: str, trigger: Trigger, total: int, claim: Claim) -> None:
        self.name = name
        self.trigger = trigger
        self.read_timestamp: Callable[[], int] | None = None
        """Where the device itself keeps the time of its last interrupt."""
        self.lost = 0  # the kernel counts in a register of its own and drops nothing
        self._fd = fd
        self._count = EventCount(total)
        self._claim = claim

    def fileno(self) -> int:
        return self._fd

    def drain(self) -> int:
        try:
            total = uio.read_total(self._fd)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._gone() from error
        return self._count.advance(total)

    def timestamp_ns(self) -> int:
        return monotonic_ns() if self.read_timestamp is None else self.read_timestamp()

    def mask(self) -> None:
        """Nothing masks here; a disabled source leaves its descriptor unread, and the kernel counts on."""

    def unmask(self) -> None:
        """Nothing is masked."""

    def release(self) -> None:
        try:
            self.mask()
        except DeviceGoneError:
            pass  # silent for good
        finally:
            self._claim.give_back()

    def _reach(self, operation: Callable[[int], T], fd: int) -> T:
        """Do something with a descriptor of the device, which may have left."""
        try:
            return operation(fd)
        except OSError as error:
            raise self._gone() from error

    def _gone(self) -> DeviceGoneError:
        return DeviceGoneError(
            f"{self.name} has left: unplugged, or its driver was unbound; find it again when it is back", path=self.name
        )


class MaskedUioInterrupt(UioInterrupt):
    """A line whose kernel driver has irqcontrol: writing 0 masks, 1 unmasks; both can be repeated.

    Source: uio_write in drivers/uio/uio.c; EINVAL from it means that the device has left.
    """

    masked_by_interrupt = True  # uio_pdrv_genirq masks at every interrupt, whatever the trigger

    def mask(self) -> None:
        self._reach(uio.mask, self._fd)

    def unmask(self) -> None:
        self._reach(uio.unmask, self._fd)
