"""How a GPIO line is opened: by python-periphery, with a longer queue of edges where that is wanted."""

from __future__ import annotations

import errno
import os
from typing import Any, Final

from uio_workloop._linux import gpio
from uio_workloop.devices.access import refusal
from uio_workloop.devices.gpio_chip import GpioChip
from uio_workloop.devices.gpio_config import Bias, Direction, GpioConfig
from uio_workloop.errors import DeviceError

CONSUMER: Final = "uio_workloop"
ORDINARY_QUEUE: Final = 16  # edges: what the kernel has for whom does not ask for more


def open_line(chip: str, offset: int, direction: Direction, bias: Bias, queued: int) -> Any:
    """The line as python-periphery's object, without edges, its descriptor non-blocking.

    Args:
        queued: how many edges the kernel should queue, of an input.

    Raises:
        DeviceNotFoundError: there is no such chip or line.
        DeviceError: it is in use; the sentence says by whom.
        PrivilegeError: this user may not open the chip.
    """
    name = f"{chip}:{offset}"
    with GpioChip(chip) as asked:
        _check_free(asked, offset, name)
    opened = _open_with_periphery(f"/dev/{chip}", offset, direction, bias, name)
    try:
        if direction == "in" and queued > ORDINARY_QUEUE:
            _request_again(opened.fd, f"/dev/{chip}", offset, GpioConfig(bias=bias).flags, queued, name)
        os.set_blocking(opened.fd, False)
    except BaseException:
        opened.close()
        raise
    return opened


def _check_free(chip: GpioChip, offset: int, name: str) -> None:
    """Refuse a line that is not there or not free, with what the kernel knows; EBUSY alone would not say by whom."""
    info = chip.line_info(offset)
    if info.used:
        user = f"by {info.consumer!r}" if info.consumer else "by the kernel"
        raise DeviceError(f"GPIO line {name} is in use {user}; free it there first", code=errno.EBUSY, path=name)


def _open_with_periphery(path: str, offset: int, direction: Direction, bias: Bias, name: str) -> Any:
    from periphery import CdevGPIO, GPIOError  # here, so that programs without GPIO never load it

    # In two steps, because the constructor keeps the chip's descriptor open when the line is refused.
    opened = CdevGPIO.__new__(CdevGPIO, path, offset, direction)
    try:
        CdevGPIO.__init__(opened, path, offset, direction, bias=bias, label=CONSUMER)
    except GPIOError as error:
        opened.close()
        raise refusal(name, "open GPIO line", error) from error
    except BaseException:
        opened.close()
        raise
    return opened


def _request_again(line_fd: int, path: str, offset: int, flags: int, queued: int, name: str) -> None:
    """Have the kernel queue more edges, which python-periphery cannot ask for and a request cannot change.

    Everything happens under the number that periphery knows, which nobody else can get meanwhile: the chip takes it,
    which frees the line, then the new request.
    """
    try:
        chip_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.dup2(chip_fd, line_fd, inheritable=False)
            requested_fd = gpio.request_line(chip_fd, offset, CONSUMER, flags, queued)
        finally:
            os.close(chip_fd)
        try:
            os.dup2(requested_fd, line_fd, inheritable=False)
        finally:
            os.close(requested_fd)
    except OSError as error:
        raise refusal(name, "open GPIO line", error) from error
