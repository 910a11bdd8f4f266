"""Subjects that misbehave."""

from __future__ import annotations

from uio_workloop import DeviceGoneError, SoftwareInterrupt
from uio_workloop.cli.subjects import SoftwareSubject


class MiscountingSubject(SoftwareSubject):
    """Claims to have raised `surplus` more interrupts than it did."""

    surplus = 3

    def outstanding(self, delivered: int) -> int | None:
        return super().outstanding(delivered - self.surplus)


class BoastingSubject(MiscountingSubject):
    """Owns up to fewer interrupts than it raised."""

    surplus = -3


class BrokenSubject(SoftwareSubject):
    """Cannot be acknowledged."""

    def acknowledge(self) -> None:
        raise ZeroDivisionError("a bug in a subject")


class SilentSubject(SoftwareSubject):
    """Raises nothing."""

    def start(self, loop) -> None:
        pass


class LeavingInterrupt(SoftwareInterrupt):
    """Its third drain finds the device gone."""

    drains = 0

    def drain(self) -> int:
        self.drains += 1
        if self.drains > 3:
            raise DeviceGoneError("the board was unplugged")
        return super().drain()


class LeavingSubject(SoftwareSubject):
    """Leaves during the run."""

    def __init__(self) -> None:
        super().__init__()
        self.provider.close()
        self.provider = LeavingInterrupt()
