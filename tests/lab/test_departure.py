"""Devices that leave while a source waits on them: by unbinding, by hot-unplug, with their chip."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import DEADLINE_S, Background, attach
from lab_devices import Dummy, rebind_dummy, write
from lab_devices import EduRegisters as Edu

from uio_workloop import (
    AbortedError,
    ClosedError,
    DeviceError,
    DeviceGoneError,
    GpioLine,
    InterruptEventSource,
    PciDevice,
    TimerEventSource,
    UioDevice,
    WorkLoop,
)
from uio_workloop.testing import fence
from uio_workloop.testing.lab import guest


class Witness:
    """Hears of a termination: how often, where, and with the gate or without."""

    def __init__(self, source: InterruptEventSource, work_loop: WorkLoop) -> None:
        self.heard: list[tuple[bool, bool]] = []
        self._work_loop = work_loop
        self._event = threading.Event()
        source.on_terminated = self.hear

    def hear(self, sender: InterruptEventSource) -> None:
        self.heard.append((self._work_loop.in_gate(), self._work_loop.on_thread()))
        self._event.set()

    def await_once(self) -> None:
        assert self._event.wait(DEADLINE_S), "the source was not terminated"
        fence(self._work_loop)
        assert self.heard == [(True, True)]


def check_that_a_departure_is_survived(
    work_loop: WorkLoop, device: PciDevice | Dummy, leave: Callable[[], None], other: Dummy, seen
) -> None:
    """`device` has an enabled source and leaves; a timer and the source on `other` must go on."""
    provider, registers = (
        (device, device.bar(0)) if isinstance(device, PciDevice) else (device.device, device.registers)
    )
    source = attach(work_loop, provider, lambda sender, count: None)
    attach(work_loop, other.device, lambda sender, count: (other.acknowledge(), seen(sender, count)))
    ticks = threading.Semaphore(0)
    timer = TimerEventSource(lambda sender: (ticks.release(), sender.set_timeout_ms(1)))
    work_loop.add_event_source(timer)
    timer.set_timeout_ns(0)
    witness = Witness(source, work_loop)
    fence(work_loop)

    leave()
    witness.await_once()

    for access in (lambda: registers.read32(0), lambda: registers.write32(0, 0), lambda: provider.event_count):
        with pytest.raises(DeviceGoneError, match="has left"):
            access()
    with pytest.raises(ClosedError, match="its device has left"):
        source.enable()
    with pytest.raises(DeviceGoneError, match="has left"):
        InterruptEventSource(provider, lambda sender, count: None)
    other.cause()
    seen.wait_for_calls(1)
    while ticks.acquire(blocking=False):
        pass
    assert ticks.acquire(timeout=DEADLINE_S)
    work_loop.close()


@pytest.fixture
def dummy(make_dummy):
    return make_dummy()


@pytest.fixture
def other(dummy):
    """The second device of the module."""
    opened = Dummy(1)
    yield opened
    opened.close()


@pytest.mark.statement(144)
def test_unbinding_a_uio_driver_terminates_its_source_and_nothing_else(dummy, other, seen, show):
    with WorkLoop() as loop:
        check_that_a_departure_is_survived(loop, dummy, dummy.unbind, other, seen)
    show("uio_dummy unbound while a source waited: terminated once, registers gone, the others went on")


@pytest.mark.statement(144)
def test_unbinding_a_pci_driver_terminates_its_source_and_nothing_else(cards, other, seen, show):
    def unbind() -> None:
        write("/sys/bus/pci/drivers/uio_pci_generic/unbind", cards[1].address)

    with WorkLoop() as loop:
        check_that_a_departure_is_survived(loop, cards[1], unbind, other, seen)
    guest.bind_to_uio(cards[1].address)
    with PciDevice.find(cards[1].address) as back:
        assert back.bar(0).read32(Edu.IDENTITY) == 0x010000ED
    show("edu unbound while a source waited: terminated once, registers gone, the others went on; back after bind")


@pytest.mark.statement(144)
def test_hot_unplugging_a_card_terminates_its_source_and_nothing_else(cards, other, seen, show):
    with WorkLoop() as loop:
        check_that_a_departure_is_survived(loop, cards[1], lambda: guest.unplug("edu1"), other, seen)
    address = guest.plug_edu("edu1")
    with PciDevice.find(address) as back:
        assert back.bar(0).read32(Edu.IDENTITY) == 0x010000ED
    show("edu hot-unplugged while a source waited: terminated once, registers gone, the others went on; back later")


@pytest.mark.statement(144)
def test_a_departure_under_load_terminates_once(dummy, work_loop, show):
    counted = threading.Semaphore(0)
    source = attach(work_loop, dummy.device, lambda sender, count: (dummy.acknowledge(), counted.release()))
    witness = Witness(source, work_loop)
    write(f"/sys/devices/platform/{dummy.platform_name}/period_ns", "100000")
    for _ in range(200):
        assert counted.acquire(timeout=DEADLINE_S)

    dummy.unbind()
    witness.await_once()


@pytest.mark.statement(144)
def test_a_device_that_leaves_while_its_source_is_disabled_is_noticed(dummy, work_loop):
    source = attach(work_loop, dummy.device, lambda sender, count: None)
    source.disable()
    witness = Witness(source, work_loop)
    dummy.unbind()
    witness.await_once()


def test_closing_a_device_calls_its_blocking_wait_off(dummy):
    dummy.device.wait(0)
    waiter = Background(dummy.device.wait)
    while dummy.device._claim._holder is None:
        os.sched_yield()
    dummy.device.close()
    with pytest.raises(AbortedError, match="was closed while a thread waited for its interrupt"):
        waiter.result()


@pytest.mark.statement(144)
def test_a_gpio_line_leaves_with_its_chip(work_loop, show):
    chip = Path("/sys/kernel/config/gpio-sim/leaving")
    bank = chip / "bank0"
    bank.mkdir(parents=True)
    (chip / "live").write_text("1")
    name = (bank / "chip_name").read_text().strip()
    with GpioLine.find(f"{name}:0") as line:
        source = attach(work_loop, line, lambda sender, count: None)
        witness = Witness(source, work_loop)
        (chip / "live").write_text("0")
        witness.await_once()
        with pytest.raises(DeviceGoneError):
            bool(line.value)
    bank.rmdir()
    chip.rmdir()
    show("gpio chip removed while a source waited: terminated once")


def test_a_blocking_wait_ends_when_the_device_leaves(dummy):
    dummy.device.wait(0)  # the line is found out now, not while the device leaves
    waiter = Background(dummy.device.wait)
    while dummy.device._claim._holder is None:
        os.sched_yield()
    dummy.unbind()
    with pytest.raises(DeviceGoneError, match="has left"):
        waiter.result()


# Without a source, which would notice


def waits_in_poll() -> int:
    """How many threads of this process do."""
    return sum("poll" in (task / "wchan").read_text() for task in Path("/proc/self/task").iterdir())


def test_a_wait_for_a_register_ends_when_its_card_is_pulled_out(cards, show):
    registers = cards[1].bar(0)
    never = ~registers.read32(Edu.LIVENESS) & 1
    waiting = Background(registers.wait_until, Edu.LIVENESS, 1, never, 100 * 10**9)
    write("/sys/bus/pci/drivers/uio_pci_generic/unbind", cards[1].address)  # its registers still answer
    with pytest.raises(DeviceGoneError, match="has left") as left:
        waiting.result()
    show(f"unbound during a wait: {left.value}")
    with pytest.raises(DeviceGoneError, match="has left"):
        registers.read32(Edu.IDENTITY)
    guest.bind_to_uio(cards[1].address)


def test_a_wait_for_registers_in_a_uio_map_notices_that_its_device_has_left(dummy):
    rebind_dummy(0)
    with pytest.raises(DeviceGoneError, match="has left"):
        dummy.registers.wait_until(Dummy.STATUS, 1 << 31, 1 << 31, 0)


def test_a_wait_for_an_interrupt_that_ends_with_its_device_ends_the_registers_too(dummy):
    dummy.device.wait(0)
    assert not dummy.masked
    dummy.registers.write32(Dummy.STATUS, 0)
    waiting = Background(dummy.device.wait, 100 * 10**9)
    while waits_in_poll() == 0:
        os.sched_yield()
    dummy.unbind()
    with pytest.raises(DeviceGoneError, match="has left"):
        waiting.result()
    with pytest.raises(DeviceGoneError, match="has left"):
        dummy.registers.read64(0)


LOOKS = {
    "event_count": lambda device: device.event_count,
    "wait": lambda device: device.wait(0),
    "source": lambda device: InterruptEventSource(device, lambda sender, count: None),
}
LOOKS_AT_A_CARD = LOOKS | {"bar": lambda card: card.bar(0), "config": lambda card: card.config}
LOOKS_AT_A_DEVICE = LOOKS | {"map": lambda device: device.map(0), "maps": lambda device: device.maps}


@pytest.mark.parametrize("look", LOOKS_AT_A_CARD)
def test_whatever_notices_that_a_card_has_left_ends_its_registers(cards, look):
    registers, config = cards[1].bar(0), cards[1].config
    write("/sys/bus/pci/drivers/uio_pci_generic/unbind", cards[1].address)
    with pytest.raises(DeviceGoneError, match="has left"):
        LOOKS_AT_A_CARD[look](cards[1])
    for access in (lambda: registers.read32(0), lambda: registers.big_endian.write64(0, 0), lambda: config.read8(0)):
        with pytest.raises(DeviceGoneError, match="has left"):
            access()
    guest.bind_to_uio(cards[1].address)


@pytest.mark.parametrize("look", LOOKS_AT_A_DEVICE)
def test_a_device_that_took_the_place_of_another_is_not_that(dummy, look):
    rebind_dummy(0)
    with pytest.raises(DeviceGoneError, match="has left"):
        LOOKS_AT_A_DEVICE[look](dummy.device)
    with pytest.raises(DeviceGoneError, match="has left"):
        dummy.registers.read64(0)


def test_a_device_that_is_leaving_as_it_is_opened_has_left(dummy, monkeypatch):
    def refuse(path: str, flags: int) -> int:
        raise DeviceError(f"cannot open {path}: Invalid argument", code=errno.EINVAL, path=path)

    monkeypatch.setattr("uio_workloop.devices.uio_device.open_node", refuse)
    with pytest.raises(DeviceGoneError, match=f"cannot open {dummy.device.node}: its device is leaving"):
        UioDevice.find("uio:uio_dummy.0")
