"""A GPIO chip, opened for questions about its lines."""

from __future__ import annotations

import errno
import os
import re

from uio_workloop._linux import gpio
from uio_workloop.devices.access import open_node, refusal
from uio_workloop.devices.names import shown
from uio_workloop.errors import BadArgumentError, DeviceNotFoundError, UnsupportedError

CHIP = re.compile(r"gpiochip[0-9]+")


class GpioChip:
    """What a chip says of itself and its lines. For a `with` block.

    Args:
        name: `gpiochip0`.

    Raises (construction): as `open_node`; and
        BadArgumentError: `name` is no such name.
    """

    def __init__(self, name: str) -> None:
        if not (isinstance(name, str) and CHIP.fullmatch(name)):
            raise BadArgumentError(f"{shown(name)} names no GPIO chip: write gpiochip0, or find the line by its name")
        self.name = name
        self._node = f"/dev/{name}"
        try:
            # Reading is enough for questions, and for opening lines; whatever else has that name is not waited for.
            self._fd = open_node(self._node, os.O_RDONLY | os.O_NONBLOCK)
        except DeviceNotFoundError as error:
            raise _no_chip(name) from error
        try:
            info = gpio.chip_info(self._fd)
        except OSError as error:
            os.close(self._fd)
            if error.errno in (errno.ENOTTY, errno.EINVAL):  # a file of any other kind answers so
                raise _no_chip(name) from error
            raise refusal(self._node, "ask the GPIO chip", error) from error
        self.label = info.label
        """What its driver calls it; survives renumbering."""
        self.lines = info.lines

    def line_info(self, offset: int) -> gpio.LineInfo:
        """Name and user of a line.

        Raises:
            DeviceNotFoundError: there is no such line.
            UnsupportedError: the kernel is older than version 2 of the interface.
            DeviceGoneError: the chip has left.
        """
        if offset >= self.lines:
            line = f"{self.name}:{offset}"
            raise DeviceNotFoundError(
                f"there is no GPIO line {line}: {self._node} has lines 0 to {self.lines - 1}", path=line
            )
        try:
            return gpio.line_info(self._fd, offset)
        except OSError as error:
            if error.errno == errno.EINVAL:  # what a chip answers to a request it does not know
                raise UnsupportedError(f"cannot use {self._node}: GPIO lines take Linux 5.10 or later") from error
            raise refusal(self._node, "ask the GPIO chip", error) from error

    def __enter__(self) -> GpioChip:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self._fd)


def _no_chip(name: str) -> DeviceNotFoundError:
    there_are = ", ".join(each for each in chip_names() if each != name) or "none on this machine"
    return DeviceNotFoundError(f"there is no GPIO chip {name}; there are: {there_are}", path=name)


def chip_names() -> list[str]:
    """The GPIO chips there are, in order of number."""
    # A link is another number for a chip that has one: Raspberry Pi OS has gpiochip4 link to the header's.
    names = [each.name for each in os.scandir("/dev") if CHIP.fullmatch(each.name) and not each.is_symlink()]
    return sorted(names, key=lambda name: int(name.removeprefix("gpiochip")))
