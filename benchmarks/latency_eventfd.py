"""From raising a software interrupt to its action."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic_ns
from typing import Any

from benchmarks.harness import Benchmark
from benchmarks.latency import COMMON, Probe, Setting, contender, goals
from benchmarks.raiser import ONE, Job
from uio_workloop import SoftwareInterrupt, Trigger

INTERRUPTS = 2_000
PAUSE_NS = 100_000


class Eventfd(Setting):
    """An eventfd that the raiser writes to; the time is taken right before that."""

    def __init__(self, trigger: Trigger = Trigger.EDGE) -> None:
        self._trigger = trigger

    def job(self, interrupts: int) -> Job:
        return Job("write", interrupts, [ONE], pause_ns=PAUSE_NS)

    def target_fd(self) -> int:
        return self._fd

    @contextmanager
    def provider(self) -> Iterator[SoftwareInterrupt]:
        with SoftwareInterrupt(self._trigger) as interrupt:
            self._fd = interrupt.fileno()
            yield interrupt

    def action(self, probe: Probe) -> Callable[[Any, int], None]:
        raised_ns = probe.raised_ns

        def action(sender: object, count: int) -> None:
            probe.answer(monotonic_ns() - raised_ns[0])

        return action

    @contextmanager
    def descriptor(self, *, blocking: bool) -> Iterator[int]:
        self._fd = os.eventfd(0, 0 if blocking else os.EFD_NONBLOCK)
        try:
            yield self._fd
        finally:
            os.close(self._fd)

    def bare(self, fd: int, probe: Probe) -> tuple[Callable[[int], Any], Callable[[Any], None]]:
        raised_ns = probe.raised_ns

        def action(count: int) -> None:
            probe.answer(monotonic_ns() - raised_ns[0])

        return os.eventfd_read, action


BENCHMARKS = (
    Benchmark(
        name="latency-eventfd",
        title="From raising a software interrupt to its action, one at a time",
        about=(
            "Another process takes the time and writes to an eventfd; the action takes the time again, first of all. "
            "It answers, and the next interrupt comes 0.1 ms later, when everybody is asleep again. Each contender "
            "serves on a thread of its own. A latency has the kernel's wake-up in it, which is the same for all."
        ),
        contenders={name: contender(Eventfd, run, INTERRUPTS) for name, run in COMMON.items()},
        goals=goals(),
        rounds=9,
    ),
)
