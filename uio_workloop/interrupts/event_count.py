"""Differences of the kernel's wrapping 32-bit interrupt totals. Pure."""

from __future__ import annotations

MODULUS = 1 << 32


class EventCount:
    """What a total has grown by since it was last looked at.

    The kernel counts a UIO device's interrupts in 32 bits and lets the total wrap, so two totals are never compared
    with `<`: their difference modulo 2^32 is the count. Growth by an exact multiple of 2^32 between two looks cannot
    be seen; at 100 kHz that is half a day without a single look.

    Source: struct uio_device.event in include/linux/uio_driver.h; Linux prints it signed here, unsigned there.
    """

    __slots__ = ("_last",)

    def __init__(self, total: int) -> None:
        self._last = total

    def advance(self, total: int) -> int:
        """Growth since the last total, 0 or more, whatever the sign `total` was printed with."""
        grown = (total - self._last) % MODULUS
        self._last = total
        return grown
