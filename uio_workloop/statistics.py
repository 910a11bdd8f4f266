"""What sources count; what is handed out is a frozen snapshot."""

from __future__ import annotations

from typing import NamedTuple


class InterruptStatistics(NamedTuple):
    """What an interrupt source has seen.

    interrupts: drained from the line; what software triggered (`interrupt_occurred`, `signal_interrupt`) is not among
        them, what a filter rejected is.
    delivered: the sum of the counts of all calls of the action that have returned.
    action_calls: how many calls that were, with the one that runs.
    rejected: what a filter said no to.
    errors: exceptions from the source's code.
    lost: gaps the kernel admits to; never our guess.

    IOKit: IOInterruptAccountingData, first-level and second-level counts.
    """

    interrupts: int
    delivered: int
    action_calls: int
    rejected: int
    errors: int
    lost: int

    @property
    def coalesced(self) -> int:
        """Delivered interrupts that shared a call with another."""
        return max(0, self.delivered - self.action_calls)
