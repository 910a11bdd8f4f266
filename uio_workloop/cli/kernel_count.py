"""What the kernel says of a UIO device's interrupts, for checking what was delivered against it."""

from __future__ import annotations

from typing import Final

from uio_workloop import PciDevice, UioDevice

MODULUS: Final = 1 << 32


class KernelCount:
    """The growth of a device's event count since the demo took its line.

    A line that its kernel driver can mask stands still between being claimed and being enabled, and `begin` then sees
    where it starts. One that cannot be masked may interrupt between the claim and `begin`; those interrupts are
    delivered, but not in the growth. They are no more than what came since the device was opened, so that many
    deliveries too many are nobody's fault.
    """

    def __init__(self, device: UioDevice | PciDevice) -> None:
        self._device = device
        self._start = device.event_count
        self._doubtful = 0

    def begin(self) -> None:
        """Start to count. Call it when the line is claimed and its source not yet enabled."""
        opened, self._start = self._start, self._device.event_count
        self._doubtful = (self._start - opened) % MODULUS

    def outstanding(self, delivered: int) -> int:
        """Interrupts the kernel has counted that are not among the `delivered`; negative if those are too many."""
        behind = signed((self._device.event_count - self._start - delivered) % MODULUS)
        return behind if behind >= 0 else min(0, behind + self._doubtful)


def signed(difference: int) -> int:
    """A difference modulo 2^32 as the number nearest to zero: two counts that wrap are never far apart."""
    return difference - MODULUS if difference >= MODULUS // 2 else difference
