"""The same policy, processor and timer slack for every contender of a benchmark, ours and theirs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.harness import NotAtHandError
from uio_workloop import RealtimeProfile
from uio_workloop._linux import scheduling

T = TypeVar("T")

PRIORITY = 40


@dataclass(frozen=True)
class Treatment:
    """How the thread that is measured is scheduled; what it starts inherits it."""

    name: str
    fifo: bool

    @property
    def cpu(self) -> int:
        """The last one there is: the first often has the machine's interrupts."""
        return max(os.sched_getaffinity(0))

    def profile(self) -> RealtimeProfile:
        """For a work loop: what `run` does to others."""
        return RealtimeProfile(
            "fifo" if self.fifo else None, PRIORITY if self.fifo else None, cpus=[self.cpu], required=True
        )

    def check(self) -> None:
        """Context: before anything is measured."""
        if self.fifo and not scheduling.has_capability(scheduling.CAP_SYS_NICE):
            raise NotAtHandError("takes CAP_SYS_NICE; run as root")

    def run(self, fn: Callable[[], T]) -> T:
        """Call it on a thread of its own that is treated so."""
        self.check()
        outcome: list[T] = []

        def main() -> None:
            os.sched_setaffinity(threading.get_native_id(), [self.cpu])
            if self.fifo:
                scheduling.set_policy(threading.get_native_id(), os.SCHED_FIFO, PRIORITY)
            outcome.append(fn())

        thread = threading.Thread(target=main)
        thread.start()
        thread.join()
        return outcome[0]


ORDINARY = Treatment("ordinary policy, 50 µs of timer slack", fifo=False)
FIFO = Treatment(f"FIFO at priority {PRIORITY}, no timer slack", fifo=True)
