"""Drivers that are none, and steps out of order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from error_cases.case import Case, public_names
from uio_workloop import DeviceDescription, Driver, PciId, TimerEventSource, WorkLoop
from uio_workloop.driver.attachment import Attachment
from uio_workloop.driver.driver_gate import DriverGate
from uio_workloop.driver.lifecycle import State, next_state


class NoMatch(Driver):
    def start(self, device: Any) -> None: ...


class Card(NoMatch):
    match = PciId("1234:11e8")


class NoStart(Driver):
    match = PciId("1234:11e8")


class Async(Card):
    async def start(self, device: Any) -> None: ...


class Generator(Card):
    def start(self, device: Any) -> Any:
        yield


class Arguments(Card):
    def __init__(self, speed: int) -> None: ...


class Undecided(Card):
    def probe(self, device: Any) -> Any:
        return False


class Stringly(NoMatch):
    match = "1234:11e8"


class Failing(Card):
    def start(self, device: Any) -> None:
        raise ValueError("the card answers 0xffffffff")


class Pretend(DeviceDescription):
    """A card that is there, and opens as nothing in particular."""

    __slots__ = ()

    def open(self) -> Any:
        @contextmanager
        def opened() -> Iterator[None]:
            yield None

        return opened()


@contextmanager
def stopped() -> Iterator[dict[str, Any]]:
    """A driver whose device has left."""
    with WorkLoop("drivers") as loop:
        gate = DriverGate(None, "Card on 0000:00:04.0")
        loop.add_event_source(gate)
        gate.end(device_left=True)
        yield {"driver": SimpleNamespace(command_gate=gate)}


@contextmanager
def classes() -> Iterator[dict[str, Any]]:
    """Drivers, most of them wrong."""
    device = Pretend("/sys/devices/pci0000:00/0000:00:04.0", "pci", "0000:00:04.0", "/dev/uio0", {})
    keyboard = DeviceDescription("/sys/class/input/input3", "input", "input3", None, {})
    made = {
        each.__name__: each
        for each in (NoMatch, NoStart, Async, Generator, Arguments, Undecided, Failing, Stringly, Card)
    }
    with WorkLoop("drivers") as loop, TimerEventSource() as timer:

        def attachment(driver: type[Driver]) -> Attachment:
            return Attachment(driver, device, loop, print)

        names = {
            "keyboard": keyboard,
            "attachment": attachment,
            "next_state": next_state,
            "State": State,
            "timer": timer,
        }
        yield {**public_names(), **made, **names}


def bad(*lines: str) -> list[Case]:
    return [Case(line, "BadArgumentError", classes) for line in lines]


STARTED_TWICE = 'next_state(State.STARTED, "start", "Card on 0000:00:04.0")'
PROBE = "a = attachment(Undecided); a.probe(None)"
START = "a = attachment(Failing); a.probe(None); a.start()"

CASES = {
    "Drivers": [
        *bad('PciId("1234")', "PciId(None)", 'UioName("")', 'UdevProperty("ID_PATH", None)'),
        *bad("DriverHost([Card()])", "DriverHost(Card)", "DriverHost([NoMatch])", "DriverHost([NoStart])"),
        *bad("DriverHost([Stringly])"),
        *bad("DriverHost([Async])", "DriverHost([Generator])", "DriverHost([Arguments])", "DriverHost([Card, Card])"),
        *bad("DriverHost([Card], loop=5)", "keyboard.open()"),
        Case("DriverHost([Card]).loop", "LifecycleError", classes),
        Case("host = DriverHost([]); host.start(); host.close(); host.start()", "LifecycleError", classes),
        Case("Card().add(timer)", "LifecycleError", classes),
        Case(STARTED_TWICE, "LifecycleError", classes, "a step out of order"),
        Case(PROBE, "DriverError", classes, "`probe` returns `False`"),
        Case(START, "DriverError", classes, "`start` raises `ValueError`"),
        Case("driver.command_gate.run_action(print)", "DeviceGoneError", stopped),
    ],
}
