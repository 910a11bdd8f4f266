"""A GPIO line as an interrupt, opened by python-periphery."""

from __future__ import annotations

import errno
import os
import re
from typing import Any, Final, Literal, get_args

from uio_workloop._linux import gpio
from uio_workloop.devices.access import open_node, refusal
from uio_workloop.errors import BadArgumentError, ClosedError, DeviceError, DeviceNotFoundError, NoInterruptError
from uio_workloop.interrupts.claim import Claim, Claimant
from uio_workloop.interrupts.gpio_interrupt import GpioInterrupt

NAME = re.compile(r"(?:/dev/)?(?P<chip>gpiochip[0-9]+):(?P<offset>[0-9]+)")
CONSUMER = "uio_workloop"

Edge = Literal["rising", "falling", "both"]
EDGES: Final = get_args(Edge)
Bias = Literal["default", "pull_up", "pull_down", "disable"]


class GpioLine:
    """One line of a GPIO chip, as an input that interrupts on edges.

    The kernel queues the newest 16 edges; older ones it drops are counted as lost.

    Args:
        chip: `gpiochip0`.
        offset: of the line in its chip.
        edge: which edges interrupt.
        bias: pull of the input.
    """

    def __init__(self, chip: str, offset: int, *, edge: Edge = "both", bias: Bias = "default") -> None:
        self.name = f"{chip}:{offset}"
        if offset < 0:
            raise BadArgumentError(f"there is no GPIO line {self.name}: lines count from 0")
        if edge not in EDGES:
            raise BadArgumentError(f"GPIO line {self.name} cannot interrupt on edge {edge!r}; write one of {EDGES}")
        self._claim = Claim(self.name)
        self._interrupt: GpioInterrupt | None = None
        _check_free(f"/dev/{chip}", offset, self.name)
        self._gpio: Any = _open_with_periphery(f"/dev/{chip}", offset, edge, bias, self.name)
        os.set_blocking(self._gpio.fd, False)

    @classmethod
    def find(cls, name: str, *, edge: Edge = "both", bias: Bias = "default") -> GpioLine:
        """Open a line by chip and offset: `gpiochip0:17`.

        Raises:
            DeviceNotFoundError: no such chip, or no such line on it.
            DeviceError: the line is in use; the sentence says by whom.
            NoInterruptError: the line cannot interrupt.
            PrivilegeError: this user may not open the chip.
            BadArgumentError: `name` is no such name.
        """
        match = NAME.fullmatch(name)
        if match is None:
            raise BadArgumentError(f"{name!r} names no GPIO line: write chip and offset as gpiochip0:17")
        return cls(match["chip"], int(match["offset"]), edge=edge, bias=bias)

    def __repr__(self) -> str:
        return f"<GpioLine {self.name}>"

    def read(self) -> bool:
        """The level of the line now; true is high.

        Raises:
            DeviceGoneError: the line has left with its chip.
            ClosedError: the line was closed.
        """
        self._check_open("read")
        try:
            return bool(self._gpio.read())
        except OSError as error:
            raise refusal(self.name, "read", error) from error

    def claim_interrupt(self, index: int, claimant: Claimant) -> GpioInterrupt:
        """See `InterruptProvider.claim_interrupt`."""
        self._check_open("claim the interrupt of")
        self._claim.take(index, claimant)
        try:
            if self._interrupt is None:
                self._interrupt = GpioInterrupt(self._gpio.fd, self.name, self._claim)
            self._interrupt.forget()
        except BaseException:
            self._claim.give_back()
            raise
        return self._interrupt

    def invalidate(self, reason: str) -> None:
        """Nothing is mapped."""

    def close(self) -> None:
        """Close the source on the line, then the line. Twice is fine."""
        self._claim.revoke()
        gpio_line, self._gpio = self._gpio, None
        if gpio_line is not None:
            gpio_line.close()

    def __enter__(self) -> GpioLine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _check_open(self, operation: str) -> None:
        if self._gpio is None:
            raise ClosedError(f"cannot {operation} {self.name}: it is closed; find it again")


def _check_free(path: str, offset: int, name: str) -> None:
    """Refuse a line that is not there or not free, with the reason the kernel knows; EBUSY alone would not say who."""
    chip_fd = open_node(path, os.O_RDWR)
    try:
        lines = gpio.chip_lines(chip_fd)
        if offset >= lines:
            raise DeviceNotFoundError(f"there is no GPIO line {name}: {path} has lines 0 to {lines - 1}", path=name)
        info = gpio.line_info(chip_fd, offset)
        if info.used:
            user = f"by {info.consumer!r}" if info.consumer else "by the kernel"
            raise DeviceError(f"GPIO line {name} is in use {user}; free it there first", code=errno.EBUSY, path=name)
    except OSError as error:
        if isinstance(error, DeviceError):
            raise
        raise refusal(path, "ask the GPIO chip", error) from error
    finally:
        os.close(chip_fd)


def _open_with_periphery(path: str, offset: int, edge: Edge, bias: Bias, name: str) -> Any:
    from periphery import CdevGPIO, GPIOError  # here, so that programs without GPIO never load it

    # In two steps, because the constructor keeps the chip's descriptor open when the line is refused.
    opened = CdevGPIO.__new__(CdevGPIO, path, offset, "in")
    try:
        CdevGPIO.__init__(opened, path, offset, "in", edge=edge, bias=bias, label=CONSUMER)
    except GPIOError as error:
        opened.close()
        if error.errno == errno.ENXIO:
            raise NoInterruptError(f"GPIO line {name} cannot interrupt: its chip has none for it", path=name) from error
        raise refusal(name, "open GPIO line", error) from error
    except BaseException:
        opened.close()
        raise
    return opened
