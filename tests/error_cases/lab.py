"""What only real devices refuse."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uio_workloop
from error_cases.case import Case, Outcome, execute, public_names
from uio_workloop import GpioLine, InterruptEventSource, PciDevice, UioDevice
from uio_workloop.devices import pci_binding
from uio_workloop.devices.gpio_config import GpioConfig
from uio_workloop.devices.pci_binding import _refused, exclusive
from uio_workloop.testing.lab import guest

DEADLINE_S = 10.0  # generous: it costs nothing
NOBODY = 65534


@contextmanager
def devices() -> Iterator[dict[str, Any]]:
    """The devices of the lab, open; one of them closed again."""
    with ExitStack() as undo:
        device = undo.enter_context(UioDevice.find("uio:uio_dummy.0"))
        card = undo.enter_context(PciDevice(guest.edu_addresses()[0]))
        closed = PciDevice(guest.edu_addresses()[0])
        closed.close()
        same = undo.enter_context(UioDevice(device.node))
        yield {
            **public_names(),
            "device": device,
            "card": card,
            "closed": closed,
            "same": same,
            "refused": _refused,
        }


@contextmanager
def taken() -> Iterator[dict[str, Any]]:
    """The same, with an event source that has the interrupt."""
    with devices() as names, InterruptEventSource(names["device"], print):
        yield names


@contextmanager
def gpio() -> Iterator[dict[str, Any]]:
    """Lines of the simulated chip, one of each kind; a second chip, some of whose lines are called alike."""
    from lab_devices import gpio_chip

    with ExitStack() as undo:
        chip = undo.enter_context(gpio_chip("second", twin=1, button=2))
        made = {
            "line": GpioLine("gpiochip0", 7),
            "reader": GpioLine("gpiochip0", 8, edge="none"),
            "output": GpioLine("gpiochip0", 9, direction="out"),
            "closed": GpioLine("gpiochip0", 10),
        }
        for each in made.values():
            undo.callback(each.close)
        made["closed"].close()
        refused = {"GpioConfig": GpioConfig, "errno": errno}
        yield {**public_names(), **made, **refused, "chip": chip}


@contextmanager
def odd_nodes() -> Iterator[dict[str, Any]]:
    """Files where device nodes are expected."""
    with ExitStack() as undo:
        for path, make in {
            "/dev/pipe": os.mkfifo,
            "/dev/circle": lambda path: os.symlink(path, path),
            "/dev/gpiochip7": os.mkfifo,
        }.items():
            make(path)
            undo.callback(os.unlink, path)
        yield public_names()


@contextmanager
def nobody() -> Iterator[dict[str, Any]]:
    """A user in no group."""

    def run(line: str, names: dict[str, Any]) -> Outcome:
        reader, writer = os.pipe()
        everything = public_names()  # nobody may not be able to load what root has installed
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writer, json.dumps(execute(line, everything)).encode())
            os._exit(0)
        os.close(writer)
        with open(reader) as told:
            outcome = Outcome(*json.loads(told.read()))
        os.waitpid(child, 0)
        return outcome

    yield {"run": run}


@contextmanager
def shown_config() -> Iterator[dict[str, Any]]:
    """The same, and a card whose configuration space everybody may open."""
    path = Path("/sys/bus/pci/devices") / guest.edu_addresses()[0] / "config"
    nodes = [path, *_uio_nodes()]
    modes = [node.stat().st_mode for node in nodes]
    for node in nodes:
        node.chmod(0o666)
    with nobody() as names:
        yield names
    for node, mode in zip(nodes, modes, strict=True):
        node.chmod(mode)


def _uio_nodes() -> list[Path]:
    directory = Path("/sys/bus/pci/devices") / guest.edu_addresses()[0] / "uio"
    return [Path("/dev") / name for name in os.listdir(directory)]


@contextmanager
def new_card() -> Iterator[dict[str, Any]]:
    """An edu card in slot 5 that no driver has."""
    guest.insert("edu", "newcomer", "5")
    try:
        with nobody() as names:
            yield {**public_names(), "nobody": names["run"]}
    finally:
        guest.unplug("newcomer")


@contextmanager
def card_in_work() -> Iterator[dict[str, Any]]:
    """The same, while another program changes its driver."""
    patience, pci_binding.OTHERS_NS = pci_binding.OTHERS_NS, 0
    try:
        with new_card() as names, exclusive("0000:00:05.0"):
            yield names
    finally:
        pci_binding.OTHERS_NS = patience


@contextmanager
def new_card_of_nobody() -> Iterator[dict[str, Any]]:
    """The same, for a user in no group."""
    with new_card() as names:
        yield {"run": names["nobody"]}


@contextmanager
def tester() -> Iterator[dict[str, Any]]:
    """A card without interrupt in slot 5, with I/O ports, on uio_pci_generic."""
    with ExitStack() as undo:
        address = guest.plug("pci-testdev", "tester", "5")
        undo.callback(guest.unplug, "tester")
        card = undo.enter_context(PciDevice(address))
        yield {**public_names(), "card": card}


@contextmanager
def network_card() -> Iterator[dict[str, Any]]:
    """A network card in slot 5, its interface up."""
    subprocess.run(["modprobe", "e1000"], check=True)
    guest.insert("e1000", "network", "5")
    try:
        (interface,) = os.listdir("/sys/bus/pci/devices/0000:00:05.0/net")
        subprocess.run([guest.LAB_DIRECTORY / "busybox", "ip", "link", "set", interface, "up"], check=True)
        yield public_names()
    finally:
        guest.unplug("network")


@contextmanager
def leaving() -> Iterator[dict[str, Any]]:
    """A device and a card that have left; what was mapped before."""
    from lab_devices import write

    with ExitStack() as undo:
        address = guest.plug("pci-testdev", "tester", "5")
        card = undo.enter_context(PciDevice(address))
        device = undo.enter_context(UioDevice.find("uio:uio_dummy.1" if _second() else "uio:uio_dummy.0"))
        name = "uio_dummy.1" if _second() else "uio_dummy.0"
        registers, config, ports = device.map(0), card.config, card.bar(1)
        source = undo.enter_context(InterruptEventSource(device, print))
        loop = undo.enter_context(uio_workloop.WorkLoop("drivers"))
        loop.add_event_source(source)
        terminated = threading.Event()
        source.on_terminated = lambda sender: terminated.set()
        write("/sys/bus/platform/drivers/uio_dummy/unbind", name)
        undo.callback(write, "/sys/bus/platform/drivers/uio_dummy/bind", name)
        guest.unplug("tester")
        assert terminated.wait(DEADLINE_S)
        yield {
            **public_names(),
            "device": device,
            "card": card,
            "registers": registers,
            "config": config,
            "ports": ports,
            "source": source,
            "loop": loop,
        }


def _second() -> bool:
    return os.path.isdir("/sys/devices/platform/uio_dummy.1/uio")


def each(setting: Any, error: str, *lines: str) -> list[Case]:
    return [Case(line, error, setting) for line in lines]


def answered(setting: Any, error: str, did: str, line: str) -> Case:
    """What the lab's kernel cannot be made to answer is put into the mouth of it."""
    return Case(line, error, setting, did)


NO_EDGES = 'raise line._refused(GpioConfig(edge="both"), OSError(errno.ENXIO, ""))'
NO_TIMER = 'raise line._refused(GpioConfig(debounce_us=10), OSError(errno.ENXIO, ""))'
TOO_LONG = 'raise line._refused(GpioConfig(debounce_us=10**7), OSError(errno.EINVAL, ""))'
NOT_MASKED = 'raise refused("0000:00:04.0", "give it to uio_pci_generic", OSError(19, ""))'
ABSENT = "DeviceNotFoundError"
AGAIN = "PciDevice.bind('0000:00:05.0')"

CASES = {
    "Names": [
        *each(devices, ABSENT, 'find_device("/dev/uio9")', 'find_device("uio:uio_dummy.9")', 'find_device("irq:9999")'),
        *each(devices, ABSENT, 'find_device("of:pruss")', 'find_device("udev:ID_PATH=nix")'),
        *each(devices, ABSENT, 'find_device("0000:00:1f.7")', 'find_device("1234:0001")', 'find_device("1234:11e8#3")'),
        *each(devices, ABSENT, 'find_device("/dev/null")', 'find_device("/dev")', 'find_device("/dev/uio0\\0")'),
        *each(odd_nodes, ABSENT, 'find_device("/dev/pipe")'),
        *each(odd_nodes, "DeviceError", 'find_device("/dev/circle")'),
        *each(devices, "DeviceError", 'UioDevice.find("uio:uio_pci_generic")'),
        *each(devices, "MapError", "device.map(3)", 'device.map("control")', "card.bar(1)", "card.bar(6)"),
        *each(devices, "BadArgumentError", 'card.bar("0")', "card.bar(True)"),
    ],
    "Permission": [
        *each(nobody, "PrivilegeError", 'find_device("uio:uio_dummy.0")', 'find_device("1234:11e8")'),
        *each(nobody, "PrivilegeError", 'find_device("gpiochip0:4")', 'find_device("gpio:button")'),
        *each(new_card_of_nobody, "PrivilegeError", AGAIN),
        *each(shown_config, "PrivilegeError", 'PciDevice.find("1234:11e8").config.read32(0x40)'),
    ],
    "Busy, claimed and closed": [
        *each(taken, "NoResourcesError", "InterruptEventSource(device, print)", "device.wait(0)"),
        *each(taken, "NoResourcesError", "InterruptEventSource(same, print)"),
        *each(devices, "NoInterruptError", "InterruptEventSource(device, print, index=1)"),
        *each(tester, "NoInterruptError", "InterruptEventSource(card, print)"),
        *each(devices, "BadArgumentError", "device.wait(-1)", 'device.wait(float("nan"))'),
        *each(devices, "ClosedError", "closed.bar(0)", "closed.wait(0)"),
    ],
    "PCI cards and their drivers": [
        *each(new_card, "DeviceError", 'PciDevice.find("0000:00:05.0")'),
        *each(devices, "DeviceError", 'PciDevice.bind("0000:00:00.0")', 'PciDevice.bind("0000:00:02.0")'),
        Case(AGAIN, "DeviceError", network_card, "a network interface is up"),
        Case(AGAIN, "DeviceError", card_in_work, "another program changes its driver"),
        Case('PciDevice.find("0000:00:05.0")', "DeviceError", network_card, "the network driver has the card"),
        *each(devices, "NoInterruptError", 'PciDevice.bind("0000:00:01.1")'),
        answered(
            devices, "DeviceError", "a driver refuses the card, as one whose interrupt cannot be masked", NOT_MASKED
        ),
        *each(tester, "RegisterError", "card.config.read64(0)", "card.config.read32(0x100)"),
    ],
    "GPIO lines": [
        *each(gpio, ABSENT, 'GpioLine.find("gpiochip9:0")', 'GpioLine.find("gpiochip0:99")'),
        *each(odd_nodes, ABSENT, 'GpioLine.find("gpiochip7:0")'),
        *each(gpio, ABSENT, 'GpioLine.find("gpio:buton")', 'GpioLine.find("gpio:/17")'),
        *each(gpio, "DeviceError", 'GpioLine.find("gpio:button")', 'GpioLine.find("gpiochip0:7")'),
        *each(gpio, "BadArgumentError", 'line.edge = "up"'),
        *each(gpio, "UsageError", "line.value = True", "line.take_edges()"),
        *each(gpio, "NoInterruptError", "InterruptEventSource(output, print)", "InterruptEventSource(reader, print)"),
        *each(gpio, "ClosedError", "closed.value"),
        answered(gpio, "NoInterruptError", "its chip has no interrupt for edges", NO_EDGES),
        answered(gpio, "UnsupportedError", "its chip has no interrupt to debounce with", NO_TIMER),
        answered(gpio, "UnsupportedError", "its chip refuses the debounce time", TOO_LONG),
    ],
    "Devices that have left": [
        *each(leaving, "DeviceGoneError", "device.map(0)", "device.event_count", "device.wait(0)"),
        *each(leaving, "ClosedError", "source.enable()"),
        *each(leaving, "DeviceGoneError", "ports.read8(0)", "config.read32(0)", "card.bar(0)"),
    ],
}
