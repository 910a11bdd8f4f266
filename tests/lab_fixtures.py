"""The lab's devices as fixtures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from lab_devices import LINE, Dummy, card_state, load_dummy, run

from uio_workloop import GpioLine, PciDevice, Trigger
from uio_workloop.testing.lab import guest

MakeDummy = Callable[..., Dummy]
Insert = Callable[..., str]

FIRST_FREE_SLOT = 5


@pytest.fixture
def make_dummy() -> Iterator[MakeDummy]:
    """Load uio_dummy anew with these parameters and open its first device."""
    opened: list[Dummy] = []

    def make(*, trigger: Trigger = Trigger.LEVEL, **parameters: int) -> Dummy:
        load_dummy(trigger=trigger.value, devices=2, **{name: int(value) for name, value in parameters.items()})
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
def own_affinity() -> Iterator[None]:
    """The simulated line low, and whatever a `Toggle` does to this thread's affinity ends with the test."""
    had = os.sched_getaffinity(0)
    guest.set_gpio(LINE, False)
    yield
    os.sched_setaffinity(0, had)


@pytest.fixture
def gpio_line(own_affinity: None) -> Iterator[GpioLine]:
    """A line of the simulated chip; see `own_affinity`."""
    with GpioLine.find(f"{guest.gpio_chip().name}:{LINE}") as line:
        yield line


@pytest.fixture
def insert() -> Iterator[Insert]:
    """Insert a card, its driver loaded before; it is pulled out in the end, and what it was attached to let go."""
    inserted: list[str] = []

    def make(card: str, module: str | None = None, **properties: object) -> str:
        if module:
            run("modprobe", module)
        inserted.append(f"card{len(inserted)}")
        return guest.insert(card, inserted[-1], f"{FIRST_FREE_SLOT + len(inserted) - 1:x}", **properties)

    yield make
    for each in reversed(inserted):
        guest.unplug(each)


@pytest.fixture
def rtl8139_driver() -> Iterator[str]:
    """The kernel driver of rtl8139 cards; ask for it before `insert`. Other tests find these cards on no driver."""
    run("modprobe", "8139cp")
    yield "8139cp"
    run("modprobe", "-r", "8139cp")


@pytest.fixture
def network_card(insert: Insert) -> str:
    """A card on its kernel driver."""
    address = insert("e1000", "e1000")
    assert card_state(address) == ("e1000", "")
    return address
