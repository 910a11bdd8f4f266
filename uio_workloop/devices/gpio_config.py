"""What a GPIO line can be told to be, checked, and in the kernel's words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from uio_workloop._linux import gpio
from uio_workloop.clock import MICROSECOND_NS
from uio_workloop.errors import BadArgumentError

Direction = Literal["in", "out", "high", "low"]
"""`high` and `low` are outputs that begin so; `out` begins low."""
Edge = Literal["none", "rising", "falling", "both"]
Bias = Literal["default", "pull_up", "pull_down", "disable"]
Debounce = Literal["kernel", "software"]

DIRECTIONS: Final = get_args(Direction)
DEBOUNCERS: Final = get_args(Debounce)
LONGEST_DEBOUNCE_US: Final = (1 << 32) - 1  # what the kernel's field holds

EDGES: Final[dict[str, int]] = {
    "none": 0,
    "rising": gpio.EDGE_RISING,
    "falling": gpio.EDGE_FALLING,
    "both": gpio.EDGE_RISING | gpio.EDGE_FALLING,
}
WANTED: Final[dict[str, frozenset[bool]]] = {
    "none": frozenset(),
    "rising": frozenset({True}),
    "falling": frozenset({False}),
    "both": frozenset({True, False}),
}
BIASES: Final[dict[str, int]] = {
    "default": 0,
    "pull_up": gpio.BIAS_PULL_UP,
    "pull_down": gpio.BIAS_PULL_DOWN,
    "disable": gpio.BIAS_DISABLED,
}


@dataclass(frozen=True, slots=True)
class GpioConfig:
    """How one line is set up."""

    output: bool = False
    edge: Edge = "none"
    bias: Bias = "default"
    debounce_us: int = 0
    debounce: Debounce = "kernel"

    def check(self, name: str) -> None:
        """Refuse what no line can be.

        Raises:
            BadArgumentError: with `name` in its sentence.
        """
        if self.edge not in tuple(EDGES):
            raise BadArgumentError(f"GPIO line {name} cannot interrupt on edge {self.edge!r}; {_one_of(EDGES)}")
        if self.bias not in tuple(BIASES):
            raise BadArgumentError(f"GPIO line {name} has no bias {self.bias!r}; {_one_of(BIASES)}")
        if self.debounce not in DEBOUNCERS:
            raise BadArgumentError(f"GPIO line {name} is not debounced by {self.debounce!r}; {_one_of(DEBOUNCERS)}")
        if not (isinstance(self.debounce_us, int) and 0 <= self.debounce_us <= LONGEST_DEBOUNCE_US):
            raise BadArgumentError(
                f"GPIO line {name} cannot be debounced for {self.debounce_us!r} us; write 0 to {LONGEST_DEBOUNCE_US}"
            )
        if self.debounce == "software" and not self.debounce_us:
            raise BadArgumentError(f"GPIO line {name} has nothing to debounce for; say how long: debounce_us=5000")
        if self.output and (self.edge != "none" or self.debounce_us):
            raise BadArgumentError(
                f"GPIO line {name} is an output, which has no edges; to interrupt or debounce open it as an input"
            )

    @property
    def flags(self) -> int:
        """For the kernel. Both edges if they are debounced here: a bounce has both."""
        if self.output:
            return gpio.OUTPUT | BIASES[self.bias]
        edge = "both" if self.in_software and self.edge != "none" else self.edge
        return gpio.INPUT | EDGES[edge] | BIASES[self.bias]

    @property
    def in_software(self) -> bool:
        """Whether it is debounced here."""
        return self.debounce == "software"

    @property
    def kernel_debounce_us(self) -> int:
        """What the kernel is asked for."""
        return 0 if self.in_software else self.debounce_us

    @property
    def period_ns(self) -> int:
        return self.debounce_us * MICROSECOND_NS

    @property
    def wanted(self) -> frozenset[bool]:
        """The changes that interrupt; true is rising."""
        return WANTED[self.edge]


def _one_of(words: Iterable[str]) -> str:
    return f"write one of {tuple(words)}"
