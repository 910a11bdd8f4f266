"""A card that interrupts without a kernel driver to mask it: on a line it shares, the kernel takes that for a storm."""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from helpers import DEADLINE_S
from lab_devices import EduRegisters as Edu
from lab_devices import unanswered, write
from lab_drivers import EDU, NEIGHBOURS_SLOT, Factorials, Watched, news

from uio_workloop import InterruptEventSource, PciDevice, Registers, UdevProperty, WorkLoop
from uio_workloop._linux import pci
from uio_workloop.clock import monotonic_ns
from uio_workloop.testing.lab import guest
from uio_workloop.testing.lab.architecture import pci_address


class OnFirst(Factorials):
    """Keeps the line of the two cards busy from the first."""

    match = EDU & UdevProperty("PCI_SLOT_NAME", guest.edu_addresses()[0])


@pytest.fixture
def neighbour() -> Iterator[OnFirst]:
    with Watched(OnFirst) as host:
        yield host.await_driver(guest.edu_addresses()[0])


@pytest.fixture
def second(neighbour) -> Iterator[str]:
    """The card that shares the neighbour's line; it is back on uio_pci_generic after the test."""
    address = guest.edu_addresses()[1]
    yield address
    if pci.driver(address) is None:
        guest.bind_to_uio(address)


def go_on(neighbour: OnFirst) -> None:
    """The line still works, and whatever came on it has been looked at."""
    with news:
        goal = neighbour.answered + 10
        assert news.wait_for(lambda: neighbour.answered >= goal, DEADLINE_S), "the line is dead"


@contextmanager
def beside_the_driver(address: str) -> Iterator[Registers]:
    """The card's registers, whoever has the card."""
    fd = os.open(f"{pci.DEVICES}/{address}/resource0", os.O_RDWR | os.O_SYNC | os.O_CLOEXEC)
    registers = Registers(mmap.mmap(fd, mmap.PAGESIZE), "beside", 0, mmap.PAGESIZE)
    os.close(fd)
    yield registers
    registers.write32(Edu.ACKNOWLEDGE, registers.read32(Edu.STATUS))
    registers.invalidate(lambda: AssertionError("over"))


def is_masked(address: str) -> bool:
    with open(f"{pci.DEVICES}/{address}/config", "rb", buffering=0) as config:
        return pci.intx_is_masked(config.fileno())


def test_a_card_that_we_unbind_is_silent_from_then_on(neighbour, second, show):
    with beside_the_driver(second) as registers:
        before = unanswered(second)
        PciDevice.find(second).unbind()
        registers.write32(Edu.RAISE, 1)
        go_on(neighbour)
        assert (unanswered(second), is_masked(second)) == (before, True)
    show("a card unbound by us that asserts its line: no interrupt of it reached the neighbour on the line")


def test_a_card_given_back_by_closing_it_is_silent_from_then_on(neighbour, second):
    PciDevice.find(second).unbind()
    with beside_the_driver(second) as registers:
        before = unanswered(second)
        PciDevice.bind(second).close()
        registers.write32(Edu.RAISE, 1)
        go_on(neighbour)
        assert (pci.driver(second), unanswered(second)) == (None, before)


def test_whoever_gets_the_card_next_finds_its_line_open(second):
    PciDevice.find(second).unbind()
    assert is_masked(second)
    with PciDevice.bind(second):
        assert not is_masked(second)


def test_a_driver_that_stops_leaves_its_line_masked(second):
    on_second = type("OnSecond", (Factorials,), {"match": EDU & UdevProperty("PCI_SLOT_NAME", second)})
    with Watched(on_second) as host:
        host.await_driver(second, answers=3)
    assert is_masked(second)


def test_a_card_that_somebody_else_unbinds_is_masked_when_its_source_hears_of_it(work_loop, leaving_card, show):
    """It asserts its line at that very moment, which nobody answers until then."""
    on_neighbour = EDU & UdevProperty("PCI_SLOT_NAME", pci_address(NEIGHBOURS_SLOT))
    took_ns = []
    with Watched(type("OnNeighbour", (Factorials,), {"match": on_neighbour})) as host:
        (neighbour,) = host.drivers
        for _ in range(20):
            took_ns.append(unbind_while_it_interrupts(work_loop, leaving_card))
            assert is_masked(leaving_card)
            go_on(neighbour)
            guest.bind_to_uio(leaving_card)
    show(
        f"a card unbound by somebody else while it interrupts: masked {min(took_ns) // 1_000_000} to "
        f"{max(took_ns) // 1_000_000} ms after the unbinding began"
    )


def unbind_while_it_interrupts(work_loop: WorkLoop, address: str) -> int:
    """How long its source took to hear of it."""
    heard = threading.Event()
    with PciDevice.find(address) as card, beside_the_driver(address) as registers:
        source = InterruptEventSource(card, lambda sender, count: None)
        work_loop.add_event_source(source)
        source.on_terminated = lambda sender: heard.set()
        source.enable()
        registers.write32(Edu.RAISE, 1)  # never acknowledged: back at every unmasking
        begin_ns = monotonic_ns()
        write("/sys/bus/pci/drivers/uio_pci_generic/unbind", address)
        assert heard.wait(DEADLINE_S)
        return monotonic_ns() - begin_ns
