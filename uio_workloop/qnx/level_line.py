"""Any line, made to look level-triggered: masked from the interrupt until whoever is told has unmasked."""

from __future__ import annotations

from uio_workloop.interrupts.claim import Claimant
from uio_workloop.interrupts.interrupt_line import InterruptLine, InterruptProvider, Trigger


class LevelProvider:
    """Hands out the lines of another provider as level-triggered ones.

    An event source opens an edge line before its action, because nothing stays asserted. Here delivery is to mask
    whatever the trigger: an edge that lands while the line is masked waits in the kernel's counter.
    """

    def __init__(self, provider: InterruptProvider) -> None:
        self.provider = provider

    @property
    def name(self) -> str:
        return self.provider.name

    def claim_interrupt(self, index: int, claimant: Claimant) -> LevelLine:
        """See `InterruptProvider.claim_interrupt`."""
        return LevelLine(self.provider.claim_interrupt(index, claimant))

    def invalidate(self, reason: str) -> None:
        """See `InterruptProvider.invalidate`."""
        self.provider.invalidate(reason)


class LevelLine:
    """See `InterruptLine`; only the trigger is not the line's own."""

    trigger = Trigger.LEVEL
    masked_by_interrupt = True

    def __init__(self, line: InterruptLine) -> None:
        self._line = line
        self.drain = line.drain  # bound once: some lines make a function of it each time they are asked
        self.fileno = line.fileno
        self.mask = line.mask
        self.unmask = line.unmask
        self.release = line.release
        self.timestamp_ns = line.timestamp_ns

    @property
    def name(self) -> str:
        return self._line.name

    @property
    def lost(self) -> int:
        return self._line.lost
