"""Names that are none, and arguments that no line or device has: refused before anything is opened."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from error_cases.case import Case, public_names
from uio_workloop.devices.access import refusal
from uio_workloop.devices.names import parse, resolve
from uio_workloop.devices.pci_binding import _refused
from uio_workloop.interrupts.claim import Claim
from uio_workloop.interrupts.gpio_interrupt import GpioInterrupt


@contextmanager
def nothing() -> Iterator[dict[str, Any]]:
    """No more than the public names."""
    gpio_interrupt = GpioInterrupt(-1, "gpiochip0:17", Claim("gpiochip0:17"))
    inside = {"parse": parse, "resolve": resolve, "refusal": refusal, "refused": _refused}
    yield {**public_names(), **inside, "gpio_interrupt": gpio_interrupt}


def bad(*lines: str) -> list[Case]:
    return [Case(line, "BadArgumentError", nothing) for line in lines]


def answered(error: str, number: int) -> Case:
    """What no kernel here can be made to answer is put into the mouth of it."""
    line = f'raise refusal("/dev/uio0", "open", OSError({number}, {os.strerror(number)!r}))'
    return Case(line, error, nothing, f"the kernel answers {errno.errorcode[number]} to opening `/dev/uio0`")


LEFT = 'raise refused("ffff:00:04.0", "give it to uio_pci_generic", OSError(19, ""))'

CASES = {
    "Devices that have left": [
        answered("DeviceGoneError", errno.ENODEV),
        Case(LEFT, "DeviceGoneError", nothing, "a card leaves while it is bound"),
        Case("raise gpio_interrupt._gone()", "DeviceGoneError", nothing, "the chip of a GPIO line leaves"),
    ],
    "Busy, claimed and closed": [answered("DeviceError", errno.EBUSY), answered("DeviceNotFoundError", errno.ENOENT)],
    "Names": [
        *bad('find_device("")', "find_device(None)", 'find_device("irq:-1")', 'find_device("1234:11e8#0")'),
        *bad('find_device("udev:ID_PATH")', 'find_device("00:04.0")', 'find_device("PCI:0000:00:04.0")'),
        *bad('UioDevice.find("1234:11e8")', 'PciDevice.find("/dev/uio0")', 'GpioLine.find("17")'),
        *bad('PciDevice("1234:11e8")', "UioDevice(3)", 'GpioLine("pinctrl-rp1", 17)'),
        Case('resolve(parse("uio:sensor"), [], "UIO device")', "DeviceNotFoundError", nothing, "no UIO device at all"),
    ],
    "GPIO lines": bad(
        'GpioLine("gpiochip0", -1)',
        'GpioLine.find("gpiochip0:17", direction="input")',
        'GpioLine.find("gpiochip0:17", edge="up")',
        'GpioLine.find("gpiochip0:17", direction="out", edge="rising")',
        'GpioLine.find("gpiochip0:17", bias="up")',
        'GpioLine.find("gpiochip0:17", debounce="hardware")',
        'GpioLine.find("gpiochip0:17", debounce_us=-1)',
        'GpioLine.find("gpiochip0:17", debounce_us=2.5)',
        'GpioLine.find("gpiochip0:17", debounce="software")',
        'GpioLine.find("gpiochip0:17", keep_edges=-1)',
    ),
}
