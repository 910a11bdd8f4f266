"""A GPIO line, opened by python-periphery.

Theory of operation
-------------------
python-periphery opens the line, and reads and writes its level. It would set edges, too, but with time stamps of
CLOCK_REALTIME, and it changes edge or bias by closing the line and opening it again: another descriptor, which nobody
polls, and an empty queue. So the line is opened without edges, and everything else is told to the kernel by its
set-config call, on the same descriptor, which keeps what is queued. That is also how the kernel learns to debounce, and
the stamps are CLOCK_MONOTONIC's because nobody asked for another clock.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from uio_workloop._linux import gpio
from uio_workloop.devices import gpio_names
from uio_workloop.devices.access import refusal
from uio_workloop.devices.gpio_config import DIRECTIONS, Bias, Debounce, Direction, Edge, GpioConfig
from uio_workloop.devices.gpio_request import open_line
from uio_workloop.errors import (
    BadArgumentError,
    ClosedError,
    NoInterruptError,
    UnsupportedError,
    UsageError,
    WorkLoopError,
)
from uio_workloop.interrupts.claim import Claim, Claimant
from uio_workloop.interrupts.debounced_gpio_interrupt import DebouncedGpioInterrupt
from uio_workloop.interrupts.gpio_edges import EdgeRecord, GpioEdge
from uio_workloop.interrupts.gpio_interrupt import GpioInterrupt, RecordedGpioInterrupt

MOST_KEPT = 1_000_000  # edges, each some hundred bytes: more is a mistake
ENOTSUPP = 524  # the kernel's own, which pin drivers let out; errno does not have it
NOT_SO_LONG = (errno.EINVAL, errno.ERANGE, errno.EOPNOTSUPP, ENOTSUPP)  # what chips answer to a debounce period


class GpioLine:
    """One line of a GPIO chip: an input that interrupts on edges, or an output.

    The kernel queues the newest 16 edges, or as many as `keep_edges` says if that is more, up to 1,024; older ones it
    drops are counted as lost.

    Args:
        chip: `gpiochip0`.
        offset: of the line in its chip.
        direction: `in`; or `out`, `high` and `low`, which are outputs, low but for `high` from the first moment on.
        edge: which edges interrupt; if not given, both of an input and none of an output.
        bias: its pull.
        debounce_us: how long the line has to be quiet for a change to count; 0 takes every edge.
        debounce: who sees to that: the kernel (the chip itself, if it can), or `software`, which is this process.
        keep_edges: how many edges are kept one by one for `take_edges`; 0 only counts them.

    Raises (construction): see `find`.
    """

    def __init__(
        self,
        chip: str,
        offset: int,
        *,
        direction: Direction = "in",
        edge: Edge | None = None,
        bias: Bias = "default",
        debounce_us: int = 0,
        debounce: Debounce = "kernel",
        keep_edges: int = 0,
    ) -> None:
        self.name = f"{chip}:{offset}"
        if type(offset) is not int or offset < 0:
            raise BadArgumentError(f"there is no GPIO line {self.name}: lines are numbered from 0")
        if direction not in DIRECTIONS:
            raise BadArgumentError(f"GPIO line {self.name} has no direction {direction!r}; write one of {DIRECTIONS}")
        if not (isinstance(keep_edges, int) and 0 <= keep_edges <= MOST_KEPT):
            raise BadArgumentError(f"GPIO line {self.name} cannot keep {keep_edges!r} edges; write 0 to {MOST_KEPT}")
        output = direction != "in"
        if edge is None:
            edge = "none" if output else "both"
        wanted = GpioConfig(output, edge, bias, debounce_us, debounce)
        wanted.check(self.name)
        self._record = EdgeRecord(keep_edges) if keep_edges else None
        self._claim = Claim(self.name)
        self._interrupt: GpioInterrupt | None = None
        self._gpio: Any = open_line(chip, offset, direction, bias, keep_edges)
        self._config = GpioConfig(output, bias=bias)
        try:
            self._change(wanted)
        except BaseException:
            self._gpio.close()
            raise

    @classmethod
    def find(
        cls,
        name: str,
        *,
        direction: Direction = "in",
        edge: Edge | None = None,
        bias: Bias = "default",
        debounce_us: int = 0,
        debounce: Debounce = "kernel",
        keep_edges: int = 0,
    ) -> GpioLine:
        """Open a line by its name (`gpio:GPIO17`), its chip's label (`gpio:pinctrl-bcm2711/17`) or `gpiochip0:17`.

        The kernel may number its chips differently tomorrow; names and labels stay.

        Args: as the constructor.

        Raises:
            DeviceNotFoundError: no such chip or line; the sentence says what was looked at, and what comes near.
            DeviceError: several lines are called so, or the line is in use; the sentence says which, or by whom.
            NoInterruptError: the line cannot interrupt.
            UnsupportedError: chip or kernel cannot debounce for so long; or the kernel is too old.
            PrivilegeError: this user may not open the chip.
            BadArgumentError: `name` is no such name, or the rest does not go together.
        """
        chip, offset = gpio_names.resolve(name)
        return cls(
            chip,
            offset,
            direction=direction,
            edge=edge,
            bias=bias,
            debounce_us=debounce_us,
            debounce=debounce,
            keep_edges=keep_edges,
        )

    @classmethod
    def list(cls) -> dict[str, str]:
        """Every line on the chips this user may open: `{"gpiochip0:17": "gpio:GPIO17"}`, with the name that stays."""
        return gpio_names.list_names()

    def __repr__(self) -> str:
        return f"<GpioLine {self.name}>"

    # Its level

    @property
    def value(self) -> bool:
        """The level of the line; true is high. Setting it drives an output.

        The kernel tells of an input it debounces the level that lasted; software debounce leaves it as it is.

        Raises:
            UsageError: an input was to be set.
            DeviceGoneError: the line has left with its chip.
            ClosedError: the line was closed.
        """
        self._check_open("read")
        try:
            return bool(self._gpio.read())
        except OSError as error:
            raise refusal(self.name, "read", error) from error

    @value.setter
    def value(self, high: bool) -> None:
        self._check_open("set")
        if not self._config.output:
            raise UsageError(f'cannot set GPIO line {self.name}: it is an input; find it with direction="out"')
        try:
            self._gpio.write(bool(high))
        except OSError as error:
            raise refusal(self.name, "set", error) from error

    # How it is set up

    @property
    def direction(self) -> Direction:
        """`in` or `out`, for as long as it is open."""
        return "out" if self._config.output else "in"

    @property
    def edge(self) -> Edge:
        """Which edges interrupt. Setting it, or `bias` or `debounce_us`, keeps the descriptor and what is queued.

        An edge that comes in the instant of a change of `edge` or `debounce_us` goes unseen.

        Raises (setting):
            BadArgumentError: no such value, or not of an output.
            NoInterruptError: the line cannot interrupt.
            UnsupportedError: chip or kernel cannot debounce for so long. After each of these it is as it was.
            DeviceGoneError: the line has left with its chip.
            ClosedError: the line was closed.
        Source: linereq_set_config and edge_detector_update in drivers/gpio/gpiolib-cdev.c.
        """
        return self._config.edge

    @edge.setter
    def edge(self, edge: Edge) -> None:
        self._change(replace(self._config, edge=edge))

    @property
    def bias(self) -> Bias:
        """The pull of the line; to set it see `edge`."""
        return self._config.bias

    @bias.setter
    def bias(self, bias: Bias) -> None:
        self._change(replace(self._config, bias=bias))

    @property
    def debounce_us(self) -> int:
        """For how long the line has to be quiet for a change to count, 0 if not debounced; to set it see `edge`."""
        return self._config.debounce_us

    @debounce_us.setter
    def debounce_us(self, debounce_us: int) -> None:
        self._change(replace(self._config, debounce_us=debounce_us))

    def _change(self, config: GpioConfig) -> None:
        self._check_open("set up")
        config.check(self.name)
        before = self._config
        if config == before:
            return
        try:
            self._tell_kernel(config)
        except OSError as error:
            with suppress(OSError, WorkLoopError):  # a refusal may have switched edges off
                self._tell_kernel(before)
            raise self._refused(config, error) from error
        self._config = config
        if isinstance(self._interrupt, DebouncedGpioInterrupt):
            self._interrupt.configure(config.period_ns, config.wanted)

    def _tell_kernel(self, config: GpioConfig) -> None:
        # A period of 0 is for those that had another: a chip that cannot debounce may refuse that, too.
        debounced = config.kernel_debounce_us or self._config.kernel_debounce_us
        gpio.set_config(
            self._gpio.fd,
            config.flags,
            debounce_us=config.kernel_debounce_us if debounced else None,
            value=self.value if config.output else None,
        )

    def _refused(self, config: GpioConfig, error: OSError) -> WorkLoopError:
        line = f"GPIO line {self.name}"
        if error.errno == errno.ENXIO and config.edge != "none":
            return NoInterruptError(
                f'{line} cannot interrupt: its chip has none for it; find it with edge="none" to read its level',
                path=self.name,
            )
        if error.errno == errno.ENXIO:
            return UnsupportedError(f"{line} cannot be debounced: its chip neither does that nor interrupts")
        if config.kernel_debounce_us != self._config.kernel_debounce_us and error.errno in NOT_SO_LONG:
            return UnsupportedError(
                f"{line} cannot be debounced for {config.debounce_us} us: its chip refuses that; "
                'take another time, or debounce="software"'
            )
        return refusal(self.name, "set up GPIO line", error)

    # Its interrupt

    def claim_interrupt(self, index: int, claimant: Claimant) -> GpioInterrupt:
        """See `InterruptProvider.claim_interrupt`."""
        self._check_open("claim the interrupt of")
        if self._config.edge == "none":
            way_out = "it is an output" if self._config.output else 'set its edge: "rising", "falling" or "both"'
            raise NoInterruptError(f"GPIO line {self.name} does not interrupt: {way_out}", path=self.name)
        self._claim.take(index, claimant)
        try:
            if self._interrupt is None:
                self._interrupt = self._make_interrupt()
            self._interrupt.forget()
        except BaseException:
            self._claim.give_back()
            raise
        return self._interrupt

    def _make_interrupt(self) -> GpioInterrupt:
        if self._config.in_software:
            return DebouncedGpioInterrupt(
                self._gpio.fd,
                self.name,
                self._claim,
                period_ns=self._config.period_ns,
                wanted=self._config.wanted,
                read_level=lambda: self.value,
                record=self._record,
            )
        if self._record is not None:
            return RecordedGpioInterrupt(self._gpio.fd, self.name, self._claim, self._record)
        return GpioInterrupt(self._gpio.fd, self.name, self._claim)

    def take_edges(self) -> Sequence[GpioEdge]:
        """The edges the source on this line has counted and nobody took yet, oldest first, debounced as it is.

        Each is a time stamp and whether it rose. More than `keep_edges` push out the oldest; see `edges_dropped`.

        Context: any thread, gate held; for the action of the source, or of another on the same loop.
        Raises:
            UsageError: the line was not opened with `keep_edges`.
        """
        return self._kept().take()

    @property
    def edges_dropped(self) -> int:
        """Edges that were counted, but pushed out before somebody took them. Raises: as `take_edges`."""
        return self._kept().dropped

    def _kept(self) -> EdgeRecord:
        if self._record is None:
            raise UsageError(f"GPIO line {self.name} only counts its edges; find it with keep_edges=64, or so")
        return self._record

    # Its end

    def invalidate(self, reason: str) -> None:
        """Nothing is mapped."""

    def close(self) -> None:
        """Close the source on the line, then the line. Twice is fine."""
        self._claim.revoke()
        gpio_line, self._gpio = self._gpio, None
        interrupt, self._interrupt = self._interrupt, None
        if interrupt is not None:
            interrupt.close()
        if gpio_line is not None:
            gpio_line.close()

    def __enter__(self) -> GpioLine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _check_open(self, operation: str) -> None:
        if self._gpio is None:
            raise ClosedError(f"cannot {operation} {self.name}: it is closed; find it again")
