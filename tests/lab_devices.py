"""The lab's devices, from the outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uio_workloop import UioDevice
from uio_workloop._linux import pci
from uio_workloop.testing.lab import guest

LINE = 7  # of the simulated GPIO chip; any free one


def load_dummy(**parameters: object) -> None:
    """Load uio_dummy anew."""
    subprocess.run(["modprobe", "-r", "uio_dummy"], check=True, capture_output=True)
    arguments = [f"{name}={value}" for name, value in parameters.items()]
    subprocess.run(["modprobe", "uio_dummy", *arguments], check=True, capture_output=True)


def rebind_dummy(number: int) -> None:
    """Unbind a device of uio_dummy from its driver and bind it again: it begins anew, with the same parameters."""
    for step in ("unbind", "bind"):
        write(f"/sys/bus/platform/drivers/uio_dummy/{step}", f"uio_dummy.{number}")


class Dummy:
    """A device of uio_dummy: the open UIO device, and the sysfs attributes that make it interrupt."""

    RAISED, TAKEN, PASSED, LAST_RAISE_NS, STATUS, MASKED = 0x08, 0x10, 0x18, 0x20, 0x28, 0x2C

    def __init__(self, number: int) -> None:
        self.platform_name = f"uio_dummy.{number}"
        directory = Path("/sys/devices/platform") / self.platform_name
        (uio,) = (directory / "uio").iterdir()  # many times as fast as by its name, and many tests open one
        self.device = UioDevice.find(f"/dev/{uio.name}")
        self.registers = self.device.map(0)
        self._raise_fd = os.open(directory / "raise", os.O_WRONLY | os.O_CLOEXEC)

    def cause(self, n: int = 1) -> None:
        """Raise `n` interrupts; returns when the last is injected."""
        os.pwrite(self._raise_fd, b"%d" % n, 0)

    def acknowledge(self) -> None:
        self.registers.write32(self.STATUS, 0)

    @property
    def raised(self) -> int:
        return self.registers.read64(self.RAISED)

    @property
    def masked(self) -> bool:
        """Whether irqcontrol or the handler has masked the line."""
        return bool(self.registers.read32(self.MASKED))

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


class Toggle:
    """Makes edges from outside, as a wire would, none before the kernel's interrupt thread has numbered the last.

    Edges closer than that fold into one before they get a sequence number, so nobody could account for them. The
    thread runs at real-time priority: on the same processor it preempts whoever makes the edge, at once.
    """

    def __init__(self) -> None:
        self.high = False
        self.made = 0
        for thread in interrupt_threads("uio_work"):
            os.sched_setaffinity(thread, {0})
        os.sched_setaffinity(0, {0})

    def __call__(self, n: int) -> None:
        for _ in range(n):
            self.high = not self.high
            guest.set_gpio(LINE, self.high)
        self.made += n


def interrupt_threads(handler: str) -> list[int]:
    """The kernel threads `irq/NUMBER-HANDLER`; the kernel cuts names to 15 characters."""
    comms = {int(path.parent.name): path.read_text() for path in Path("/proc").glob("[0-9]*/comm")}
    return [pid for pid, comm in comms.items() if comm.startswith("irq/") and handler in comm]


@contextmanager
def patient_kernel() -> Iterator[None]:
    """A kernel that does not give up on lines nobody answers, of those that get their first handler in this block.

    It counts interrupts, and of those an emulated line makes ten thousand at a stretch, while the processors that could
    quiet it wait for their host: whether it comes to a hundred thousand is a matter of luck.

    Source: noirqdebug in kernel/irq/spurious.c; ioapic_eoi_broadcast in hw/intc/ioapic.c of QEMU.
    """
    write("/sys/module/spurious/parameters/noirqdebug", "Y")
    try:
        yield
    finally:
        write("/sys/module/spurious/parameters/noirqdebug", "N")


def unanswered(address: str) -> int:
    """How many interrupts nobody felt responsible for, on the line of this card, since it last got a handler.

    Source: kernel/irq/spurious.c; the kernel gives up on a line if there are 99,900 in 100,000.
    """
    number = Path(f"/sys/bus/pci/devices/{address}/irq").read_text().strip()
    words = Path(f"/proc/irq/{number}/spurious").read_text().split()
    return int(words[words.index("unhandled") + 1])


def run(*words: str) -> str:
    """What a command printed; it has to succeed."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def card_state(address: str) -> tuple[str | None, str]:
    """Which driver has the card, and which alone may."""
    return pci.driver(address), pci.driver_override(address)


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


@contextmanager
def gpio_chip(label: str, /, *, lines: int = 8, **names: int) -> Iterator[str]:
    """Another simulated chip, some of its lines named: its name, `gpiochip1`."""
    chip = Path("/sys/kernel/config/gpio-sim") / f"test_{label}"
    bank = chip / "bank0"
    bank.mkdir(parents=True)
    (bank / "label").write_text(label)
    (bank / "num_lines").write_text(str(lines))
    named = [bank / f"line{offset}" for offset in names.values()]
    for line, name in zip(named, names, strict=True):
        line.mkdir()
        (line / "name").write_text(name)
    (chip / "live").write_text("1")
    try:
        yield (bank / "chip_name").read_text().strip()
    finally:
        (chip / "live").write_text("0")
        for directory in (*named, bank, chip):
            directory.rmdir()


def pull(chip: str, offset: int, high: bool) -> None:
    """Drive a line of such a chip from outside."""
    write(f"/sys/bus/gpio/devices/{chip}/sim_gpio{offset}/pull", "pull-up" if high else "pull-down")


def said_to_nobody(expression: str) -> str:
    """What the exception says that `PciDevice...` or `find_device...` raises for a user without any permission."""
    # Loaded before: nobody may not be able to read what root has installed.
    script = "import os, difflib, periphery, pyudev\nfrom uio_workloop import PciDevice, find_device\n"
    script += f"os.setgroups([]); os.setuid(65534)\n{expression}"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    return outcome.stderr.strip().splitlines()[-1]
