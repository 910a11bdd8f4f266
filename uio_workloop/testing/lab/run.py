"""A whole run: prepare, boot, let COMMAND run, judge."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from uio_workloop.errors import LabError
from uio_workloop.testing.lab.architecture import host_architecture
from uio_workloop.testing.lab.cache import KEPT_LOGS, Cache, Progress, cache_root
from uio_workloop.testing.lab.command_script import (
    command_script,
    covered_directories,
    directories_of_the_caller,
    guest_environment,
    settings_script,
)
from uio_workloop.testing.lab.conversation import BootError, Conversation
from uio_workloop.testing.lab.host import check_host
from uio_workloop.testing.lab.initramfs import make_initramfs
from uio_workloop.testing.lab.kernel import find_kernel
from uio_workloop.testing.lab.kernel_log import KernelLog
from uio_workloop.testing.lab.kvm import kvm_works
from uio_workloop.testing.lab.modules import ModuleTree, make_modules
from uio_workloop.testing.lab.virtual_machine import Machine, VirtualMachine

LAB_FAILED = 125  # as docker run has it: the fault is not COMMAND's


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    kernel: str = "debian"
    devices: Sequence[str] = ()
    use_kvm: bool = True
    timeout_s: float = 900.0
    log: Path | None = None
    quiet: bool = False
    update: bool = False


def run(command: Sequence[str], options: Options) -> int:
    """Boot a guest, run the command in it, and return its exit status.

    LAB_FAILED if the command succeeded but the guest's kernel log has a warning.

    Raises:
        LabError: the guest could not be made or was lost.
        CommandTimeoutError: the command did not end in time.
    """
    architecture = host_architecture()
    check_host(architecture)
    cache = Cache(cache_root())
    progress = Progress(quiet=options.quiet)
    kernel = find_kernel(options.kernel, architecture, cache, progress, update=options.update)
    tree = make_modules(kernel, architecture, cache, progress)
    initramfs = make_initramfs(tree, architecture, cache)
    for kind in ("modules", "initramfs"):
        cache.prune(kind)
    with cache.run_directory() as directory:
        machine = Machine(architecture, kernel.image, initramfs, directory, False, options.devices)
        if options.use_kvm:
            machine = replace(machine, kvm=kvm_works(machine, kernel.version, cache, progress))
        log = options.log or cache.root / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        cache.prune("logs", KEPT_LOGS)
        return boot_and_converse(machine, tree, command, options.timeout_s, log)


def boot_and_converse(machine: Machine, tree: ModuleTree, command: Sequence[str], timeout_s: float, log: Path) -> int:
    """Run the command in this machine; one that dies before the command began, as emulated ones may, gets a second try.

    Nothing of the command has happened then, so nothing can be hidden by trying again.
    """
    try:
        return converse(machine, tree, command, timeout_s, log)
    except BootError as error:
        first_try = log.with_suffix(".first-try")
        log.replace(first_try)
        print(f"lab: {str(error).partition(';')[0]}; log in {first_try}; trying once more", file=sys.stderr, flush=True)
        return converse(machine, tree, command, timeout_s, log)


def converse(machine: Machine, tree: ModuleTree, command: Sequence[str], timeout_s: float, log: Path) -> int:
    """Run the command in this machine; saves the log and tells of trouble on stderr."""
    marker = secrets.token_hex(24)
    environment = guest_environment(os.environ, sys.executable)
    (machine.run_directory / "command").write_bytes(command_script(command, os.getcwd(), environment))
    settings = settings_script(marker, tree, covered_directories(directories_of_the_caller()))
    (machine.run_directory / "settings").write_bytes(settings)
    with VirtualMachine(machine) as guest:
        conversation = Conversation(guest, marker)
        try:
            status = conversation.run(timeout_s)
        except LabError as error:
            raise type(error)(f"{error}\nthe guest's kernel log is in {log}") from error
        finally:
            save(log, conversation.kernel_log, bytes(guest.console))
    return judge(status, conversation.kernel_log, log)


def judge(status: int, kernel_log: KernelLog, log: Path) -> int:
    """The status of the run: the command's own, unless it is 0 and the kernel complained."""
    alarming = kernel_log.alarming
    if not alarming and not kernel_log.lost:
        return status
    lines = [f"lab: the guest's kernel log, saved in {log}, fails this run:", *map(str, alarming)]
    if kernel_log.lost:
        lines.append(f"{kernel_log.lost} records were overwritten before they could be read")
    print("\n".join(lines), file=sys.stderr, flush=True)
    return status or LAB_FAILED


def save(log: Path, kernel_log: KernelLog, console: bytes) -> None:
    """Write the kernel log, and what came over the serial console, if anything."""
    text = "\n".join(kernel_log.lines()) + "\n"
    if console:
        text += "--- serial console ---\n" + console.decode(errors="replace")
    with suppress(FileNotFoundError):
        log.unlink()  # never through somebody's link
    try:
        log.write_text(text)
    except OSError as error:
        raise LabError(
            f"cannot save the guest's kernel log to {log}: {error.strerror}; choose another --log"
        ) from error
