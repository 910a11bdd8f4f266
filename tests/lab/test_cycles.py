"""Again and again a device leaves under load and comes back, and nothing of its former driver is left.

For another number of times: UIO_WORKLOOP_CYCLES=200.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import DEADLINE_S, Background
from lab_devices import Dummy, load_dummy, write
from lab_drivers import (
    EDU,
    LEAVING_SLOT,
    Counting,
    Factorials,
    Steadily,
    Watched,
    holdings,
    mappings,
    news,
)

from uio_workloop import UdevProperty, UioDevice, UioName
from uio_workloop.testing.lab import guest

CYCLES = int(os.environ.get("UIO_WORKLOOP_CYCLES", "40"))
LONG = pytest.mark.timeout(60 + 5 * CYCLES)
UIO_PCI_GENERIC = "/sys/bus/pci/drivers/uio_pci_generic"


@pytest.fixture
def card_enabled_for_good(leaving_card) -> str:
    """The card, whose PCI side stays enabled while its driver comes and goes; its address.

    Else every bind and every unbind runs the firmware's program that says where the interrupt is wired to, which takes
    the kernel's interpreter a tenth of a second each time under emulation, and is not what is tested.
    """
    write(f"{UIO_PCI_GENERIC}/unbind", leaving_card)
    write(f"/sys/bus/pci/devices/{leaving_card}/enable", "1")
    guest.bind_to_uio(leaving_card)
    return leaving_card


def go_through_departures(card: str, leave: Callable[[], object], come_back: Callable[[], object]) -> str:
    """Let a card leave and come back while it and others compute; these must not notice. A line of figures."""
    answered = under_way = 0

    class AtFullSpeed(Factorials):
        match = EDU & UdevProperty("PCI_SLOT_NAME", card)

    with Watched(AtFullSpeed, Steadily) as host:
        steady = [each for each in host.drivers if isinstance(each, Steadily)]
        assert len(steady) == 3
        without = holdings_without(host, card, leave)
        come_back()
        driver = host.await_driver(card, answers=10)
        held = holdings(host)
        for _ in range(CYCLES):
            host.await_driver(card, answers=driver.answered + 1)  # the chain of interrupts is whole up to here
            leave()
            host.await_none(card)
            assert holdings(host) == without
            assert (driver.wrong, driver.stray in (0, 1)) == ([], True)
            assert driver.asked - driver.answered in (0, 1)  # the one under way as it left
            answered += driver.answered
            under_way += driver.asked - driver.answered
            come_back()
            former, driver = driver, host.await_driver(card, answers=10)
            assert driver is not former
            assert holdings(host) == held
        for each in steady:
            host.await_driver(each.description.name, answers=each.answered + 1)
        with host.loop.gate:
            assert all(each.wrong == [] and each.asked - each.answered in (0, 1) for each in steady)
            assert all(each in host.drivers for each in steady)
    assert mappings() == []
    return (
        f"the driver restarted {CYCLES} times; {answered} factorials by interrupt before the card left, and "
        f"{sum(each.answered for each in steady)} on those that stayed, none wrong, none lost; "
        f"{under_way} under way as it left"
    )


def holdings_without(host: Watched, card: str, leave: Callable[[], object]) -> object:
    """What the host holds while the card is away."""
    host.await_driver(card, answers=1)
    leave()
    host.await_none(card)
    return holdings(host)


@LONG
def test_a_driver_restarts_each_time_its_card_is_unbound_and_bound_under_load(card_enabled_for_good, show):
    card = card_enabled_for_good

    def unbind() -> None:
        write(f"{UIO_PCI_GENERIC}/unbind", card)

    def bind() -> None:
        write(f"{UIO_PCI_GENERIC}/bind", card)

    show("edu, unbind and bind: " + go_through_departures(card, unbind, bind))


@LONG
def test_a_driver_restarts_each_time_its_card_is_unplugged_and_plugged_under_load(leaving_card, show):
    def plug() -> None:
        guest.plug("edu", "leaving", LEAVING_SLOT)

    show("edu, hot-unplug and re-plug: " + go_through_departures(leaving_card, lambda: guest.unplug("leaving"), plug))


class Raiser:
    """Raises one interrupt after the other from outside, each once the one before was answered, until the device goes.

    So the kernel has none to fold, and each can be accounted for.
    """

    def __init__(self, driver: Counting) -> None:
        self._driver = driver
        self._fd = os.open("/sys/devices/platform/uio_dummy.1/raise", os.O_WRONLY | os.O_CLOEXEC)
        self.raised = 0
        self.enough = threading.Event()
        self._thread = Background(self._raise)

    def _raise(self) -> None:
        driver = self._driver
        while not driver.source.terminated:
            try:
                os.pwrite(self._fd, b"1", 0)
            except OSError:  # it has left
                return
            self.raised += 1
            with news:
                news.wait_for(lambda: driver.answered >= self.raised or driver.source.terminated, DEADLINE_S)
            assert driver.answered == self.raised or driver.source.terminated
            if self.raised == 10:
                self.enough.set()

    def result(self) -> int:
        """How many it raised."""
        self._thread.result()
        os.close(self._fd)
        return self.raised


@pytest.fixture
def two_dummies() -> Iterator[None]:
    load_dummy(devices=2)
    yield
    load_dummy()


@LONG
def test_a_driver_hears_every_interrupt_from_each_bind_of_its_device_to_the_unbind_under_load(two_dummies, show):
    class Steady(Counting):
        match = UioName("uio_dummy.0")

    total = under_way = 0
    with Watched(Counting, Steady) as host:
        (steady,) = (each for each in host.drivers if isinstance(each, Steady))
        write("/sys/devices/platform/uio_dummy.0/period_ns", "1000000")
        (node,) = Path("/sys/devices/platform/uio_dummy.1/uio").iterdir()
        name = f"/dev/{node.name}"
        driver, held = host.await_driver(name), holdings(host)
        for _ in range(CYCLES):
            witness = UioDevice(name)  # its registers outlive the device
            registers = witness.map(0)
            raiser = Raiser(driver)
            assert raiser.enough.wait(DEADLINE_S), f"{raiser.raised} raised, {driver.answered} answered"
            write("/sys/bus/platform/drivers/uio_dummy/unbind", "uio_dummy.1")
            host.await_none(name)
            raised = raiser.result()
            assert registers.read64(Dummy.RAISED) == raised
            assert raised - driver.answered in (0, 1)  # the one under way as it left
            witness.close()
            total += driver.answered
            under_way += raised - driver.answered
            write("/sys/bus/platform/drivers/uio_dummy/bind", "uio_dummy.1")
            former, driver = driver, host.await_driver(name)
            assert driver is not former
            assert holdings(host) == held
        write("/sys/devices/platform/uio_dummy.0/period_ns", "0")
        with news:
            assert news.wait_for(lambda: steady.answered == steady.registers.read64(Dummy.PASSED), DEADLINE_S)
    assert mappings() == []
    show(
        f"uio_dummy, unbind and bind: the driver restarted {CYCLES} times; {total + under_way} interrupts raised, "
        f"{total} counted, {under_way} under way as it left; {steady.answered} on the one that stayed, all counted"
    )
