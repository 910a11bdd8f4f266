"""/sys/kernel/irq: what the kernel knows of an interrupt. Source: Documentation/ABI/testing/sysfs-kernel-irq."""

from __future__ import annotations

import os

ROOT = "/sys/kernel/irq"


def numbers_of(action: str) -> set[int]:
    """Every interrupt with a handler of that name; several devices can have handlers of one name."""
    return {int(number) for number in _with_handler(action)}


def types_of(action: str) -> set[str]:
    """The trigger types, `level` or `edge`, of every interrupt with a handler of that name."""
    types = set()
    for number in _with_handler(action):
        try:
            types.add(_read(number, "type"))
        except OSError:
            continue
    return types


def _with_handler(action: str) -> list[str]:
    found = []
    for number in os.listdir(ROOT) if os.path.isdir(ROOT) else ():
        try:
            if action in _read(number, "actions").split(","):
                found.append(number)
        except OSError:  # freed between the listing and the look
            continue
    return found


def _read(number: str, attribute: str) -> str:
    with open(f"{ROOT}/{number}/{attribute}") as file:
        return file.read().strip()
