"""Interrupts as events.

Theory of operation
-------------------
Two counters, as in IOKit: `_produced` grows in the ready phase and nowhere else, `_consumed` under the gate and nowhere
else, so neither needs a lock. The action gets the difference. They are Python integers and never wrap.

When to unmask is decided by the trigger:

- Level: the line stays asserted until the device is quiet. Unmask after the action, or the same interrupt is back
  before anyone has looked at it.
- Edge: nothing stays asserted. Unmask before the action, so that an edge landing while we work is counted and brings
  us round once more.

Every interrupt is followed by one unmask, because a kernel driver may mask at every interrupt whatever the trigger
(uio_pdrv_genirq does) and unmasking an open line does nothing. Either way an explicit `disable()` wins: a source the
user disabled is never unmasked behind his back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from uio_workloop.errors import DeviceGoneError, NotAttachedError, WorkLoopError
from uio_workloop.interrupts.interrupt_line import InterruptProvider, Trigger
from uio_workloop.loop.event_source import EventSource
from uio_workloop.statistics import InterruptStatistics

InterruptAction = Callable[[Any, int], object]
"""`action(sender, count)`: the source, and how many interrupts came since the last call, 1 or more."""


class InterruptEventSource(EventSource):
    """Calls `action(sender, count)` when a device interrupts.

    It is created disabled, its line masked as far as the kernel can. The sum of all counts given to the action equals
    what the kernel accepted: interrupts that come close together, or while the source is disabled, arrive as one
    coalesced count. What the kernel admits to having dropped is in `statistics.lost`.

    When the device leaves, the source delivers what it still has, closes itself and calls `on_terminated`.

    Args:
        provider: whose interrupt: a `UioDevice`, `PciDevice`, `GpioLine` or `SoftwareInterrupt`.
        action: called on the work-loop thread, gate held.
        index: which of the provider's interrupts.
        owner: only kept, for `source.owner`.

    Raises:
        NoInterruptError: the provider has no such interrupt.
        NoResourcesError: another source has it.
        DeviceGoneError: the device has left already.
    IOKit: IOInterruptEventSource.
    """

    is_interrupt: ClassVar[bool] = True

    def __init__(
        self, provider: InterruptProvider, action: InterruptAction, *, index: int = 0, owner: object = None
    ) -> None:
        super().__init__(action, owner=owner, name=f"{type(self).__name__} on {provider.name}")
        self._enabled = False
        self._provider = provider
        self._index = index
        self._produced = 0
        self._consumed = 0
        self._action_calls = 0
        self._in_action = False
        self._line = provider.claim_interrupt(index, self)
        self._drain = self._line.drain  # bound once: this is the hot path
        self._unmask_first = self._line.trigger is Trigger.EDGE

    @property
    def provider(self) -> InterruptProvider:
        """IOKit: getProvider."""
        return self._provider

    @property
    def index(self) -> int:
        """Which of the provider's interrupts. IOKit: getIntIndex."""
        return self._index

    @property
    def trigger(self) -> Trigger:
        """How the line signals. IOKit: getAutoDisable, which is true for a level line."""
        return self._line.trigger

    @property
    def statistics(self) -> InterruptStatistics:
        """A snapshot of the counters. Context: any thread."""
        return InterruptStatistics(
            interrupts=self._produced, action_calls=self._action_calls, errors=self._errors, lost=self._line.lost
        )

    def enable(self) -> None:
        """Unmask the line and let the action run; interrupts that came meanwhile arrive as one count.

        Inside a level action it opens the line at once, before the action ends.

        Context: any thread; takes the gate.
        Raises:
            NotAttachedError: the source is on no loop, so nobody would hear.
            ClosedError: it was closed, or its device left.
            DeviceGoneError: its device is leaving.
        IOKit: IOInterruptEventSource::enable.
        """
        super().enable()

    def _enable_on_no_loop(self) -> None:
        raise NotAttachedError(f"cannot enable {self._name}: add it to a work loop with add_event_source() first")

    def fileno(self) -> int:
        return self._line.fileno()

    def on_ready(self) -> bool:
        self._produced += self._drain()
        return self._produced != self._consumed

    def check_for_work(self) -> bool:
        count = self._produced - self._consumed
        if not count or not self._enabled or self._in_action:
            return False
        if self._unmask_first:
            self._unmask()
        self._in_action = True
        try:
            self._call_action(count)
        finally:
            self._in_action = False
            self._consumed += count
            if not self._unmask_first and self._enabled:
                self._unmask()
        return self._produced != self._consumed

    def _call_action(self, count: int) -> None:
        action = self._action
        self._action_calls += 1
        if action is not None:
            action(self, count)
        self._errors_in_a_row = 0

    def _unmask(self) -> None:
        with suppress(DeviceGoneError):  # the descriptor says so, too; departures are dealt with there
            self._line.unmask()

    def _arm(self) -> None:
        # What the kernel accepted before the line was masked is drained while it still is: a PCI line tells an
        # interrupt by its mask. A level line with something to deliver is unmasked when that is done, not before: its
        # device has not been acknowledged yet.
        if not self._enabled and self._work_loop is not None:
            self._work_loop.dispatch.look_now(self)
        pending = self._produced != self._consumed and not self._in_action
        if self._unmask_first or not pending:
            self._line.unmask()

    def _disarm(self) -> None:
        with suppress(DeviceGoneError):  # a line that is gone is silent
            self._line.mask()

    def terminate(self, reason: WorkLoopError) -> None:
        try:
            self._provider.invalidate(str(reason))
        finally:
            super().terminate(reason)

    def free(self) -> None:
        self._line.release()
