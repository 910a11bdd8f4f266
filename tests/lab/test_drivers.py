"""Drivers on real devices, who gets which, and what they hear of."""

from __future__ import annotations

import logging
import math
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers import DEADLINE_S
from lab_devices import EduRegisters as Edu
from lab_devices import load_dummy, write
from lab_drivers import EDU, Counting, Factorials, Watched, mappings
from programs import DEADLINE_S as PROGRAMS_DEADLINE_S
from programs import ROOT

from uio_workloop import (
    Driver,
    DriverError,
    GpioName,
    HotplugEventSource,
    InterruptEventSource,
    PciDevice,
    UdevProperty,
    UioName,
    WorkLoop,
)
from uio_workloop.testing import check_for_leaks, fence
from uio_workloop.testing.lab import guest

TIMES = 20


def unbind_and_bind(address: str) -> None:
    write("/sys/bus/pci/drivers/uio_pci_generic/unbind", address)
    guest.bind_to_uio(address)


@pytest.fixture
def addresses() -> tuple[str, str]:
    return guest.edu_addresses()


def test_a_card_that_leaves_and_comes_back_at_once_has_a_new_driver(leaving_card):
    with Watched(Factorials) as host:
        former = host.await_driver(leaving_card, answers=1)
        unbind_and_bind(leaving_card)
        host.await_driver(leaving_card, other_than=former)
        assert former.source.closed


def test_events_the_kernel_dropped_are_made_up_for(leaving_card, show):
    with Watched(Factorials) as host:
        former = host.await_driver(leaving_card, answers=1)
        former.source.on_terminated = lambda sender: None  # only the events are left to tell of it
        with socket.socket(fileno=os.dup(host._hotplug.fileno())) as its_socket:
            its_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with host.loop.gate:
            for _ in range(100):
                write("/sys/devices/virtual/net/lo/uevent", "change")
            unbind_and_bind(leaving_card)
        host.await_driver(leaving_card, other_than=former)
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


def test_a_platform_device_gets_its_driver_once_its_kernel_driver_is_done_and_complete(show):
    with Watched(Counting) as host:
        for _ in range(TIMES):
            load_dummy(devices=2)
            (node,) = Path("/sys/devices/platform/uio_dummy.1/uio").iterdir()
            driver = host.await_driver(f"/dev/{node.name}")
            write("/sys/devices/platform/uio_dummy.1/raise", "1")
            assert host.await_driver(f"/dev/{node.name}", answers=1) is driver
            write("/sys/bus/platform/drivers/uio_dummy/unbind", "uio_dummy.1")
            host.await_none(f"/dev/{node.name}")
            assert driver.answered == 1
    load_dummy()
    show(f"uio_dummy loaded {TIMES} times: its driver started when it was complete, and heard its interrupt")


def test_a_card_on_no_uio_driver_gets_its_driver_once_what_the_log_says_was_done(addresses, caplog):
    caplog.set_level(logging.INFO)
    PciDevice.find(addresses[1]).unbind()
    with Watched(Factorials) as host:
        assert host.driver_of(addresses[1]) is None
        (sentence,) = (each for each in caplog.messages if "give it to UIO" in each)
        assert sentence.startswith(f"{addresses[1]} is for Factorials, but is on no driver; ")
        subprocess.run(sentence.partition("as root: ")[2], shell=True, check=True)
        host.await_driver(addresses[1], answers=3)


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
        for _ in range(TIMES):
            (chip / "live").write_text("1")
            name = f"{(chip / 'bank0' / 'chip_name').read_text().strip()}:2"
            host.await_driver(name)
            # Closing a line while Linux 6.12 is still removing its chip makes it warn of an interrupt freed twice:
            # gpiochip_free_remaining_irqs() has freed it first. So nobody hears of it before the chip is gone.
            with host.loop.gate:
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
