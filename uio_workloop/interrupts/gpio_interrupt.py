"""Edges of a GPIO line that python-periphery opened."""

from __future__ import annotations

from typing import Final

from uio_workloop._linux import gpio
from uio_workloop.errors import DeviceGoneError
from uio_workloop.interrupts.claim import Claim
from uio_workloop.interrupts.event_count import MODULUS
from uio_workloop.interrupts.gpio_edges import EdgeRecord, GpioEdge
from uio_workloop.interrupts.interrupt_line import Trigger

new: Final = tuple.__new__


class GpioInterrupt:
    """An edge line: the kernel queues events with sequence numbers, and gaps in those tell what was lost.

    It cannot be masked; a disabled source leaves the descriptor unread, and the kernel keeps the newest edges.

    Args:
        fd: of the line request, non-blocking; lent by the line.

    Source: linereq_read and lineinfo in drivers/gpio/gpiolib-cdev.c.
    """

    trigger = Trigger.EDGE
    masked_by_interrupt = False

    def __init__(self, fd: int, name: str, claim: Claim) -> None:
        self.name = name
        self.lost = 0
        self._fd = fd
        self._claim = claim
        self._timestamp_ns = 0
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
            events, last, self._timestamp_ns = gpio.count_events(self._fd)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._gone() from error
        self.lost += (last - self._last) % MODULUS - events
        self._last = last
        return events

    def timestamp_ns(self) -> int:
        """The kernel's own time of the last edge, which it took in the interrupt handler."""
        return self._timestamp_ns

    def mask(self) -> None:
        """Edges cannot be masked without reconfiguring the line, which would lose those that come meanwhile."""

    def unmask(self) -> None:
        """Nothing is masked."""

    def release(self) -> None:
        self._claim.give_back()

    def close(self) -> None:
        """Let go of descriptors of its own; it has none."""

    def _read(self) -> list[tuple[GpioEdge, bool]]:
        """All queued edges, each with whether others were lost before it."""
        try:
            events = gpio.read_events(self._fd)
        except BlockingIOError:
            return []
        except OSError as error:
            raise self._gone() from error
        edges = []
        for timestamp_ns, rising, sequence in events:
            lost = (sequence - self._last - 1) % MODULUS
            self.lost += lost
            self._last = sequence
            edges.append((GpioEdge(timestamp_ns, rising), lost > 0))
        return edges

    def _gone(self) -> DeviceGoneError:
        return DeviceGoneError(f"{self.name} has left with its chip; find it again when it is back", path=self.name)


class RecordedGpioInterrupt(GpioInterrupt):
    """Edges that are kept one by one, besides being counted."""

    def __init__(self, fd: int, name: str, claim: Claim, record: EdgeRecord) -> None:
        super().__init__(fd, name, claim)
        self._record = record

    def forget(self) -> None:
        super().forget()
        self._record.clear()

    def drain(self) -> int:
        try:
            events, last, self._timestamp_ns = gpio.read_edges(self._fd)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._gone() from error
        # As GpioEdge(...), in two thirds of the time: the class's own constructor is Python, and these are many.
        edges = [new(GpioEdge, (timestamp_ns, kind == gpio.RISING_EVENT)) for timestamp_ns, kind in events]
        self.lost += (last - self._last) % MODULUS - len(edges)
        self._last = last
        self._record.extend(edges)
        return len(edges)
