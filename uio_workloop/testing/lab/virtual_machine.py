"""QEMU: its command line, a pure function of what is wanted, and its process, which cannot outlive us."""

from __future__ import annotations

import math
import os
import select
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from uio_workloop.testing.lab.architecture import Architecture
from uio_workloop.testing.lab.channels import CONSOLE, PORTS, QMP, Channel
from uio_workloop.testing.lab.host import require_tool
from uio_workloop.testing.lab.lifeline import tied_to_this_process

MEMORY = "1G"
ACPI = Path(__file__).parent / "acpi"
MOST_CPUS = 2
CONSOLE_KEPT = 1 << 18
KERNEL_ARGUMENTS = (
    "quiet",  # the console is for disasters; the whole log comes over its own channel
    "panic=-1",  # with -no-reboot: a guest that panics ends QEMU
    "oops=panic",
    "softlockup_panic=1",
    "watchdog_thresh=60",  # seconds; an emulated processor can lose its host for a while
    "rcupdate.rcu_cpu_stall_timeout=60",
    "printk.devkmsg=on",  # no rate limit on what tests write to /dev/kmsg
    # Emulated processors that run at once can execute code while the kernel patches it, and die of a stray breakpoint.
    # Nearly all patching is done at boot: one processor boots, and init brings up the others.
    "maxcpus=1",
    "mitigations=off",
    "nokaslr",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """What is to be booted."""

    architecture: Architecture
    image: Path
    initramfs: Path
    run_directory: Path
    kvm: bool
    devices: Sequence[str] = ()
    kernel_arguments: Sequence[str] = field(default=KERNEL_ARGUMENTS)


def command_line(machine: Machine, descriptors: Mapping[str, int], cpus: int) -> list[str]:
    """QEMU and its arguments.

    Args:
        machine: what is to be booted.
        descriptors: channel name to the descriptor QEMU inherits for it.
        cpus: how many processors the guest has.
    """
    row = machine.architecture
    accelerator = ["-accel", "kvm", "-cpu", "host"] if machine.kvm else ["-accel", "tcg,thread=multi"]
    if not machine.kvm:
        accelerator += ["-cpu", row.emulated_cpu]
    words = [row.qemu, "-M", row.qemu_machine, *accelerator, "-smp", str(cpus), "-m", MEMORY]
    words += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    words += [
        word.format(acpi=str(ACPI).replace(",", ",,")) for word in row.platform_arguments
    ]  # QEMU's way of quoting
    words += ["-kernel", str(machine.image), "-initrd", str(machine.initramfs)]
    words += ["-append", " ".join(kernel_arguments(machine))]
    words += ["-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"]
    words += ["-device", f"virtio-9p-pci,fsdev=root,mount_tag=root,bus={row.pci_bus},addr={row.root_slot}"]
    words += ["-device", f"virtio-serial-pci,id=ports,bus={row.pci_bus},addr={row.serial_slot}"]
    for name, descriptor in descriptors.items():
        words += ["-chardev", f"socket,id={name},fd={descriptor}"]
        if name in PORTS:
            words += ["-device", f"virtserialport,bus=ports.0,chardev={name},name={name}"]
    words += ["-serial", f"chardev:{CONSOLE}", "-mon", f"chardev={QMP},mode=control"]
    for number, slot in enumerate(row.edu_slots):
        words += ["-device", f"edu,id=edu{number},bus={row.pci_bus},addr={slot}"]
    for device in machine.devices:
        words += ["-device", device]
    return words


def kernel_arguments(machine: Machine) -> list[str]:
    """The kernel's command line. What the kernel does not know, our init gets as environment variables."""
    row = machine.architecture
    return [
        f"console={row.console}",
        *row.firmware_arguments,
        *machine.kernel_arguments,
        f"labrun={machine.run_directory}",  # no blanks or quotes in it: Cache saw to that
    ]


class VirtualMachine:
    """A running QEMU with its channels; leaving the `with` block ends it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.channels = {name: Channel(name) for name in (*PORTS, QMP, CONSOLE)}
        self.console = bytearray()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> VirtualMachine:
        descriptors = {name: channel.guest_end.fileno() for name, channel in self.channels.items()}
        cpus = max(1, min(MOST_CPUS, len(os.sched_getaffinity(0))))
        words = command_line(self.machine, descriptors, cpus)
        words[0] = require_tool(words[0])
        with open(self.machine.run_directory / "qemu-errors", "wb") as complaints:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                pass_fds=tuple(descriptors.values()),
                start_new_session=True,  # Ctrl-C is ours to handle
                preexec_fn=tied_to_this_process(),
            )
        for channel in self.channels.values():
            channel.guest_end.close()  # so that we see the end of file when QEMU goes
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for channel in self.channels.values():
            channel.close()

    def hear(self, data: bytes) -> None:
        """Remember what the guest writes to its serial console, the latest of it."""
        self.console += data
        del self.console[:-CONSOLE_KEPT]

    def complaint(self) -> str:
        """What QEMU itself had to say, for a message."""
        try:
            text = (self.machine.run_directory / "qemu-errors").read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-5:])

    def last_console_lines(self, count: int = 25) -> str:
        """The end of what the guest wrote to its serial console."""
        lines = self.console.decode(errors="replace").replace("\r", "").strip().splitlines()
        return "\n".join(lines[-count:])


def readable(channels: Sequence[Channel], timeout_s: float) -> list[Channel]:
    """Those channels that have something to read, or have ended; empty when the time is over."""
    poll = select.poll()
    by_descriptor = {channel.host_end.fileno(): channel for channel in channels}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    return [by_descriptor[descriptor] for descriptor, _ in poll.poll(math.ceil(max(0.0, timeout_s) * 1000))]
