"""One device that interrupts, whatever it is: what a test of the contract needs of it.

On the host the devices are software. In the lab they are uio_dummy, an edu card and a simulated GPIO line instead, so
the same tests run on interrupts that the kernel took.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from helpers import DEADLINE_S
from lab_devices import Dummy, EduRegisters, Toggle

import uio_workloop
from uio_workloop import Deadline, InterruptEventSource, PciDevice, Trigger, WorkLoop
from uio_workloop.clock import SECOND_NS

PCI_COMMAND, INTERRUPT_DISABLE = 4, 0x400


def nothing() -> None:
    """What there is to do at a device that needs it not."""


def unknown() -> None:
    """What the kernel does not tell."""


@dataclass
class Rig:
    """A provider of one interrupt line, and what stands in for the device at its other end."""

    name: str
    provider: Any
    trigger: Trigger
    accumulates: bool
    """Whether interrupts add up while nobody reads them. A line masked at every interrupt keeps one at most."""
    cause: Callable[[], object]
    """One interrupt; returns when it is on its way, not when it has arrived."""
    acknowledge: Callable[[], object] = nothing
    """What an action does first, so that a level line goes quiet. Any thread, gate held or not."""
    reassert: Callable[[], object] = nothing
    """Instead of acknowledging: what keeps a level line asserted. Hardware needs nothing for that."""
    read_masked: Callable[[], bool | None] = unknown
    read_accepted: Callable[[], int | None] = unknown
    """The interrupts the kernel took so far."""

    @property
    def auto_disable(self) -> bool:
        """What `source.auto_disable` is expected to be."""
        return self.trigger is Trigger.LEVEL

    @property
    def masked(self) -> bool | None:
        """Whether the line is masked, asked at the device; None where nobody can tell."""
        return self.read_masked()

    def seems_masked(self) -> bool:
        """Whether the line is masked, and true where nobody can tell."""
        return self.masked is not False

    def seems_open(self) -> bool:
        """Whether the line is open, and true where nobody can tell."""
        return not self.masked

    def accepted(self) -> int | None:
        """The interrupts the kernel took since the provider was opened, where it tells."""
        return self.read_accepted()

    def burst(self, n: int) -> int:
        """Cause interrupts one by one, up to `n`, that nobody serves meanwhile; returns how many there are to deliver.

        They are in the kernel when this returns, or at the line if it is masked.
        """
        taken = n if self.accumulates else 1
        for _ in range(taken):
            before, masked = self.accepted(), self.masked
            self.cause()
            self._await_accepted(None if masked else before)
        return taken

    def _await_accepted(self, before: int | None) -> None:
        deadline = Deadline.after(round(DEADLINE_S * SECOND_NS))
        while before is not None and self.accepted() == before:
            assert not deadline.expired, f"{self.name}: the kernel did not take the interrupt"
            os.sched_yield()

    # Sources whose action has quieted the device before it does what a test wants

    def acknowledging(self, action: Callable[..., Any]) -> Callable[..., Any]:
        """An action that acknowledges the device and then calls `action`."""

        def acknowledge_first(*args: Any) -> Any:
            self.acknowledge()
            return action(*args)

        return acknowledge_first

    def source(
        self,
        action: Callable[..., Any],
        *,
        kind: type[InterruptEventSource] = InterruptEventSource,
        owner: object = None,
    ) -> InterruptEventSource:
        """A source, on no loop."""
        return kind(self.provider, self.acknowledging(action), owner=owner)

    def attach(self, work_loop: WorkLoop, action: Callable[..., Any], **how: Any) -> InterruptEventSource:
        """An enabled source, on the loop."""
        return put_to_work(work_loop, self.source(action, **how))

    def attach_filter(
        self,
        work_loop: WorkLoop,
        action: Callable[..., Any],
        filter_: Callable[..., bool],
        *,
        kind: Any = None,
    ) -> Any:
        """An enabled source with a filter, on the loop. It is for the filter to acknowledge what it rejects."""
        make = kind or uio_workloop.FilterInterruptEventSource
        return put_to_work(work_loop, make(self.provider, self.acknowledging(action), filter_))


def put_to_work(work_loop: WorkLoop, source: Any) -> Any:
    work_loop.add_event_source(source)
    source.enable()
    return source


# The devices


def software_rig(line: Any) -> Rig:
    """A `SoftwareInterrupt`, or a double of it."""
    return Rig(
        f"software {line.trigger.value}",
        line,
        line.trigger,
        accumulates=True,
        cause=line.cause,
        reassert=line.cause,
        read_masked=lambda: line.masked,
    )


def dummy_rig(dummy: Dummy, trigger: Trigger, *, irqcontrol: bool) -> Rig:
    return Rig(
        f"uio_dummy {trigger.value} {'with' if irqcontrol else 'without'} irqcontrol",
        dummy.device,
        trigger,
        accumulates=not irqcontrol,
        cause=dummy.cause,
        acknowledge=dummy.acknowledge,
        read_masked=(lambda: dummy.masked) if irqcontrol else unknown,
        read_accepted=lambda: dummy.device.event_count,
    )


def edu_rig(card: PciDevice) -> Rig:
    registers = card.bar(0)

    def masked() -> bool:
        with open(f"/sys/bus/pci/devices/{card.address}/config", "rb") as config:
            return bool(int.from_bytes(config.read(6)[PCI_COMMAND:], "little") & INTERRUPT_DISABLE)

    return Rig(
        "edu card",
        card,
        Trigger.LEVEL,
        accumulates=False,
        cause=lambda: registers.write32(EduRegisters.RAISE, 1),
        acknowledge=lambda: registers.write32(EduRegisters.ACKNOWLEDGE, registers.read32(EduRegisters.STATUS)),
        read_masked=masked,
        read_accepted=lambda: card.event_count,
    )


def gpio_rig(line: Any) -> Rig:
    toggle = Toggle()

    def cause() -> None:
        os.sched_setaffinity(0, {0})  # where the kernel numbers the edges, whichever thread makes one
        toggle(1)

    return Rig("gpio-sim", line, Trigger.EDGE, accumulates=True, cause=cause)
