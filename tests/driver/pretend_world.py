"""A world of devices for drivers, made of software interrupts, and drivers for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from helpers import Departing

from uio_workloop import (
    DeviceDescription,
    Driver,
    DriverHost,
    InterruptEventSource,
    PciId,
    TimerEventSource,
    WorkLoopError,
)

_inodes = itertools.count(1)


@dataclass(frozen=True)
class PretendDevice(DeviceDescription):
    """A card that is a software interrupt."""

    world: World = field(default=None, kw_only=True)

    @property
    def present(self) -> bool:
        there = self.world.devices.get(self.sys_path)
        return there is not None and there.trace == self.trace

    def open(self) -> Departing:
        if self.world.refusal is not None:
            raise self.world.refusal
        opened = Departing()
        self.world.opened.append(opened)
        return opened


class World:
    """Devices that are there, and hosts that are told so."""

    def __init__(self) -> None:
        self.devices: dict[str, PretendDevice] = {}
        self.opened: list[Departing] = []
        self.refusal: WorkLoopError | None = None
        self.on_list: Callable[[], object] = lambda: None

    def add(self, slot: int = 4, **changes: object) -> PretendDevice:
        """A card appears in a slot, the same kind every time but never the same card."""
        address = f"0000:00:{slot:02x}.0"
        path = f"/sys/devices/pci0000:00/{address}"
        properties = {"PCI_ID": "1234:11E8", "ID_PATH": f"pci-{address}"}
        known = {"name": address, "node": "/dev/uio0", "properties": properties, **changes}
        self.devices[path] = PretendDevice(path, "pci", trace=(path, next(_inodes)), world=self, **known)
        return self.devices[path]

    def remove(self, device: PretendDevice) -> None:
        del self.devices[device.sys_path]

    def list_devices(self, *, gpio_lines: bool) -> list[PretendDevice]:
        found = list(self.devices.values())
        self.on_list()
        return found

    def devices_at(self, sys_path: str) -> list[PretendDevice]:
        return [self.devices[sys_path]] if sys_path in self.devices else []


def tell(host: DriverHost, what: str, device: DeviceDescription | None) -> None:
    """An event, as the hot-plug source delivers it."""
    host.loop.run_action(host._on_hotplug, None, what, device)


class Plain(Driver):
    """Writes down what happens to it."""

    match = PciId("1234:11e8")

    def __init__(self) -> None:
        self.life: list[str] = []
        self.gate_held: list[bool] = []

    def note(self, what: str) -> None:
        self.life.append(what)
        self.gate_held.append(self.loop.in_gate())

    def start(self, device) -> None:
        self.device = device
        self.source = self.add(InterruptEventSource(device, lambda sender, count: self.note("interrupt")))
        self.source.enable()
        self.note("start")

    def stop(self) -> None:
        self.note("stop")


class Failing(Driver):
    """Acquires half of what it wants."""

    match = PciId("1234:11e8")
    error: BaseException = ValueError("the card answers 0xffffffff")

    def start(self, device) -> None:
        self.add(InterruptEventSource(device, None))
        self.add(TimerEventSource())
        raise self.error


def probing(score: int | None, base: type[Driver] = Plain) -> type[Driver]:
    """A driver that always gives this score."""
    return type(f"Scores{score}", (base,), {"probe": lambda self, device: score})
