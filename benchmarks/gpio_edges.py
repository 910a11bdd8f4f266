"""Edges of a GPIO line: what each costs its reader, how many a second go without loss, and what is said of loss.

One process makes the edges and another, this one, reads them; each contender keeps a thread of its own for that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks import gpio_lines
from benchmarks.gpio_readers import EACH, READERS, READERS_OF_EACH, Meter, Reader
from benchmarks.harness import Benchmark, Goal, Measures
from benchmarks.processors import RAISERS, on_processors, others
from benchmarks.raiser import Job, raiser

EDGES = 2_400
BURST = gpio_lines.QUEUED
FREE_EDGES = 2_000
FLOOD = 1_000
SETTLED_S = 0.25
ABOVE_READERS = 1  # a real-time priority; the kernel's interrupt threads have 50


def in_bursts(reader: Reader) -> Callable[[float], Measures]:
    """Processor time of an edge, when the queue is full each time the reader gets to run.

    Maker and reader share a processor, and the maker comes first: he makes sixteen edges, waits until they were read,
    and so on. So the reader is never woken for less, and whatever it does is on its own clock.
    """

    def contender(scale: float) -> Measures:
        bursts = max(2, int(EDGES * scale) // BURST)
        edges = bursts * BURST
        with Meter(answer_every=BURST) as meter, on_processors({RAISERS}), _reading(reader, meter):
            begin_ns = time.process_time_ns()
            _make(meter, edges, at_a_stretch=BURST)
            raiser().took_ns()
            meter.wait_for(edges)
            return {"processor per edge": (time.process_time_ns() - begin_ns) / edges}

    return contender


def free_running(reader: Reader) -> Callable[[float], Measures]:
    """Made as fast as the maker can, on one processor, and read on the other."""

    def contender(scale: float) -> Measures:
        edges = max(20, int(FREE_EDGES * scale) // 2 * 2)
        with Meter() as meter, on_processors(others()), _reading(reader, meter):
            _make(meter, edges)
            took_ns = raiser().took_ns()
            meter.settle(SETTLED_S)
            lost = edges - meter.seen
            return {
                "made a second": edges * 1e9 / took_ns,
                "read": 100 * meter.seen / edges,
                "said to be lost": 100 * meter.lost / edges,
                "lost in silence": 100 * max(0, lost - meter.lost) / edges,
            }

    return contender


def flooded(reader: Reader) -> Callable[[float], Measures]:
    """Made while the reader cannot run: the queue overflows."""

    def contender(scale: float) -> Measures:
        with Meter() as meter, on_processors({RAISERS}), _reading(reader, meter):
            _make(meter, FLOOD)
            raiser().took_ns()
            meter.settle(SETTLED_S)
            return {
                "read": meter.seen,
                "said to be lost": meter.lost,
                "lost in silence": max(0, FLOOD - meter.seen - meter.lost),
            }

    return contender


def _make(meter: Meter, edges: int, *, at_a_stretch: int = 0) -> None:
    job = Job(
        "write",
        edges,
        gpio_lines.LEVELS,
        at_a_stretch=at_a_stretch,
        processor=RAISERS,
        priority=ABOVE_READERS,
    )
    raiser().begin(job, gpio_lines.pull_fd(), meter.answer_fd, meter.stamp.fd)


@contextmanager
def _reading(reader: Reader, meter: Meter) -> Iterator[None]:
    gpio_lines.set_low()
    with reader(meter):
        # Every edge is numbered before the next is made: the interrupt thread preempts the maker at once.
        for thread in _interrupt_threads():
            with suppress(OSError):
                os.sched_setaffinity(thread, {RAISERS})
        try:
            yield
        finally:
            meter.finished = True
            os.write(gpio_lines.pull_fd(), gpio_lines.LEVELS[0].encode())  # so that who waits for an edge gets one


def _interrupt_threads() -> list[int]:
    comms = {int(path.parent.name): path.read_text() for path in Path("/proc").glob("[0-9]*/comm")}
    return [pid for pid, comm in comms.items() if comm.startswith("irq/")]


def _contenders(
    measure: Callable[[Reader], Callable[[float], Measures]], readers: Mapping[str, Reader]
) -> dict[str, Callable[[float], Measures]]:
    return {name: measure(reader) for name, reader in readers.items()}


OURS = "uio_workloop"
PEERS = ("gpiod", "python-periphery", "gpiozero")
A_LITTLE_OVER_HALF = 1 / 1.5

BENCHMARKS = (
    Benchmark(
        name="gpio-edges-counted",
        title="Edges of a GPIO line, counted: processor time of each",
        about=(
            "Sixteen edges are queued, as many as the kernel keeps without being asked for more, whenever the reader "
            "gets to run; the figure is what the reading process takes of the processor, all its threads, for each. "
            "One second divided by it is the rate at which a processor is full. 1.5 times that of a peer is 0.67 of "
            "its time. Everybody comes to know how many edges there were; gpiod and the bare loop are asked for gaps "
            "in the numbering, too, as ours does; python-periphery and gpiozero cannot tell."
        ),
        contenders=_contenders(in_bursts, READERS),
        goals=tuple(Goal("processor per edge", OURS, A_LITTLE_OVER_HALF, peer) for peer in PEERS),
        rounds=5,
    ),
    Benchmark(
        name="gpio-edges-each",
        title="Edges of a GPIO line, each with its time: processor time of each",
        about=(
            "As above, but the action gets every edge with the kernel's time stamp and its direction, and looks at "
            f"both. Ours is a line opened with keep_edges, and {EACH} in the action."
        ),
        contenders=_contenders(in_bursts, READERS_OF_EACH),
        goals=tuple(Goal("processor per edge", OURS, A_LITTLE_OVER_HALF, peer) for peer in PEERS),
        rounds=5,
    ),
    Benchmark(
        name="gpio-edges-free",
        title="Edges of a GPIO line, as fast as they can be made",
        about=(
            "The maker has one processor for itself and the kernel's interrupt thread, the reader the other. Where "
            "nothing is lost, the maker is the limit: gpio-sim's edges are made by writing to sysfs."
        ),
        contenders=_contenders(free_running, READERS),
        goals=(),
        unit="%",
        units={"made a second": ""},
        rounds=5,
    ),
    Benchmark(
        name="gpio-edges-flood",
        title=f"What is said when {FLOOD:,} edges come while the reader cannot run",
        about=(
            "The kernel keeps the newest edges and numbers all of them. A library that reads the numbers can tell "
            "what was lost."
        ),
        contenders=_contenders(flooded, READERS),
        goals=(),
        unit="edges",
        rounds=1,
    ),
)
