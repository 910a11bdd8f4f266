"""An interrupt raised by software: an eventfd. No hardware, no privilege."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from uio_workloop.clock import monotonic_ns
from uio_workloop.errors import BadArgumentError, ClosedError
from uio_workloop.interrupts.claim import Claim, Claimant
from uio_workloop.interrupts.interrupt_line import Trigger

MOST: Final = 2**64 - 2  # what an eventfd holds


class SoftwareInterrupt:
    """Provider and line in one: whatever thread calls `cause()`, a source's action answers.

    The kernel keeps the count, so nothing is lost while the line is masked or its source disabled: it arrives as one
    coalesced count afterwards.

    Args:
        trigger: LEVEL makes a source unmask after its action, EDGE before it, as with hardware.
        name: for messages.

    IOKit: an IOInterruptEventSource without provider, triggered by interruptOccurred(0, 0, 0).
    Source: eventfd(2).
    """

    def __init__(self, trigger: Trigger = Trigger.EDGE, *, name: str = "software interrupt") -> None:
        self.name = name
        try:
            self.trigger = Trigger(trigger)
        except ValueError:
            raise BadArgumentError(
                f"{name} cannot be {trigger!r}-triggered; write Trigger.LEVEL or Trigger.EDGE"
            ) from None
        self.masked_by_interrupt = self.trigger is Trigger.LEVEL
        self.lost = 0  # an eventfd adds up in 64 bits; it has nothing to lose
        self.masked = True
        self._claim = Claim(name)
        # Keeps close() from pulling the descriptor from under cause(), whose count would go to whoever gets the number
        # next; recursive, because a signal handler may call cause() in the middle of cause().
        self._lock = threading.RLock()
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def cause(self, n: int = 1) -> None:
        """Raise `n` interrupts.

        Context: any thread, also inside an action; one system call, never waits.
        Raises:
            BadArgumentError: `n` is not positive, or more than the kernel can hold.
            ClosedError: the interrupt was closed.
        IOKit: IOService::causeInterrupt.
        """
        if not (isinstance(n, int) and 1 <= n <= MOST):
            raise BadArgumentError(f"cannot cause {n!r} interrupts on {self.name}: n is 1 to {MOST}")
        with self._lock:
            os.eventfd_write(self.fileno(), n)

    def close(self) -> None:
        """Close the source on it, then the descriptor; twice is fine."""
        self._claim.revoke()
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def __enter__(self) -> SoftwareInterrupt:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # InterruptProvider

    def claim_interrupt(self, index: int, claimant: Claimant) -> SoftwareInterrupt:
        self.fileno()  # closed: say so before anything is taken
        self._claim.take(index, claimant)
        self.masked = True
        with suppress(BlockingIOError):
            self.drain()
        return self

    def invalidate(self, reason: str) -> None:
        """Nothing is mapped here, and software does not leave."""

    # InterruptLine

    def fileno(self) -> int:
        if self._fd < 0:
            raise ClosedError(f"{self.name} is closed; make a new SoftwareInterrupt")
        return self._fd

    @property
    def drain(self) -> Callable[[], int]:
        """Called, it takes the count; no Python at all on an edge line, because this is the hottest of paths."""
        return self._drain_and_mask if self.trigger is Trigger.LEVEL else partial(os.eventfd_read, self._fd)

    def _drain_and_mask(self) -> int:
        count = os.eventfd_read(self._fd)
        self.masked = True  # what the interrupt controller does with a level line, so that tests can see it
        return count

    def timestamp_ns(self) -> int:
        return monotonic_ns()  # an eventfd keeps no time

    def mask(self) -> None:
        self.masked = True

    def unmask(self) -> None:
        self.masked = False

    def release(self) -> None:
        self.masked = True
        self._claim.give_back()
