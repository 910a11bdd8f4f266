"""A line of the lab's simulated GPIO chip, driven from outside, and the libraries that read it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from functools import cache
from typing import Any

from benchmarks.harness import NotAtHandError
from uio_workloop._linux import gpio
from uio_workloop.testing.lab import guest

OFFSET = 9
EVENT_BYTES = 48
QUEUED = 16
"""How many edges the kernel queues for a line of whom does not ask for more."""
LEVELS = ("pull-up", "pull-down")
RASPBERRY_PI_3B = 0xA02082


@cache
def pull_fd() -> int:
    """What an edge is made through, by writing one of `LEVELS`."""
    return os.open(guest.LAB_DIRECTORY / "gpio-lines" / f"sim_gpio{OFFSET}" / "pull", os.O_WRONLY | os.O_CLOEXEC)


def set_low() -> None:
    os.write(pull_fd(), LEVELS[1].encode())


def chip() -> str:
    return str(guest.gpio_chip())


@contextmanager
def periphery_line() -> Iterator[Any]:
    """Opened by python-periphery for both edges; time stamps are CLOCK_REALTIME's."""
    from periphery import CdevGPIO

    line = CdevGPIO(chip(), OFFSET, "in", edge="both")
    try:
        yield line
    finally:
        line.close()


@contextmanager
def plain_line(*, blocking: bool = False) -> Iterator[int]:
    """What a hand-written loop has: the descriptor of a line, for both edges; time stamps are CLOCK_MONOTONIC's."""
    from periphery import CdevGPIO

    line = CdevGPIO(chip(), OFFSET, "in")
    try:
        os.set_blocking(line.fd, blocking)
        gpio.set_config(line.fd, gpio.INPUT | gpio.EDGE_RISING | gpio.EDGE_FALLING)
        yield line.fd
    finally:
        line.close()


@contextmanager
def gpiod_request(queued: int | None = None) -> Iterator[Any]:
    """Opened by gpiod for both edges; time stamps are CLOCK_MONOTONIC's.

    Args:
        queued: how many edges the kernel is asked to queue.
    """
    try:
        import gpiod
    except ImportError:
        raise NotAtHandError("pip install gpiod") from None
    settings = gpiod.LineSettings(edge_detection=gpiod.line.Edge.BOTH)
    with gpiod.request_lines(chip(), config={OFFSET: settings}, event_buffer_size=queued) as request:
        yield request


@contextmanager
def gpiozero_input() -> Iterator[Any]:
    """Opened by gpiozero through lgpio, told that this is a Raspberry Pi: the name of the pin needs that."""
    with _factory_class()(chip=int(chip().removeprefix("/dev/gpiochip"))) as factory:
        from gpiozero import DigitalInputDevice

        with DigitalInputDevice(OFFSET, pull_up=None, active_state=True, pin_factory=factory) as line:
            yield line
            line.pin.when_changed = None  # closing it does not, and lgpio would go on calling who is gone


@cache
def _factory_class() -> Any:
    try:
        # lgpio makes a pipe where it is, and opens it by that name, once, as it is imported.
        with chdir(tempfile.mkdtemp(prefix="uio-workloop-benchmark-")):
            from gpiozero.pins.lgpio import LGPIOFactory
    except ImportError:
        raise NotAtHandError("pip install gpiozero lgpio") from None

    class Factory(LGPIOFactory):  # type: ignore[misc]  # gpiozero has no types
        def _get_revision(self) -> int:
            return RASPBERRY_PI_3B

    return Factory
