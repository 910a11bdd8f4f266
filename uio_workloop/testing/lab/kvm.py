"""Whether KVM can be used: only a guest that boots tells. The answer holds until the host boots again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from uio_workloop.errors import LabError
from uio_workloop.testing.lab.cache import Cache, Progress
from uio_workloop.testing.lab.conversation import Conversation
from uio_workloop.testing.lab.virtual_machine import Machine, VirtualMachine

DEVICE = "/dev/kvm"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROBE_TIMEOUT_S = 8.0  # a guest on a working KVM says hello within one


def kvm_works(machine: Machine, version: str, cache: Cache, progress: Progress) -> bool:
    """Does this kernel boot under KVM here? A device one may open proves nothing: it can hang every guest.

    Probes with a real boot the first time, and asks the cache afterwards.
    """
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return False

    def probe(path: Path) -> None:
        progress.step("seeing whether KVM works here")
        works = boots(replace(machine, kvm=True))
        progress.step("KVM works" if works else "KVM does not work here: guests will be emulated")
        path.write_text("yes" if works else "no")

    answer = cache.part(f"kvm/{BOOT_ID.read_text().strip()}-{version}", probe)
    cache.prune("kvm")
    return answer.read_text() == "yes"


def boots(machine: Machine) -> bool:
    """Does a guest get as far as its first word?"""
    try:
        with VirtualMachine(machine) as guest:
            return Conversation(guest, marker="probe").wait_for_greeting(PROBE_TIMEOUT_S)
    except LabError:
        return False
