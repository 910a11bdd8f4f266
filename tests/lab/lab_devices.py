"""The lab's devices, from the outside."""

from __future__ import annotations

import os

from uio_workloop import UioDevice


class Dummy:
    """A device of uio_dummy: the open UIO device, and the sysfs attributes that make it interrupt."""

    RAISED, TAKEN, PASSED, LAST_RAISE_NS, STATUS = 0x08, 0x10, 0x18, 0x20, 0x28

    def __init__(self, number: int) -> None:
        self.platform_name = f"uio_dummy.{number}"
        self.device = UioDevice.find(f"uio:{self.platform_name}")
        self.registers = self.device.map(0)
        self._raise_fd = os.open(f"/sys/devices/platform/{self.platform_name}/raise", os.O_WRONLY | os.O_CLOEXEC)

    def cause(self, n: int = 1) -> None:
        """Raise `n` interrupts; returns when the last is injected."""
        os.pwrite(self._raise_fd, b"%d" % n, 0)

    def acknowledge(self) -> None:
        self.registers.write32(self.STATUS, 0)

    @property
    def raised(self) -> int:
        return self.registers.read64(self.RAISED)

    @property
    def last_raise_ns(self) -> int:
        return self.registers.read64(self.LAST_RAISE_NS)

    def unbind(self) -> None:
        """The device leaves."""
        write("/sys/bus/platform/drivers/uio_dummy/unbind", self.platform_name)

    def close(self) -> None:
        os.close(self._raise_fd)
        self.device.close()


class EduRegisters:
    """QEMU's edu card, BAR 0. Source: docs/specs/edu.rst of QEMU."""

    IDENTITY, LIVENESS, STATUS, RAISE, ACKNOWLEDGE = 0x00, 0x04, 0x24, 0x60, 0x64


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
