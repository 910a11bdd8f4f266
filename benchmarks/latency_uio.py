"""From a device's interrupt to its action: uio_dummy and QEMU's edu card, in the lab."""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic_ns
from typing import Any, Self

from benchmarks.harness import Benchmark
from benchmarks.latency import COMMON, Probe, Setting, contender, goals
from benchmarks.raiser import Job
from uio_workloop import PciDevice, UioDevice
from uio_workloop.testing.lab import guest

INTERRUPTS = 400
PAUSE_NS = 500_000
UNMASK = struct.pack("i", 1)
COMMAND, INTERRUPT_DISABLE = 4, 1 << 10
WORD = struct.Struct("<H")


def node_of(device: str) -> str:
    """The /dev/uioN of a device in sysfs."""
    (name,) = os.listdir(f"{device}/uio")
    return f"/dev/{name}"


@contextmanager
def opened(path: str, flags: int) -> Iterator[int]:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


class Dummy(Setting):
    """uio_dummy, level-triggered and masked by its handler; it keeps the time of its last interrupt itself."""

    DEVICE = "/sys/devices/platform/uio_dummy.0"
    LAST_RAISE_NS, STATUS = 0x20, 0x28

    def __enter__(self) -> Self:
        load_level_dummy()
        self._node = node_of(self.DEVICE)
        with ExitStack() as held:
            self._raise_fd = held.enter_context(opened(f"{self.DEVICE}/raise", os.O_WRONLY))
            with opened(self._node, os.O_RDWR) as fd:
                page = held.enter_context(memoryview(mmap.mmap(fd, mmap.PAGESIZE)))
            self._long_words = held.enter_context(page.cast("q"))
            self._words = held.enter_context(page.cast("I"))
            self._held = held.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._held.close()  # the mapping, too: it would keep the module loaded

    def job(self, interrupts: int) -> Job:
        return Job("write", interrupts, ["1"], pause_ns=PAUSE_NS)

    def target_fd(self) -> int:
        return self._raise_fd

    @contextmanager
    def provider(self) -> Iterator[UioDevice]:
        with UioDevice.find("uio:uio_dummy.0") as device:
            yield device

    def action(self, probe: Probe) -> Callable[[Any, int], None]:
        raised_ns, words = self._long_words, self._words

        def action(sender: object, count: int) -> None:
            latency_ns = monotonic_ns() - raised_ns[self.LAST_RAISE_NS // 8]
            words[self.STATUS // 4] = 0
            probe.answer(latency_ns)

        return action

    @contextmanager
    def descriptor(self, *, blocking: bool) -> Iterator[int]:
        with opened(self._node, os.O_RDWR | (0 if blocking else os.O_NONBLOCK)) as fd:
            os.write(fd, UNMASK)
            yield fd

    def bare(self, fd: int, probe: Probe) -> tuple[Callable[[int], Any], Callable[[Any], None]]:
        answer_of = self.action(probe)

        def action(total: bytes) -> None:
            answer_of(None, 1)
            os.write(fd, UNMASK)

        return lambda ready: os.read(ready, 4), action


class Edu(Setting):
    """QEMU's edu card on uio_pci_generic; it keeps no time, so the raiser does, right before the store that raises."""

    STATUS, RAISE, ACKNOWLEDGE = 0x24, 0x60, 0x64

    def __enter__(self) -> Self:
        self._address = guest.edu_addresses()[0]
        self._directory = f"/sys/bus/pci/devices/{self._address}"
        with ExitStack() as held:
            self._bar_fd = held.enter_context(opened(f"{self._directory}/resource0", os.O_RDWR | os.O_SYNC))
            page = held.enter_context(memoryview(mmap.mmap(self._bar_fd, mmap.PAGESIZE)))
            self._words = held.enter_context(page.cast("I"))
            self._held = held.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._held.close()

    def job(self, interrupts: int) -> Job:
        return Job("store", interrupts, offset=self.RAISE, pause_ns=PAUSE_NS)

    def target_fd(self) -> int:
        return self._bar_fd

    @contextmanager
    def provider(self) -> Iterator[PciDevice]:
        with PciDevice.find(self._address) as card:
            yield card

    def action(self, probe: Probe) -> Callable[[Any, int], None]:
        raised_ns, words = probe.raised_ns, self._words
        status, acknowledge = self.STATUS // 4, self.ACKNOWLEDGE // 4

        def action(sender: object, count: int) -> None:
            latency_ns = monotonic_ns() - raised_ns[0]
            words[acknowledge] = words[status]
            probe.answer(latency_ns)

        return action

    @contextmanager
    def descriptor(self, *, blocking: bool) -> Iterator[int]:
        with ExitStack() as held:
            flags = os.O_RDWR | (0 if blocking else os.O_NONBLOCK)
            fd = held.enter_context(opened(node_of(self._directory), flags))
            self._config_fd = held.enter_context(opened(f"{self._directory}/config", os.O_RDWR))
            self._unmask()
            yield fd

    def bare(self, fd: int, probe: Probe) -> tuple[Callable[[int], Any], Callable[[Any], None]]:
        answer_of = self.action(probe)

        def action(total: bytes) -> None:
            answer_of(None, 1)
            self._unmask()

        return lambda ready: os.read(ready, 4), action

    def _unmask(self) -> None:
        (command,) = WORD.unpack(os.pread(self._config_fd, 2, COMMAND))
        os.pwrite(self._config_fd, WORD.pack(command & ~INTERRUPT_DISABLE), COMMAND)


def load_level_dummy() -> None:
    """Have uio_dummy loaded, level-triggered."""
    trigger = Path(Dummy.DEVICE, "trigger")
    if trigger.exists():
        if trigger.read_text().strip() == "level":
            return
        subprocess.run(["modprobe", "-r", "uio_dummy"], check=True)
    subprocess.run(["modprobe", "uio_dummy", "trigger=level"], check=True)


BENCHMARKS = (
    Benchmark(
        name="latency-uio-dummy",
        title="From the interrupt of a UIO device to its action, one at a time",
        about=(
            "The module takes the time as it raises, the action takes it again, first of all. Then the action "
            "acknowledges the device and the line is unmasked by write(). Another process has the module raise the "
            "next one 0.5 ms after the answer. Emulated processors: read the ratios."
        ),
        contenders={name: contender(Dummy, run, INTERRUPTS) for name, run in COMMON.items()},
        goals=goals(),
        rounds=5,
    ),
    Benchmark(
        name="latency-edu",
        title="From the interrupt of a PCI card to its action, one at a time",
        about=(
            "Another process takes the time and stores into the register that makes QEMU's edu card assert its line. "
            "The action takes the time again, first of all, and acknowledges the card; then the line is unmasked in "
            "the PCI command register. Ours looks there also before the action, because the kernel counts an "
            "interrupt of a card that shares the line twice; the bare loops take the kernel's count as it is."
        ),
        contenders={name: contender(Edu, run, INTERRUPTS) for name, run in COMMON.items()},
        goals=goals(),
        rounds=5,
    ),
)
