"""Edges of a GPIO line that python-periphery opened."""

from __future__ import annotations

from uio_workloop._linux import gpio
from uio_workloop.clock import monotonic_from_realtime_ns
from uio_workloop.errors import DeviceGoneError
from uio_workloop.interrupts.claim import Claim
from uio_workloop.interrupts.event_count import MODULUS
from uio_workloop.interrupts.interrupt_line import Trigger


class GpioInterrupt:
    """An edge line: the kernel queues events with sequence numbers, and gaps in those tell what was lost.

    It cannot be masked; a disabled source leaves the descriptor unread, and the kernel keeps the newest 16 edges.

    Args:
        fd: of the line request, non-blocking; lent by the line.

    Source: linereq_read and lineinfo in drivers/gpio/gpiolib-cdev.c.
    """

    trigger = Trigger.EDGE

    def __init__(self, fd: int, name: str, claim: Claim) -> None:
        self.name = name
        self.lost = 0
        self._fd = fd
        self._claim = claim
        self._realtime_ns = 0
        self._last = 0  # the sequence number of the last edge read; the kernel starts at 1

    def forget(self) -> None:
        """Start anew: what came and went before is nobody's interrupt, and nobody's loss.

        Raises:
            DeviceGoneError: the line has left with its chip.
        """
        self.drain()
        self.lost = 0

    def fileno(self) -> int:
        return self._fd

    def drain(self) -> int:
        try:
            events, last, self._realtime_ns = gpio.read_events(self._fd)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise DeviceGoneError(
                f"{self.name} has left with its chip; find it again when it is back", path=self.name
            ) from error
        self.lost += (last - self._last) % MODULUS - events
        self._last = last
        return events

    def timestamp_ns(self) -> int:
        """The kernel's own time of the last edge, which it took in the interrupt handler."""
        return monotonic_from_realtime_ns(self._realtime_ns)

    def mask(self) -> None:
        """Edges cannot be masked without reconfiguring the line, which would lose those queued."""

    def unmask(self) -> None:
        """Nothing is masked."""

    def release(self) -> None:
        self._claim.give_back()
