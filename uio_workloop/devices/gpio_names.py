"""From a name to a GPIO line: which chips and lines there are, and which of them is meant.

The kernel numbers its chips in the order it finds them, and the header of a Raspberry Pi has been gpiochip0 and
gpiochip4. Labels come from the chip's driver and stay but for a new driver; line names come from the board's device
tree and stay. The kernel does not care whether they are unique, so a name may mean several lines.
"""

from __future__ import annotations

import errno
from collections import Counter
from dataclasses import dataclass

from uio_workloop.devices.gpio_chip import GpioChip, chip_names
from uio_workloop.devices.names import GpioName, GpioOffset, parse, shown, wrong_kind
from uio_workloop.errors import BadArgumentError, DeviceError, DeviceGoneError, DeviceNotFoundError, PrivilegeError

PREFIX = "gpio:"
SHOWN = 8  # chips in a sentence: a machine may have dozens
NEAR = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chip, and what it is called."""

    chip: str
    label: str
    offset: int
    name: str

    @property
    def address(self) -> str:
        """What the kernel calls it today: `gpiochip0:17`."""
        return f"{self.chip}:{self.offset}"

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called after `gpio:`, the best first."""
        by_label = f"{self.label}/{self.offset}"
        return (self.name, by_label) if self.name else (by_label,)


def resolve(name: str) -> tuple[str, int]:
    """The chip and the offset of a line; chips are looked at if it is not named by these already.

    Raises:
        BadArgumentError: `name` is no such name.
        DeviceNotFoundError: no line is called so; the sentence says where it was looked for, and what comes near.
        DeviceError: several lines are; the sentence lists them. Its errno is ENOTUNIQ.
        UnsupportedError: the kernel is too old to say.
        PrivilegeError: none is, but there are chips that this user may not open.
    """
    parsed = _parse(name)
    if isinstance(parsed, GpioOffset):
        return parsed.chip, parsed.offset
    wanted = parsed.line
    lines, unreadable = _survey()
    if unreadable and not any(wanted in line.names for line in lines):
        raise PrivilegeError(
            f"cannot look for {shown(name)} on every chip: {unreadable[0]}", path=name
        ) from unreadable[0]
    line = choose(wanted, lines)
    return line.chip, line.offset


def _parse(name: str) -> GpioOffset | GpioName:
    try:
        parsed = parse(name)
    except BadArgumentError:  # which tells of every other kind of device, too
        raise BadArgumentError(
            f"{shown(name)} names no GPIO line: write chip and offset as gpiochip0:17, or what stays when chips are "
            "renumbered: gpio:LABEL/17 or gpio:LINE_NAME"
        ) from None
    if isinstance(parsed, GpioOffset | GpioName):
        return parsed
    raise wrong_kind(name, parsed, "a GPIO line")


def choose(wanted: str, lines: list[Line]) -> Line:
    """The one line that is called so. Raises: as `resolve`."""
    called_so = [line for line in lines if wanted in line.names]
    if len(called_so) == 1:
        return called_so[0]
    name = PREFIX + wanted
    if called_so:
        durable = durable_names(lines)
        meant = ", ".join(_with_name(line.address, durable[line.address]) for line in called_so)
        raise DeviceError(
            f"{shown(name)} names {len(called_so)} GPIO lines: {meant}; write one of these",
            code=errno.ENOTUNIQ,
            path=name,
        )
    raise DeviceNotFoundError(
        f"there is no GPIO line {shown(name)}: {_looked_at(lines)}{_near(wanted, lines)}", path=name
    )


def durable_names(lines: list[Line]) -> dict[str, str]:
    """The address of every line, and the best name that only it has; the address again if it has none."""
    bearers = Counter(name for line in lines for name in line.names)
    return {
        line.address: next((PREFIX + name for name in line.names if bearers[name] == 1), line.address) for line in lines
    }


def list_names() -> dict[str, str]:
    """`durable_names` of every line on the chips that this user may open."""
    return durable_names(_survey()[0])


def _survey() -> tuple[list[Line], list[PrivilegeError]]:
    """Every line there is, in order; and the refusals of chips that this user may not open."""
    lines: list[Line] = []
    refusals: list[PrivilegeError] = []
    for chip in chip_names():
        try:
            lines += _lines_of(chip)
        except PrivilegeError as refused:
            refusals.append(refused)
        except (DeviceNotFoundError, DeviceGoneError):
            continue  # left since the directory was read
    return lines, refusals


def _lines_of(name: str) -> list[Line]:
    with GpioChip(name) as chip:
        return [Line(name, chip.label, offset, chip.line_info(offset).name) for offset in range(chip.lines)]


def _with_name(address: str, durable: str) -> str:
    return address if durable == address else f"{address} ({durable})"


def _looked_at(lines: list[Line]) -> str:
    chips = Counter((line.chip, line.label) for line in lines)
    if not chips:
        return "there is no GPIO chip on this machine"
    shown = [f"{chip} ({label}, {count} line{'s' if count > 1 else ''})" for (chip, label), count in chips.items()]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return f"looked at {', '.join(shown[:SHOWN])}{more}"


def _near(wanted: str, lines: list[Line]) -> str:
    """Names that somebody may have meant; capitals are no difference."""
    import difflib  # here: most names resolve

    names = {name.casefold(): name for line in lines for name in line.names}
    near = difflib.get_close_matches(wanted.casefold(), names, n=NEAR)
    return f"; near it: {', '.join(PREFIX + names[each] for each in near)}" if near else ""
