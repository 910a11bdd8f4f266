"""Which devices a driver is for: conditions on a description, combined with `&` and `|`. Pure.

Every rule can say why it refuses a device.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from uio_workloop.devices.device_description import DeviceDescription
from uio_workloop.errors import BadArgumentError

PCI_IDENTITY = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}", re.IGNORECASE)


class MatchRule(ABC):
    """A condition that a device meets or not.

    IOKit: a personality's matching dictionary; the score is IOProbeScore before `probe`.
    """

    concerns_gpio: bool = False
    """Whether lines of GPIO chips can meet it; they are looked at only then."""

    @abstractmethod
    def refusal(self, device: DeviceDescription) -> str | None:
        """Why the device does not meet the condition, in a few words; None if it does."""

    def score(self, device: DeviceDescription) -> int | None:
        """How many conditions the device meets, None if it is refused: a rule that asks for more beats one for less."""
        return 1 if self.refusal(device) is None else None

    def __and__(self, other: MatchRule) -> MatchRule:
        """Both: the scores add up."""
        if not isinstance(other, MatchRule):
            return NotImplemented
        return _Both(self, other)

    def __or__(self, other: MatchRule) -> MatchRule:
        """One of them will do: the better score counts."""
        if not isinstance(other, MatchRule):
            return NotImplemented
        return _Either(self, other)


@dataclass(frozen=True)
class PciId(MatchRule):
    """A PCI card of this vendor and device: `PciId("1234:11e8")`.

    Raises (construction):
        BadArgumentError: it is no such identity.
    """

    identity: str

    def __post_init__(self) -> None:
        if not (isinstance(self.identity, str) and PCI_IDENTITY.fullmatch(self.identity)):
            raise BadArgumentError(f"{self.identity!r} is no PCI identity: write vendor and device as 1234:11e8")

    def refusal(self, device: DeviceDescription) -> str | None:
        if device.pci_id is None:
            return "it is no PCI card"
        wanted = self.identity.lower()
        return None if device.pci_id == wanted else f"its PCI identity is {device.pci_id}, not {wanted}"


@dataclass(frozen=True)
class UioName(MatchRule):
    """A UIO device whose kernel driver calls it so: `UioName("uio_dummy.0")`."""

    name: str

    def __post_init__(self) -> None:
        _check_words(self, self.name)

    def refusal(self, device: DeviceDescription) -> str | None:
        if device.uio_name is None:
            return "it is no UIO device"
        return None if device.uio_name == self.name else f"its UIO name is {device.uio_name}, not {self.name}"


@dataclass(frozen=True)
class Compatible(MatchRule):
    """A device that the device tree calls compatible with this: `Compatible("ti,pruss-v1")`."""

    compatible: str

    def __post_init__(self) -> None:
        _check_words(self, self.compatible)

    def refusal(self, device: DeviceDescription) -> str | None:
        if self.compatible in device.compatible:
            return None
        known = ", ".join(device.compatible) or "nothing"
        return f"the device tree calls it compatible with {known}, not {self.compatible}"


@dataclass(frozen=True)
class UdevProperty(MatchRule):
    """A device with this udev property: `UdevProperty("ID_PATH", "pci-0000:00:04.0")`."""

    key: str
    value: str

    def __post_init__(self) -> None:
        _check_words(self, self.key, self.value)

    def refusal(self, device: DeviceDescription) -> str | None:
        value = device.properties.get(self.key)
        if value is None:
            return f"it has no udev property {self.key}"
        return None if value == self.value else f"its udev property {self.key} is {value}, not {self.value}"


@dataclass(frozen=True)
class GpioName(MatchRule):
    """A GPIO line by its own name, `GpioName("button")`, its chip's label, `"pinctrl-rp1/17"`, or `"gpiochip0:17"`."""

    name: str
    concerns_gpio = True

    def __post_init__(self) -> None:
        _check_words(self, self.name)

    def refusal(self, device: DeviceDescription) -> str | None:
        if not device.gpio_names:
            return "it is no GPIO line"
        return None if self.name in device.gpio_names else f"its names are {', '.join(device.gpio_names)}"


def _check_words(rule: MatchRule, *words: object) -> None:
    """What no device can be called would be waited for in silence."""
    if not all(isinstance(word, str) and word for word in words):
        raise BadArgumentError(f"{rule!r} can match no device: it takes words that are not empty")


class _Combined(MatchRule):
    def __init__(self, one: MatchRule, other: MatchRule) -> None:
        self._rules = (one, other)
        self.concerns_gpio = one.concerns_gpio or other.concerns_gpio

    def _refusals(self, device: DeviceDescription) -> list[str]:
        reasons = (rule.refusal(device) for rule in self._rules)
        return list(dict.fromkeys(reason for reason in reasons if reason is not None))

    def _scores(self, device: DeviceDescription) -> list[int]:
        return [score for rule in self._rules if (score := rule.score(device)) is not None]


class _Both(_Combined):
    def __repr__(self) -> str:
        return f"({self._rules[0]!r} & {self._rules[1]!r})"

    def refusal(self, device: DeviceDescription) -> str | None:
        return "; ".join(self._refusals(device)) or None

    def score(self, device: DeviceDescription) -> int | None:
        scores = self._scores(device)
        return sum(scores) if len(scores) == len(self._rules) else None


class _Either(_Combined):
    def __repr__(self) -> str:
        return f"({self._rules[0]!r} | {self._rules[1]!r})"

    def refusal(self, device: DeviceDescription) -> str | None:
        return "; ".join(self._refusals(device)) if self.score(device) is None else None

    def score(self, device: DeviceDescription) -> int | None:
        return max(self._scores(device), default=None)
