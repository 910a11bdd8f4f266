"""The lab's devices as fixtures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from lab_devices import LINE, Dummy, load_dummy

from uio_workloop import GpioLine, PciDevice, Trigger
from uio_workloop.testing.lab import guest

MakeDummy = Callable[..., Dummy]


@pytest.fixture
def make_dummy() -> Iterator[MakeDummy]:
    """Load uio_dummy anew with these parameters and open its first device."""
    opened: list[Dummy] = []

    def make(*, trigger: Trigger = Trigger.LEVEL, irqcontrol: bool = True, first_event: int = 0) -> Dummy:
        load_dummy(trigger=trigger.value, irqcontrol=int(irqcontrol), first_event=first_event, devices=2)
        opened.append(Dummy(0))
        return opened[-1]

    yield make
    for each in opened:
        each.close()
    load_dummy()


@pytest.fixture
def cards() -> Iterator[list[PciDevice]]:
    """The two edu cards, open."""
    opened = [PciDevice.find(address) for address in guest.edu_addresses()]
    yield opened
    for each in opened:
        each.close()


@pytest.fixture
def gpio_line() -> Iterator[GpioLine]:
    """A line of the simulated chip, low; whatever a `Toggle` does to this thread's affinity ends with the test."""
    had = os.sched_getaffinity(0)
    guest.set_gpio(LINE, False)
    with GpioLine.find(f"{guest.gpio_chip().name}:{LINE}") as line:
        yield line
    os.sched_setaffinity(0, had)
