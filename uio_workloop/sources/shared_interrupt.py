"""One interrupt, several sources.

Theory of operation
-------------------
The shared interrupt is the one that has claimed the line and has its descriptor polled. When it fires, every client
that is enabled has its primary stage run, filter and all, in order of creation. To a client it looks like a line of its
own, masked by every interrupt and opened when the client has nothing (more) to do with it. The real line is opened
when all clients' lines are: so it stays masked while one of them is disabled or has not acted yet, and nobody's device
can storm behind his back.
"""

from __future__ import annotations

from contextlib import ExitStack, nullcontext, suppress
from threading import RLock
from typing import ClassVar

from uio_workloop.errors import (
    BadArgumentError,
    DeviceGoneError,
    NoInterruptError,
    NotAttachedError,
    UsageError,
    WorkLoopError,
)
from uio_workloop.interrupts.claim import Claimant
from uio_workloop.interrupts.interrupt_line import InterruptLine, InterruptProvider, NoLine, Trigger, check_provider
from uio_workloop.loop.event_source import EventSource
from uio_workloop.loop.work_loop import WorkLoop


class SharedInterrupt(EventSource):
    """Hands one interrupt to several sources: it is their provider, and an event source itself.

    Add it to the loop that its clients are on, too; its place in the chain does not matter. Every enabled client is
    told of every interrupt: a plain `InterruptEventSource` has its action called, a `FilterInterruptEventSource` its
    filter asked. The line is open only while no client is disabled or still busy with an interrupt. A client counts
    from its construction to `close()`, so close the one that will not be enabled any more.

    Closing it closes its clients; when the device leaves, they are terminated.

    Args:
        provider: whose interrupt.
        index: which of the provider's interrupts.

    Raises:
        NoInterruptError, NoResourcesError, DeviceGoneError, ClosedError: see `InterruptProvider.claim_interrupt`.
    IOKit: IOSharedInterruptController.
    """

    is_interrupt: ClassVar[bool] = True

    def __init__(self, provider: InterruptProvider, *, index: int = 0) -> None:
        check_provider(provider)
        super().__init__(name=f"{type(self).__name__} on {provider.name}")
        self._provider = provider
        self._lines: list[_SharedLine] = []
        self._interrupts = 0
        self._spurious = 0
        self._settling = RLock()  # clients finish under the gate and in the ready phase: one of them opens the line,
        self._open = False  # and once, or the next interrupt could be back before anybody has looked at the first
        self._line: InterruptLine = NoLine()
        line = provider.claim_interrupt(index, self)
        if self._closed:  # its provider was closed since, and has closed us
            line.release()
        self._check_open("share an interrupt by")
        self._line = line

    @property
    def trigger(self) -> Trigger:
        return self._line.trigger

    @property
    def line(self) -> InterruptLine:
        """The line that is shared."""
        return self._line

    @property
    def interrupts(self) -> int:
        """How many came."""
        return self._interrupts

    @property
    def spurious(self) -> int:
        """How many of them no client wanted."""
        return self._spurious

    @property
    def enabled(self) -> bool:
        """Whether the line is listened to: it has clients, none is disabled, and neither is it."""
        return self._enabled and bool(self._lines) and not any(line.silenced for line in self._lines)

    # InterruptProvider

    def claim_interrupt(self, index: int, claimant: Claimant) -> InterruptLine:
        """A line for one more client. See `InterruptProvider.claim_interrupt`."""
        self._check_open("claim the interrupt of")
        if index != 0:
            raise NoInterruptError(f"{self.name} has no interrupt {index}: its only interrupt has index 0")
        if not isinstance(claimant, EventSource):
            raise BadArgumentError(f"{claimant.name} cannot share {self.name}: only an event source can")
        with self._gate():
            self._mask()
            line = _SharedLine(self, claimant)
            self._lines.append(line)
            self._follow()
            return line

    def invalidate(self, reason: str) -> None:
        """See `InterruptProvider.invalidate`."""
        self._provider.invalidate(reason)

    # For its lines

    def close_line(self, line: _SharedLine) -> None:
        """A client wants silence. Context: gate held, or ready phase."""
        with self._settling:
            line.silenced = True
            self._mask()
        self._follow()

    def finish(self, line: _SharedLine) -> None:
        """A client has nothing more to do; the last one opens the line. Context: gate held, or ready phase."""
        with self._settling:
            line.busy = False
            self.open_line()

    def _follow(self) -> None:
        """Have the descriptor watched or not, as the clients want it."""
        if self._work_loop is not None:
            self._work_loop.dispatch.watch(self)

    def listen(self, client: EventSource) -> None:
        """A client wants to hear. Context: gate held, its line no longer silenced."""
        loop = self._work_loop
        if loop is None:
            raise NotAttachedError(f"cannot enable {client.name}: add {self.name} to its work loop first")
        if client.work_loop is not loop:
            raise UsageError(f"cannot enable {client.name}: it is not on work loop {loop.name!r}, as {self.name} is")
        self._resume(loop)

    def _resume(self, loop: WorkLoop) -> None:
        if self.enabled:
            loop.dispatch.look_now(self)  # while the line is still masked: see InterruptEventSource._arm
            loop.dispatch.watch(self)
            self.open_line()

    def open_line(self) -> None:
        """Open the line if nobody has a reason against it. Context: gate held, or ready phase."""
        with self._settling:
            if not self._open and self.enabled and not any(line.busy for line in self._lines):
                self._open = True  # first: once it is unmasked, the next interrupt may say otherwise
                self._line.unmask()

    def _mask(self) -> None:
        with self._settling:
            self._open = False
            self._line.mask()

    def forget(self, line: _SharedLine) -> None:
        """A client has gone. Context: any thread; takes the gate."""
        with self._gate():
            with self._work_loop.dispatch.between_ready_phases if self._work_loop is not None else nullcontext():
                self._lines.remove(line)
            with suppress(DeviceGoneError):  # a line that is gone needs neither
                if self._lines:
                    self.open_line()
                else:
                    self._mask()
            self._follow()

    # EventSource

    def fileno(self) -> int:
        return self._line.fileno()

    def on_ready(self) -> bool:
        try:
            n = self._line.drain()
        except BlockingIOError:
            return False
        loop = self._work_loop
        if not n or loop is None:
            return False
        self._interrupts += n
        with self._settling:
            self._open = False
            asked = [line for line in self._lines if not line.silenced]
            for line in asked:  # all of them first, so that the line stays masked until the last has answered
                line.arrived += n
                line.busy = True
        wanted = False
        with ExitStack() as everybody_even_if_one_raises:  # a client's KeyboardInterrupt in a filter
            everybody_even_if_one_raises.callback(self.open_line)
            for line in reversed(asked):
                everybody_even_if_one_raises.callback(line.ask, loop)
        wanted = any(line.busy for line in asked)
        if not wanted:
            self._spurious += n
        return wanted

    def _arm(self, *, afresh: bool = False) -> None:
        if self._work_loop is not None:
            self._resume(self._work_loop)

    def _disarm(self) -> None:
        with suppress(DeviceGoneError):  # a line that is gone is silent
            self._mask()

    def terminate(self, reason: WorkLoopError) -> None:
        loop = self._work_loop
        for line in tuple(self._lines):
            if loop is not None and line.client in loop:
                loop.dispatch.see_off(line.client, reason)
            else:
                line.client.terminate(reason)
        self._provider.invalidate(str(reason))
        super().terminate(reason)

    def free(self) -> None:
        """Close the clients and give the line back."""
        for line in tuple(self._lines):
            line.client.close()
        self._line.release()


class _SharedLine:
    """What one client sees of a shared line.

    `silenced`: its client is disabled. `busy`: its client has been told of an interrupt and not finished with it.
    """

    def __init__(self, shared: SharedInterrupt, client: EventSource) -> None:
        self.client = client
        self.silenced = True
        self.busy = False
        self.arrived = 0
        self._shared = shared

    masked_by_interrupt = True

    @property
    def name(self) -> str:
        return self._shared.line.name

    @property
    def trigger(self) -> Trigger:
        return self._shared.line.trigger

    @property
    def lost(self) -> int:
        return self._shared.line.lost

    def fileno(self) -> int:
        return -1  # the shared interrupt is polled

    def drain(self) -> int:
        arrived, self.arrived = self.arrived, 0
        return arrived

    def timestamp_ns(self) -> int:
        return self._shared.line.timestamp_ns()

    def ask(self, loop: WorkLoop) -> None:
        """Tell the client; without work for it, it is not busy. Context: ready phase of `loop`."""
        if not loop.dispatch.look(self.client):
            self.busy = False  # the shared interrupt opens the line when all have been asked

    def mask(self) -> None:
        if not self.silenced:
            self._shared.close_line(self)

    def unmask(self) -> None:
        if not self.silenced:
            self._shared.finish(self)
            return
        self.silenced = self.busy = False
        try:
            self._shared.listen(self.client)
        except UsageError:
            self.silenced = True
            raise

    def release(self) -> None:
        self._shared.forget(self)
