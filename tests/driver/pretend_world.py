"""A world of devices for drivers, made of software interrupts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from helpers import Departing

from uio_workloop import DeviceDescription, DriverHost, WorkLoopError

_inodes = itertools.count(1)


@dataclass(frozen=True)
class PretendDevice(DeviceDescription):
    """A card that is a software interrupt."""

    world: World = field(default=None, kw_only=True)  # type: ignore[assignment]

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
