"""What a source needs of an interrupt, and what it needs of whoever provides one."""

from __future__ import annotations

import enum
from typing import Protocol

from uio_workloop.errors import BadArgumentError
from uio_workloop.interrupts.claim import Claimant


class Trigger(enum.Enum):
    """How a line signals.

    LEVEL: it stays asserted until the device is acknowledged. EDGE: nothing stays asserted.

    IOKit: kIOInterruptTypeLevel, kIOInterruptTypeEdge.
    """

    LEVEL = "level"
    EDGE = "edge"


class InterruptLine(Protocol):
    """One interrupt line, claimed from its provider.

    The descriptor belongs to the provider; a line only borrows it. `drain` is called on the work-loop thread, and is to
    take no gate; `mask` and `unmask` on any thread with the gate held.

    IOKit: the vector of an IOInterruptController, seen from its one client.
    """

    @property
    def name(self) -> str:
        """The device, as a person would look for it: `/dev/uio0`, `gpiochip0:17`."""

    @property
    def trigger(self) -> Trigger: ...

    @property
    def lost(self) -> int:
        """Interrupts the kernel admits to having dropped, in total; never our guess."""

    @property
    def masked_by_interrupt(self) -> bool:
        """Whether an interrupt may leave it masked, so that `unmask` has to follow each."""

    def fileno(self) -> int:
        """The descriptor that polls readable when there is something to drain."""

    def drain(self) -> int:
        """Interrupts since the last drain. One system call, never blocks.

        If there were none, it returns 0 or raises BlockingIOError, whichever costs the line less.

        Raises:
            DeviceGoneError: the device has left.
        """

    def timestamp_ns(self) -> int:
        """When the interrupt drained last came, on CLOCK_MONOTONIC; called right after a drain.

        The kernel's or the device's own time where there is one, else the present: the interrupt was not later.
        """

    def mask(self) -> None:
        """Silence the line as far as its kernel driver can; does nothing where it cannot."""

    def unmask(self) -> None:
        """Let the line interrupt again; idempotent.

        Raises:
            DeviceGoneError: the device has left.
        """

    def release(self) -> None:
        """Give the line back to its provider, masked; it can be claimed again."""


class InterruptProvider(Protocol):
    """Something with interrupts: a UIO device, a PCI card, a GPIO line, a `SoftwareInterrupt`.

    IOKit: the IOService a source is created with (registerInterrupt, unregisterInterrupt).
    """

    @property
    def name(self) -> str: ...

    def claim_interrupt(self, index: int, claimant: Claimant) -> InterruptLine:
        """Hand out the line of that index, masked, with everything that came before forgotten.

        A line has one claimant at a time; closing the provider closes the claimant first.

        Raises:
            NoInterruptError: there is no such interrupt.
            NoResourcesError: somebody has it.
            DeviceGoneError: the device has left.
            ClosedError: the provider was closed.
        """

    def invalidate(self, reason: str) -> None:
        """The device has left: drop every mapping, so that registers raise `DeviceGoneError`. Idempotent."""


def check_provider(provider: object, besides: str = "") -> None:
    """Refuse what cannot hand out a line.

    Args:
        besides: what else would do, for the message.

    Raises:
        BadArgumentError: it provides no interrupts.
    """
    if isinstance(provider, type) or not hasattr(provider, "claim_interrupt"):
        raise BadArgumentError(f"{provider!r} provides no interrupts; give what find_device() opens{besides}")


class NoLine:
    """The line of a source without provider: never ready, nothing to mask."""

    name = "no line"
    trigger = Trigger.EDGE
    lost = 0
    masked_by_interrupt = False

    def fileno(self) -> int:
        return -1

    def drain(self) -> int:
        return 0

    def timestamp_ns(self) -> int:
        return 0

    def mask(self) -> None:
        pass

    def unmask(self) -> None:
        pass

    def release(self) -> None:
        pass
