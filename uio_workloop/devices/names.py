"""One grammar for the names of devices, and the sentence for a name that does not resolve. Pure: nothing is looked up.

Numbers such as `/dev/uio0` change from boot to boot; `pci:`, `uio:`, `of:`, `udev:` and `gpio:` names do not.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from uio_workloop.errors import BadArgumentError, DeviceError, DeviceNotFoundError

FORMS: Final = (
    "/dev/uio0, uio:NAME, pci:0000:00:04.0, 1234:11e8 (the second such card 1234:11e8#2), irq:39, of:NODE, "
    "udev:PROPERTY=VALUE, gpiochip0:17, gpio:LABEL/17 or gpio:LINE_NAME"
)
MOST_LISTED = 8
MOST_SHOWN = 100  # characters of a name, in a sentence


@dataclass(frozen=True, slots=True)
class UioNode:
    """`/dev/uio0`, `uio0`, or any link to a UIO device's node."""

    path: str
    kind: ClassVar[str] = "a UIO device"
    opener: ClassVar[str] = "UioDevice.find"

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class UioName:
    """`uio:NAME`: what its kernel driver calls the device."""

    name: str
    kind: ClassVar[str] = "a UIO device"
    opener: ClassVar[str] = "UioDevice.find"

    def __str__(self) -> str:
        return f"uio:{self.name}"


@dataclass(frozen=True, slots=True)
class PciAddress:
    """`pci:0000:00:04.0`; the prefix can be left out."""

    address: str
    kind: ClassVar[str] = "a PCI device"
    opener: ClassVar[str] = "PciDevice.find"

    def __str__(self) -> str:
        return f"pci:{self.address}"


@dataclass(frozen=True, slots=True)
class PciIdentity:
    """`1234:11e8`: vendor and device; `#2` is the second such card in order of address."""

    vendor: str
    device: str
    which: int = 1
    kind: ClassVar[str] = "a PCI device"
    opener: ClassVar[str] = "PciDevice.find"

    def __str__(self) -> str:
        return f"{self.vendor}:{self.device}" + (f"#{self.which}" if self.which > 1 else "")


@dataclass(frozen=True, slots=True)
class IrqNumber:
    """`irq:39`: the UIO device that has this interrupt."""

    number: int
    kind: ClassVar[str] = "a UIO device by its interrupt"
    opener: ClassVar[str] = "find_device"

    def __str__(self) -> str:
        return f"irq:{self.number}"


@dataclass(frozen=True, slots=True)
class OfNode:
    """`of:NODE`: a device-tree node, as `pruss`, `pruss@4a300000` or the whole path."""

    node: str
    kind: ClassVar[str] = "a device by its device-tree node"
    opener: ClassVar[str] = "find_device"

    def __str__(self) -> str:
        return f"of:{self.node}"


@dataclass(frozen=True, slots=True)
class UdevProperty:
    """`udev:PROPERTY=VALUE`, of the device or of the one it sits on."""

    key: str
    value: str
    kind: ClassVar[str] = "a device by a udev property"
    opener: ClassVar[str] = "find_device"

    def __str__(self) -> str:
        return f"udev:{self.key}={self.value}"


@dataclass(frozen=True, slots=True)
class GpioOffset:
    """`gpiochip0:17`."""

    chip: str
    offset: int
    kind: ClassVar[str] = "a GPIO line"
    opener: ClassVar[str] = "GpioLine.find"

    def __str__(self) -> str:
        return f"{self.chip}:{self.offset}"


@dataclass(frozen=True, slots=True)
class GpioName:
    """`gpio:LINE_NAME`, what the board calls the line, or `gpio:LABEL/17`, a line of the chip with this label.

    A line's own name may look like the latter, so that the two are told apart by what there is.
    """

    line: str
    kind: ClassVar[str] = "a GPIO line"
    opener: ClassVar[str] = "GpioLine.find"

    def __str__(self) -> str:
        return f"gpio:{self.line}"


Name = UioNode | UioName | PciAddress | PciIdentity | IrqNumber | OfNode | UdevProperty | GpioOffset | GpioName

# Compiled by re, which keeps them, when a name is to be parsed: most of what importing this module would cost.
_GPIO_OFFSET = r"(?:/dev/)?(gpiochip[0-9]+):([0-9]{1,9})"  # longer numbers are no number of anything
_ADDRESS = r"(?i)[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
_CHIP = r"(?:/dev/)?(gpiochip[0-9]+)/?"
_SHORT_ADDRESS = r"(?i)(?:pci:)?(?:0{1,3}:)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])"
_IDENTITY = r"(?i)([0-9a-f]{4}):([0-9a-f]{4})(?:#([1-9][0-9]{0,5}))?"
_NUMBER = r"[0-9]{1,9}"
_PROPERTY = r"([^=]+)=(.+)"
_NODE = r"uio[0-9]+"


def parse(name: str) -> Name:
    """What kind of name this is, and its parts.

    Raises:
        BadArgumentError: it has none of the forms.
    """
    if not isinstance(name, str):
        raise BadArgumentError(f"{shown(name)} names no device: write {FORMS}")
    if match := re.fullmatch(_GPIO_OFFSET, name):
        return GpioOffset(match[1], int(match[2]))
    prefix, colon, rest = name.partition(":")
    parsed = _PREFIXED[prefix](rest) if colon and prefix in _PREFIXED else _without_prefix(name)
    if parsed is None:
        raise BadArgumentError(f"{shown(name)} names no device: {_advice(name)}write {FORMS}")
    return parsed


def is_pci_address(text: object) -> bool:
    """Whether it is an address as the kernel writes them: `0000:00:04.0`."""
    return isinstance(text, str) and re.fullmatch(_ADDRESS, text) is not None


def shown(name: object) -> str:
    """What somebody gave as a name, quoted, on one line, and not too long for a sentence."""
    text = repr(name)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def plain(name: str) -> str:
    """A name without quotes, if it can go without."""
    return name if name.isprintable() and name.strip() and len(name) <= MOST_SHOWN else shown(name)


def _without_prefix(name: str) -> Name | None:
    if match := re.fullmatch(_IDENTITY, name):
        return PciIdentity(match[1].lower(), match[2].lower(), int(match[3] or 1))
    if re.fullmatch(_ADDRESS, name):
        return PciAddress(name.lower())
    if re.fullmatch(_NODE, name):
        return UioNode(f"/dev/{name}")
    return UioNode(name) if "/" in name and not re.fullmatch(_CHIP, name) else None


def _uio(rest: str) -> Name | None:
    return UioName(rest) if rest else None


def _pci(rest: str) -> Name | None:
    return PciAddress(rest.lower()) if re.fullmatch(_ADDRESS, rest) else None


def _irq(rest: str) -> Name | None:
    return IrqNumber(int(rest)) if re.fullmatch(_NUMBER, rest) else None


def _of(rest: str) -> Name | None:
    return OfNode(rest) if rest else None


def _udev(rest: str) -> Name | None:
    match = re.fullmatch(_PROPERTY, rest)
    return UdevProperty(match[1], match[2]) if match else None


def _gpio(rest: str) -> Name | None:
    return GpioName(rest) if rest else None


_PREFIXED: Final[dict[str, Callable[[str], Name | None]]] = {
    "uio": _uio,
    "pci": _pci,
    "irq": _irq,
    "of": _of,
    "udev": _udev,
    "gpio": _gpio,
}


def _advice(name: str) -> str:
    """What somebody who wrote that may have meant."""
    import difflib  # here: most names resolve

    if match := re.fullmatch(_SHORT_ADDRESS, name):
        return f"a PCI address begins with its domain, so perhaps pci:0000:{match[1].lower()}; "
    if match := re.fullmatch(_CHIP, name):
        return f"that is a GPIO chip, and a line of it is perhaps {match[1]}:17; "
    tidy = name.strip().lower().replace("0x", "").removeprefix("pci:")
    if "/" not in tidy and (meant := _without_prefix(tidy)) is not None:
        return f"perhaps {meant}; "
    prefix, colon, rest = name.partition(":")
    if (
        colon
        and prefix not in _PREFIXED
        and (near := difflib.get_close_matches(prefix.lower(), _PREFIXED, 1, cutoff=0.7))
    ):
        return f"perhaps {near[0]}:{rest}; "
    return ""


def wrong_kind(name: str, wanted: Name, what: str) -> BadArgumentError:
    """The error for a name that is one, but not of what is looked for, which is `what`: "a UIO device"."""
    any_kind = "" if wanted.opener == "find_device" else "; find_device opens any kind"
    return BadArgumentError(f"{shown(name)} names {wanted.kind}, not {what}: {wanted.opener} opens it{any_kind}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A device that is there.

    Args:
        key: what opens it: `/dev/uio0`, or a PCI address.
        description: for people.
        names: every name it answers to, in the order in which they are worth proposing.
        pci_address: of the function it is or sits on.
    """

    key: str
    description: str
    names: tuple[str, ...]
    pci_address: str | None = None

    def __str__(self) -> str:
        return f"{self.key} ({self.description})"


def resolve(wanted: Name, entries: Sequence[Entry], what: str) -> Entry:
    """The one entry of that name.

    Args:
        wanted: the name.
        entries: the devices that were looked at.
        what: they are: "UIO device".

    Raises:
        DeviceNotFoundError: none has it; the sentence says what was looked at and what would have matched.
        DeviceError: several have it; the sentence says which, and a name for each that only it has.
    """
    found = [entry for entry in entries if str(wanted) in entry.names]
    if len(found) > 1:
        raise _ambiguous(wanted, found, entries, what)
    if not found:
        raise not_found(wanted, entries, what)
    return found[0]


def not_found(wanted: Name, entries: Sequence[Entry], what: str) -> DeviceNotFoundError:
    """The error that says what there is instead."""
    import difflib  # see _advice

    beginning = f"there is no {what} {plain(str(wanted))}; "
    if not entries:
        return DeviceNotFoundError(f"{beginning}there is no {what} at all on this machine", path=str(wanted))
    names = list(dict.fromkeys(name for entry in entries for name in entry.names))
    alike = [name for name in names if _form(name) == _form(str(wanted))]
    would_do = difflib.get_close_matches(str(wanted), alike or names, 3) or alike
    if would_do:
        return DeviceNotFoundError(f"{beginning}names that would do: {_listed(would_do)}", path=str(wanted))
    there_are = _listed([str(entry) for entry in entries])
    return DeviceNotFoundError(f"{beginning}none has a name of that form; there are: {there_are}", path=str(wanted))


def _ambiguous(wanted: Name, found: Sequence[Entry], entries: Sequence[Entry], what: str) -> DeviceError:
    own = [next((name for name in entry.names if _is_only(name, entries)), entry.key) for entry in found]
    return DeviceError(
        f"{wanted} is the name of {len(found)} {what}s: {_listed([str(entry) for entry in found])}; "
        f"choose one by a name of its own: {_listed(own)}",
        code=errno.ENOTUNIQ,
        path=str(wanted),
    )


def _is_only(name: str, entries: Sequence[Entry]) -> bool:
    return sum(name in entry.names for entry in entries) == 1


def _form(name: str) -> str:
    """What two names have in common that could be mixed up."""
    if name.startswith("udev:"):
        return name.partition("=")[0]
    if "/" in name and ":" not in name:
        return "/dev/uio0"
    if re.fullmatch(_IDENTITY, name):
        return "1234:11e8"
    return name.partition(":")[0]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_LISTED
    return ", ".join(names[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
