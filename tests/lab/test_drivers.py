"""Drivers on real devices that come and go under load."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import DEADLINE_S
from lab_devices import Dummy, load_dummy, write
from lab_devices import EduRegisters as Edu
from programs import DEADLINE_S as PROGRAMS_DEADLINE_S
from programs import ROOT

from uio_workloop import (
    Driver,
    DriverError,
    DriverHost,
    GpioName,
    HotplugEventSource,
    InterruptEventSource,
    PciId,
    TimerEventSource,
    UdevProperty,
    UioName,
    WorkLoop,
)
from uio_workloop.testing import check_for_leaks, fence
from uio_workloop.testing.lab import guest

CYCLES = int(os.environ.get("UIO_WORKLOOP_CYCLES", "20"))
LONG = pytest.mark.timeout(60 + 5 * CYCLES)
LONE_SLOT = "5"
EDU = PciId("1234:11e8")
FACTORIAL, STATUS, INTERRUPT_WHEN_DONE = 0x08, 0x20, 0x80


class Factorials(Driver):
    """Computes one factorial after the other, as fast as the card interrupts; a tick of its own adds to the load."""

    match = EDU
    arrived = threading.Condition()

    def start(self, device) -> None:
        self.registers = device.bar(0)
        self.asked = self.answered = self.ticks = 0
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
        self.registers.write32(Edu.ACKNOWLEDGE, cause)
        result = self.registers.read32(FACTORIAL)
        here = self.registers.read32(Edu.IDENTITY) == 0x010000ED  # a card pulled out just now reads as anything
        if here and (count, cause, result) != (1, 1, math.factorial(self.n)):
            self.wrong.append((count, result))
        with self.arrived:
            self.answered += 1
            self.arrived.notify_all()
        self.ask()

    def on_tick(self, sender: TimerEventSource) -> None:
        self.ticks += 1
        sender.set_timeout_ms(1)

    def stop(self) -> None:
        self.registers.write32(STATUS, 0)


class Watched(DriverHost):
    """Tells a waiting thread when drivers start and stop."""

    def __init__(self, *drivers: type[Driver], **options: object) -> None:
        super().__init__(drivers, **options)
        self.changed = Factorials.arrived
        self.on_change = self.tell

    def tell(self, host: DriverHost) -> None:
        with self.changed:
            self.changed.notify_all()

    def driver_of(self, name: str) -> Driver | None:
        return next((each for each in self.drivers if each.description.name == name), None)

    def await_driver(self, name: str, *, answers: int = 0) -> Factorials:
        """The driver of this device, once it runs and has had so many answers."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: (found := self.driver_of(name)) is not None and getattr(found, "answered", 0) >= answers,
                DEADLINE_S,
            ), f"no driver of {name} came to {answers} answers: {self.drivers}"
        return self.driver_of(name)

    def await_none(self, name: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.driver_of(name) is None, DEADLINE_S), f"{name} still has a driver"


def mappings() -> list[str]:
    """What of devices is mapped into this process."""
    return [line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if is_device(line)]


def is_device(line: str) -> bool:
    return "/dev/uio" in line or "/resource" in line


def unbind_and_bind(address: str) -> None:
    write("/sys/bus/pci/drivers/uio_pci_generic/unbind", address)
    guest.bind_to_uio(address)


@pytest.fixture
def addresses() -> tuple[str, str]:
    return guest.edu_addresses()


@pytest.fixture
def lone_card() -> Iterator[str]:
    """A third card, with an interrupt line of its own; its address.

    On a line it shares, a card that asserts it when its kernel driver has just been unbound storms the others: nobody
    is left to mask it but the program that was its driver, which has to be told first.
    """
    address = guest.plug("edu", "lone", LONE_SLOT)
    yield address
    guest.unplug("lone")


def go_through_departures(card: str, leave: Callable[[], object], come_back: Callable[[], object]) -> str:
    """Let a card leave and come back while it and two others compute; these must not notice. A line of figures."""
    answered = under_way = 0
    with Watched(Factorials) as host:
        steady = [host.await_driver(each, answers=10) for each in guest.edu_addresses()]
        driver = host.await_driver(card, answers=10)
        held = holdings(host)
        for _ in range(CYCLES):
            leave()
            host.await_none(card)
            come_back()
            former, driver = driver, host.await_driver(card, answers=10)
            assert driver is not former
            assert former.wrong == []
            assert former.asked - former.answered in (0, 1)  # the one under way when it left
            answered += former.answered
            under_way += former.asked - former.answered
        assert holdings(host) == held
        assert [host.await_driver(each.description.name, answers=each.answered + 1) for each in steady] == steady
        with host.loop.gate:
            assert [(each.wrong, each.asked - each.answered) for each in steady] == [([], 1)] * len(steady)
    assert mappings() == []
    return (
        f"the driver restarted {CYCLES} times; {answered} factorials by interrupt before the card left, and "
        f"{sum(each.answered for each in steady)} on those that stayed, none wrong; {under_way} under way as it left"
    )


def holdings(host: DriverHost) -> tuple[int, int, list[str], int]:
    """What the process holds: threads, descriptors, mappings of devices, event sources."""
    with host.loop.gate:
        descriptors = len(os.listdir("/proc/self/fd"))
        return threading.active_count(), descriptors, sorted(mappings()), len(host.loop.event_sources)


@LONG
def test_a_driver_restarts_each_time_its_card_is_unbound_and_bound_under_load(lone_card, show):
    def unbind() -> None:
        write("/sys/bus/pci/drivers/uio_pci_generic/unbind", lone_card)

    show("unbind, bind: " + go_through_departures(lone_card, unbind, lambda: guest.bind_to_uio(lone_card)))


@LONG
def test_a_driver_restarts_each_time_its_card_is_unplugged_and_plugged_under_load(lone_card, show):
    def plug() -> None:
        guest.plug("edu", "lone", LONE_SLOT)

    show("hot-unplug, re-plug: " + go_through_departures(lone_card, lambda: guest.unplug("lone"), plug))


def test_a_card_that_leaves_and_comes_back_at_once_has_a_new_driver(lone_card):
    with Watched(Factorials) as host:
        former = host.await_driver(lone_card, answers=1)
        unbind_and_bind(lone_card)
        with host.changed:
            assert host.changed.wait_for(lambda: host.driver_of(lone_card) not in (None, former), DEADLINE_S)
        assert former.source.closed


def test_events_the_kernel_dropped_are_made_up_for(lone_card, show):
    with Watched(Factorials) as host:
        former = host.await_driver(lone_card, answers=1)
        former.source.on_terminated = lambda sender: None  # only the events are left to tell of it
        with socket.socket(fileno=os.dup(host._hotplug.fileno())) as its_socket:
            its_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with host.loop.gate:
            for _ in range(100):
                write("/sys/devices/virtual/net/lo/uevent", "change")
            unbind_and_bind(lone_card)
        with host.changed:
            assert host.changed.wait_for(lambda: host.driver_of(lone_card) not in (None, former), DEADLINE_S)
    show("100 events in a buffer for two: the card that left and came back among them had a new driver")


def test_a_driver_that_fails_half_way_leaves_its_card_to_the_next(addresses, caplog):
    class Careless(Factorials):
        def probe(self, device) -> int:
            return 100

        def start(self, device) -> None:
            super().start(device)
            raise DriverError("the card is too old")

    with check_for_leaks(), Watched(Careless, Factorials) as host:
        for address in addresses:
            assert type(host.await_driver(address, answers=3)) is Factorials
        assert len(mappings()) == len(addresses)
    assert caplog.messages[:2] == [f"Careless could not start on {each}: the card is too old" for each in addresses]


def test_the_driver_that_looks_closer_or_asks_for_more_gets_the_card(addresses):
    class Looking(Factorials):
        def probe(self, device) -> int | None:
            return 2 if device.bar(0).read32(Edu.IDENTITY) == 0x010000ED else None

    class Elsewhere(Factorials):
        match = EDU & UioName("uio_pci_generic") & UdevProperty("PCI_SLOT_NAME", addresses[1])

    with Watched(Factorials, Looking, Elsewhere) as host:
        assert [type(host.await_driver(each, answers=3)) for each in addresses] == [Looking, Elsewhere]


class Counting(Driver):
    """Counts what a device of uio_dummy raises."""

    match = UioName("uio_dummy.1")

    def start(self, device) -> None:
        self.answered = 0
        self.registers = device.map(0)
        self.add(InterruptEventSource(device, self.on_interrupt)).enable()

    def on_interrupt(self, sender: InterruptEventSource, count: int) -> None:
        self.registers.write32(Dummy.STATUS, 0)
        with Factorials.arrived:
            self.answered += count
            Factorials.arrived.notify_all()


@LONG
def test_a_platform_device_gets_its_driver_once_its_kernel_driver_is_done_and_complete(show):
    with Watched(Counting) as host:
        for _ in range(CYCLES):
            load_dummy(devices=2)
            (node,) = Path("/sys/devices/platform/uio_dummy.1/uio").iterdir()
            driver = host.await_driver(f"/dev/{node.name}")
            write("/sys/devices/platform/uio_dummy.1/raise", "1")
            assert host.await_driver(f"/dev/{node.name}", answers=1) is driver
            write("/sys/bus/platform/drivers/uio_dummy/unbind", "uio_dummy.1")
            host.await_none(f"/dev/{node.name}")
            assert driver.answered == 1
    load_dummy()
    show(f"uio_dummy loaded {CYCLES} times: its driver started when it was complete, and heard its interrupt")


class Button(Driver):
    match = GpioName("button")

    def start(self, device) -> None:
        self.pressed = threading.Semaphore(0)
        self.add(InterruptEventSource(device, lambda sender, count: self.pressed.release())).enable()


def test_a_gpio_line_is_found_by_its_name_and_drivers_do_not_compete_for_other_lines():
    guest.set_gpio(0, False)
    by_label = type("ByLabel", (Button,), {"match": GpioName("lab/5")})
    with Watched(Button, by_label) as host:
        chip = guest.gpio_chip().name
        assert sorted(each.description.name for each in host.drivers) == [f"{chip}:0", f"{chip}:5"]
        button = host.driver_of(f"{chip}:0")
        guest.set_gpio(0, True)
        assert button.pressed.acquire(timeout=DEADLINE_S)
    guest.set_gpio(0, False)


def test_a_gpio_line_leaves_with_its_chip_and_comes_back_with_it():
    chip = Path("/sys/kernel/config/gpio-sim/coming")
    line = chip / "bank0" / "line2"
    line.mkdir(parents=True)
    (line / "name").write_text("lid")
    (chip / "bank0" / "num_lines").write_text("4")
    with Watched(type("Lid", (Button,), {"match": GpioName("lid")})) as host:
        for _ in range(3):
            (chip / "live").write_text("1")
            name = f"{(chip / 'bank0' / 'chip_name').read_text().strip()}:2"
            host.await_driver(name)
            (chip / "live").write_text("0")
            host.await_none(name)
    line.rmdir()
    (chip / "bank0").rmdir()
    chip.rmdir()


def test_a_source_of_hot_plug_hears_of_a_card_all_there_is_to_hear(addresses):
    heard = []
    with WorkLoop() as loop, HotplugEventSource(lambda sender, what, device: heard.append((what, device))) as source:
        loop.add_event_source(source)
        unbind_and_bind(addresses[1])
        fence(loop)
        fence(loop)
    of_card = [(what, device.subsystem) for what, device in heard if device.sys_path.count(addresses[1])]
    assert of_card == [("remove", "uio"), ("unbind", "pci"), ("add", "uio"), ("bind", "pci")]
    assert heard[-1][1].pci_id == "1234:11e8"


def run_example(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "uio_workloop", "run", *arguments, "examples/edu_driver.py:EduDriver"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def test_the_first_driver_runs_as_its_page_says(addresses, show):
    with run_example() as program:
        lines = [program.stderr.readline().rstrip() for _ in range(10)]
        program.terminate()
        _, rest = program.communicate(timeout=PROGRAMS_DEADLINE_S)
    assert program.returncode == 0
    assert lines[:2] == [f"EduDriver drives {each}" for each in addresses]
    for address in addresses:
        of_card = [line for line in lines if line.startswith(f"{address}: ")]
        assert of_card == [f"{address}: {n}! = {math.factorial(n)}" for n in range(1, len(of_card) + 1)]
        assert f"EduDriver stopped on {address}" in rest
    show(f"run examples/edu_driver.py:EduDriver: {lines[-1]}")


def test_list_shows_which_cards_the_first_driver_is_for(addresses):
    with run_example("--list") as program:
        out, _ = program.communicate(timeout=PROGRAMS_DEADLINE_S)
    for address in addresses:
        assert f"{address}\n  EduDriver: yes, score 1\n" in out
    assert "/dev/uio0\n  EduDriver: no, it is no PCI card\n" in out
