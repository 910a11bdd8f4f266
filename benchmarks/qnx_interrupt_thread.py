"""The interrupt thread of QNX, one interrupt at a time: what it costs, and how soon the thread is told."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from benchmarks.harness import Benchmark, Goal, Measures
from benchmarks.latency import BARE_THREAD, BLOCKING, OURS, Probe, Setting, contender, on_a_thread, work_loop
from benchmarks.latency_eventfd import Eventfd
from uio_workloop import Trigger
from uio_workloop.qnx import (
    Channel,
    Event,
    SigevIntr,
    SigevPulse,
    SigevSem,
    WaitFlags,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_unmask,
    interrupt_wait,
)

INTERRUPTS = 20_000
ONE_BY_ONE = 1_000

RELAY = "blocking read, told to a second thread"
WAIT, WAIT_UNMASK = "uio_workloop.qnx: interrupt_wait", "uio_workloop.qnx: interrupt_wait(UNMASK)"
PULSE, SEMAPHORE, SEMAPHORE_FD = (
    "uio_workloop.qnx: pulse",
    "uio_workloop.qnx: semaphore",
    "uio_workloop.qnx: eventfd semaphore",
)
SOURCE = f"{OURS}: event source"
PROCESSOR, ELAPSED = "processor per interrupt", "elapsed per interrupt"


class Chained(Probe):
    """Causes the next interrupt instead of answering, and takes the processor time of all threads."""

    def __init__(self, interrupts: int) -> None:
        super().__init__(interrupts)
        self._interrupts = self._to_come = interrupts
        self._done = threading.Event()

    def begin(self, cause: Callable[[], object]) -> None:
        self._cause = cause
        self._began_cpu_ns = time.process_time_ns()
        self._began_ns = time.perf_counter_ns()
        cause()

    def answer(self, latency_ns: int) -> None:
        self._to_come -= 1
        if self._to_come:
            self._cause()
            return
        self._took_cpu_ns = time.process_time_ns() - self._began_cpu_ns
        self._took_ns = time.perf_counter_ns() - self._began_ns
        self.finished = True
        self._done.set()

    def measures(self) -> Measures:
        self._done.wait()
        return {PROCESSOR: self._took_cpu_ns / self._interrupts, ELAPSED: self._took_ns / self._interrupts}


class Saturated(Setting):
    """Before another setting in the list of bases: the action causes the next interrupt, nobody else does."""

    def probe(self, interrupts: int) -> Chained:
        return Chained(interrupts)

    def begin(self, probe: Probe, interrupts: int) -> None:
        assert isinstance(probe, Chained)
        (payload,) = self.job(interrupts).payloads
        probe.begin(partial(os.write, self.target_fd(), payload.encode("latin-1")))


# Contenders


def relay(setting: Setting, interrupts: int) -> Measures:
    """A thread that reads, and tells another, which serves and lets the first read again: the least for two threads."""
    with setting.probe(interrupts) as probe, setting.descriptor(blocking=True) as fd:
        drain, action = setting.bare(fd, probe)
        told, unmasked = threading.Lock(), threading.Lock()
        told.acquire()
        unmasked.acquire()
        drained: list[Any] = []

        def read() -> None:
            while not probe.finished:
                drained.append(drain(fd))
                told.release()
                unmasked.acquire()

        def serve() -> None:
            reader = threading.Thread(target=read, daemon=True)
            reader.start()
            while not probe.finished:
                told.acquire()
                action(drained.pop())
                unmasked.release()
            reader.join()

        return on_a_thread(setting, probe, interrupts, serve)


Receiver = AbstractContextManager[tuple[Event, Callable[[], object]]]
"""An event, and how a thread waits for it."""


@contextmanager
def _interrupt_wait(flags: int = 0) -> Iterator[tuple[Event, Callable[[], object]]]:
    yield SigevIntr(), partial(interrupt_wait, flags)


@contextmanager
def _pulse() -> Iterator[tuple[Event, Callable[[], object]]]:
    with Channel() as channel:
        yield SigevPulse(channel), channel.receive_pulse


@contextmanager
def _semaphore() -> Iterator[tuple[Event, Callable[[], object]]]:
    semaphore = threading.Semaphore(0)
    yield SigevSem(semaphore), semaphore.acquire


@contextmanager
def _semaphore_fd() -> Iterator[tuple[Event, Callable[[], object]]]:
    fd = os.eventfd(0, os.EFD_SEMAPHORE)
    try:
        yield SigevSem(fd), partial(os.eventfd_read, fd)
    finally:
        os.close(fd)


def interrupt_thread(receiver: Callable[[], Receiver], *, unmask: bool = True) -> Callable[[Setting, int], Measures]:
    """A thread that attaches an event, and then waits for it, serves the device and unmasks.

    Args:
        unmask: by a call of its own; else the next wait does.
    """

    def one_round(setting: Setting, interrupts: int) -> Measures:
        with setting.probe(interrupts) as probe, setting.provider() as provider:
            action, attached = setting.action(probe), threading.Event()

            def serve() -> None:
                with receiver() as (event, wait):
                    id = interrupt_attach_event(provider, event)  # noqa: A001 - QNX's word
                    attached.set()
                    while not probe.finished:
                        wait()
                        action(None, 1)
                        if unmask:
                            interrupt_unmask(provider, id)
                    interrupt_detach(id)

            return on_a_thread(setting, probe, interrupts, serve, attached)

    return one_round


CONTENDERS: Mapping[str, Callable[[Setting, int], Measures]] = {
    BLOCKING: BARE_THREAD,
    RELAY: relay,
    SOURCE: work_loop,
    WAIT: interrupt_thread(_interrupt_wait),
    WAIT_UNMASK: interrupt_thread(partial(_interrupt_wait, WaitFlags.UNMASK), unmask=False),
    PULSE: interrupt_thread(_pulse),
    SEMAPHORE: interrupt_thread(_semaphore),
    SEMAPHORE_FD: interrupt_thread(_semaphore_fd),
}


# On the host


class SaturatedEventfd(Saturated, Eventfd):
    """An eventfd that the action writes to."""


ABOUT = (
    "Every contender waits, serves and unmasks, one interrupt at a time. A hand-written thread blocks in read() of the "
    "descriptor; one that tells a second thread does so by a lock, and by another is told to read again. An event "
    "source has its action called by the thread of its loop. The ways of QNX have two threads, too: that of the hidden "
    "loop, which the kernel tells, and the one that attached, which is told by it. "
)
PROCESSOR_OF_ALL = "Processor time is that of all threads of the process. "


def goals(measure: str) -> tuple[Goal, ...]:
    """What a way of QNX may cost, beside the least that two threads take."""
    return tuple(Goal(measure, each, 2.0, RELAY) for each in (WAIT, PULSE, SEMAPHORE))


BENCHMARKS = (
    Benchmark(
        name="qnx-saturation",
        title="An interrupt thread in the manner of QNX, when the next interrupt follows at once",
        about=ABOUT + PROCESSOR_OF_ALL + "The action causes the next interrupt by writing to the eventfd.",
        contenders={
            name: contender(lambda: SaturatedEventfd(Trigger.LEVEL), run, INTERRUPTS)
            for name, run in CONTENDERS.items()
        },
        goals=goals(PROCESSOR),
        rounds=5,
    ),
    Benchmark(
        name="qnx-latency",
        title="From raising a software interrupt to the interrupt thread, one at a time",
        about=ABOUT + "Another process takes the time and writes to the eventfd; who serves takes the time again, "
        "first of all. The next interrupt comes 0.1 ms after the answer, when everybody is asleep again.",
        contenders={
            name: contender(lambda: Eventfd(Trigger.LEVEL), run, ONE_BY_ONE) for name, run in CONTENDERS.items()
        },
        goals=goals("p50"),
        rounds=5,
    ),
)
