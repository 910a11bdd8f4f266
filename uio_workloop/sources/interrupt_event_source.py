"""Interrupts as events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from uio_workloop.errors import NotAttachedError, WorkLoopError
from uio_workloop.interrupts.interrupt_line import InterruptProvider, Trigger, check_provider
from uio_workloop.sources.cpu_warmer import CpuWarmer
from uio_workloop.sources.interrupt_delivery import InterruptDelivery

InterruptAction = Callable[[Any, int], object]
"""`action(sender, count)`: the source, and how many interrupts came since the last call, 1 or more."""


class InterruptEventSource(InterruptDelivery):
    """Calls `action(sender, count)` when a device interrupts.

    It is created disabled, its line masked as far as the kernel can. The sum of all counts given to the action equals
    what the kernel accepted: interrupts that come close together, or while the source is disabled, arrive as one
    coalesced count. What the kernel admits to having dropped is in `statistics.lost`.

    When the device leaves, the source delivers what it still has, closes itself and calls `on_terminated`.

    Without a provider it is a software source: there is no line, it is born enabled, and `interrupt_occurred()`
    triggers it.

    Args:
        provider: whose interrupt: a `UioDevice`, `PciDevice`, `GpioLine`, `SoftwareInterrupt` or `SharedInterrupt`.
        action: called on the work-loop thread, gate held.
        index: which of the provider's interrupts.
        owner: only kept, for `source.owner`.
        name: for messages and logs; without one, what it is and on what.

    Raises:
        NoInterruptError: the provider has no such interrupt.
        NoResourcesError: another source has it.
        DeviceGoneError: the device has left already.
    IOKit: IOInterruptEventSource.
    """

    _explicit_disable = False

    def __init__(
        self,
        provider: InterruptProvider | None,
        action: InterruptAction | None,
        *,
        index: int = 0,
        owner: object = None,
        name: str | None = None,
    ) -> None:
        if provider is not None:
            check_provider(provider, ", a SoftwareInterrupt, or None")
        where = f" on {provider.name}" if provider is not None else ""
        super().__init__(action, owner=owner, name=name or f"{type(self).__name__}{where}")
        self._provider = provider
        self._index = index
        self._registered = False
        if provider is not None:
            self._enabled = False
            try:
                self.register_interrupt_handler(provider, index)
                self._check_open("use")  # its provider may have been closed since, and have closed us
            except BaseException:
                self.free()  # the hook may have failed after it had claimed the line
                raise

    @classmethod
    def interrupt_event_source(
        cls,
        owner: object,
        action: InterruptAction | None,
        provider: InterruptProvider | None = None,
        int_index: int = 0,
    ) -> Self:
        """The constructor with IOKit's order of arguments. IOKit: IOInterruptEventSource::interruptEventSource."""
        return cls(provider, action, index=int_index, owner=owner)

    # What it is

    @property
    def provider(self) -> InterruptProvider | None:
        """Whose interrupt; None for a software source. IOKit: getProvider."""
        return self._provider

    @property
    def int_index(self) -> int:
        """Which of the provider's interrupts; its complement, -1 for 0, without provider or once closed.

        IOKit: getIntIndex.
        """
        return self._index if self._registered else ~self._index

    @property
    def trigger(self) -> Trigger:
        """How the line signals."""
        return self._line.trigger

    @property
    def auto_disable(self) -> bool:
        """Whether the line is level-triggered, so masked from interrupt to end of action. IOKit: getAutoDisable."""
        return self._auto_disable

    @property
    def explicit_disable(self) -> bool:
        """Whether `disable()` was called since the last `enable()`. IOKit: explicitDisable."""
        return self._explicit_disable

    # On and off

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
        with self._gate():
            self._check_open("enable")
            self._explicit_disable = False  # before a filter is asked, whose disable() counts
            super().enable()

    def disable(self) -> None:
        """Mask the line: once this returns, the action does not begin until `enable()`, and no filter runs.

        Context: any thread; takes the gate, so an action in progress is waited for, except in that action itself and
        while it sleeps on the gate. A filter may call it for its own source; there it does not wait for an action that
            another thread is in, or about to begin.
        IOKit: IOInterruptEventSource::disable, which still delivers a pending count; here it is kept.
        """
        loop = self._work_loop
        if loop is not None and loop.dispatch.in_ready_phase:
            self._fall_silent(loop)
        else:
            super().disable()
        self._explicit_disable = True

    def _enable_on_no_loop(self) -> None:
        raise NotAttachedError(f"cannot enable {self._name}: add it to a work loop with add_event_source() first")

    def set_work_loop(self, work_loop: Any) -> None:
        if work_loop is None and self._warmer is not None:
            self._warmer.close()
            self._warmer = None
            self._decide_way()
        super().set_work_loop(work_loop)

    # Time

    def enable_primary_interrupt_timestamp(self, enable: bool) -> None:
        """Keep the time of the last interrupt, or stop doing so. IOKit: enablePrimaryInterruptTimestamp."""
        if enable and not self._stamping:
            self._timestamp_ns = 0
        self._stamping = enable and self._provider is not None
        self._decide_way()
        loop = self._work_loop
        if loop is not None:
            loop.dispatch.signal(self)  # ends a look_and_deliver that is under way

    @property
    def primary_interrupt_timestamp(self) -> int | None:
        """When the last interrupt came, on CLOCK_MONOTONIC; 0 before the first, None while not asked for.

        A GPIO edge has the kernel's own time, uio_dummy the module's. Any other device has the instant at which its
        descriptor was drained: the interrupt was not later. A filter's answer does not matter; a software source
        has none.

        IOKit: getPrimaryInterruptTimestamp.
        """
        return self._timestamp_ns if self._stamping else None

    def warm_cpu(self, abstime: int) -> None:
        """Keep the processors out of deep sleep around `abstime`, when an interrupt is expected.

        They are awake from shortly before it until the interrupt's action begins, or for 10 ms after it if none comes.
        It needs to write to /dev/cpu_dma_latency, root's by default; without that permission the log says so once, and
        nothing is done.

        Args:
            abstime: nanoseconds on CLOCK_MONOTONIC.

        Context: any thread; takes the gate.
        Raises:
            NotAttachedError: the source is on no loop.
            BadArgumentError: `abstime` is not positive.
        IOKit: IOInterruptEventSource::warmCPU.
        """
        with self._gate():
            loop = self._work_loop
            if loop is None:
                raise NotAttachedError(f"cannot warm up for {self._name}: add it to a work loop first")
            if self._warmer is None:
                self._warmer = CpuWarmer(self._name)
                self._decide_way()
                loop.add_event_source(self._warmer)
            self._warmer.expect(abstime)

    # Registration and end

    def register_interrupt_handler(self, provider: InterruptProvider, index: int) -> None:
        """Claim the line, masked; the constructor calls it. Override it to prepare a device first.

        Raises:
            NoInterruptError, NoResourcesError, DeviceGoneError, ClosedError: see `InterruptProvider.claim_interrupt`.
        IOKit: registerInterruptHandler; the registration lasts until `close()`, so that nothing is lost while the
            source is off its loop.
        """
        self._use(provider.claim_interrupt(index, self))
        self._registered = True

    def unregister_interrupt_handler(self, provider: InterruptProvider, index: int) -> None:
        """Mask the line and give it back; `free()` calls it. IOKit: unregisterInterruptHandler."""
        self._registered = False
        self._line.release()

    def terminate(self, reason: WorkLoopError) -> None:
        self._disarm()  # first: a card that is merely unbound may share its line, and nobody else can quiet it
        try:
            if self._provider is not None:
                self._provider.invalidate(str(reason))
        finally:
            super().terminate(reason)

    def free(self) -> None:
        """Disconnect from the interrupt. IOKit: IOInterruptEventSource::free."""
        if self._registered and self._provider is not None:
            self.unregister_interrupt_handler(self._provider, self._index)
