"""Drivers for the lab's devices, a host that can be waited for, and what a process holds."""

from __future__ import annotations

import math
import threading
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from helpers import DEADLINE_S
from lab_devices import Dummy
from lab_devices import EduRegisters as Edu

from uio_workloop import Driver, DriverHost, InterruptEventSource, PciId, TimerEventSource, UioName
from uio_workloop.testing.leaks import open_descriptors

EDU = PciId("1234:11e8")
FACTORIAL, STATUS, INTERRUPT_WHEN_DONE = 0x08, 0x20, 0x80
LEAVING_SLOT, NEIGHBOURS_SLOT = "5", "9"

news = threading.Condition()
"""Notified after every interrupt, start and stop."""


class Factorials(Driver):
    """Computes one factorial after the other, as fast as the card interrupts; a tick of its own adds to the load.

    The next is asked for when the last was answered: an interrupt that got lost would be the last, and no later one
    could make up for it.
    """

    match = EDU
    at_each_tick = False

    def start(self, device) -> None:
        self.registers = device.bar(0)
        self.asked = self.answered = self.ticks = self.stray = 0
        self.wrong: list[tuple[int, int]] = []
        self.registers.write32(Edu.ACKNOWLEDGE, self.registers.read32(Edu.STATUS))
        self.registers.write32(STATUS, INTERRUPT_WHEN_DONE)
        self.timer = self.add(TimerEventSource(self.on_tick))
        self.source = self.add(InterruptEventSource(device, self.on_interrupt))
        self.source.enable()
        self.timer.set_timeout_ns(0)
        self.ask()

    def ask(self) -> None:
        self.asked += 1
        self.n = self.asked % 12 + 1
        self.registers.write32(FACTORIAL, self.n)

    def on_interrupt(self, sender: InterruptEventSource, count: int) -> None:
        cause = self.registers.read32(Edu.STATUS)
        if not cause:  # the kernel counted one for the former driver after this one had begun
            self.stray += 1
            return
        self.registers.write32(Edu.ACKNOWLEDGE, cause)
        result = self.registers.read32(FACTORIAL)
        here = self.registers.read32(Edu.IDENTITY) == 0x010000ED  # a card pulled out just now reads as anything
        if here and (count, cause, result) != (1, 1, math.factorial(self.n)):
            self.wrong.append((count, result))
        with news:
            self.answered += 1
            news.notify_all()
        if not self.at_each_tick:
            self.ask()

    def on_tick(self, sender: TimerEventSource) -> None:
        self.ticks += 1
        if self.at_each_tick and self.answered == self.asked:
            self.ask()
        sender.set_timeout_ms(1)

    def stop(self) -> None:
        self.registers.write32(STATUS, 0)


class Steadily(Factorials):
    """Asks at every tick, and leaves the processor some time."""

    at_each_tick = True


class Counting(Driver):
    """Counts what a device of uio_dummy raises."""

    match = UioName("uio_dummy.1")

    def start(self, device) -> None:
        self.answered = 0
        self.registers = device.map(0)
        self.source = self.add(InterruptEventSource(device, self.on_interrupt))
        self.source.enable()

    def on_interrupt(self, sender: InterruptEventSource, count: int) -> None:
        self.registers.write32(Dummy.STATUS, 0)
        with news:
            self.answered += count
            news.notify_all()


class Watched(DriverHost):
    """Tells a waiting thread when drivers start and stop."""

    def __init__(self, *drivers: type[Driver], **options: object) -> None:
        super().__init__(drivers, **options)
        self.on_change = self.tell

    def tell(self, host: DriverHost) -> None:
        with news:
            news.notify_all()

    def driver_of(self, name: str) -> Driver | None:
        return next((each for each in self.drivers if each.description.name == name), None)

    def await_driver(self, name: str, *, answers: int = 0, other_than: Driver | None = None) -> Driver:
        """The driver of this device, once it runs and has had so many answers."""

        def runs() -> bool:
            found = self.driver_of(name)
            return found not in (None, other_than) and getattr(found, "answered", 0) >= answers

        with news:
            assert news.wait_for(runs, DEADLINE_S), f"no driver of {name} came to {answers} answers: {self.drivers}"
            return self.driver_of(name)

    def await_none(self, name: str) -> None:
        """Return once the device has no driver and everything of the former one is released."""

        def is_free() -> bool:
            return all(each.device.name != name for each in tuple(self._attached.values()))

        with news:
            assert news.wait_for(is_free, DEADLINE_S), f"{name} still has a driver"


class Holdings(NamedTuple):
    """What this process holds."""

    threads: int
    descriptors: Counter[str]
    mappings: list[str]
    sources: int


def holdings(host: DriverHost) -> Holdings:
    """What it holds between two actions."""
    with host.loop.gate:
        kinds = Counter(what.partition(":[")[0] for what in open_descriptors().values())  # "socket:[17]" has a number
        return Holdings(threading.active_count(), kinds, sorted(mappings()), len(host.loop.event_sources))


def mappings() -> list[str]:
    """What of devices is mapped into this process."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    files = [" ".join(line.split()[5:]) for line in lines]
    return [file for file in files if file.startswith("/dev/uio") or (file.startswith("/sys/") and "/resource" in file)]
