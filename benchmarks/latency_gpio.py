"""From an edge of a GPIO line to its action: gpio-sim, in the lab."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic_ns, time_ns
from typing import Any

from benchmarks import gpio_lines
from benchmarks.harness import Benchmark, Goal, Measures
from benchmarks.latency import COMMON, OURS, Probe, Setting, contender, goals, on_a_thread
from benchmarks.raiser import Job
from uio_workloop import GpioLine

INTERRUPTS = 400
PAUSE_NS = 500_000
TIME_STAMP = struct.Struct("=Q40x")


class Line(Setting):
    """A simulated line; the kernel stamps each edge in its interrupt handler."""

    def job(self, interrupts: int) -> Job:
        return Job("write", interrupts, gpio_lines.LEVELS, pause_ns=PAUSE_NS)

    def target_fd(self) -> int:
        return gpio_lines.pull_fd()

    @contextmanager
    def provider(self) -> Iterator[GpioLine]:
        gpio_lines.set_low()
        with GpioLine.find(f"gpio:lab/{gpio_lines.OFFSET}", keep_edges=gpio_lines.QUEUED) as line:
            self._line = line
            yield line

    def action(self, probe: Probe) -> Callable[[Any, int], None]:
        line = self._line

        def action(sender: object, count: int) -> None:
            for edge in line.take_edges():
                probe.answer(monotonic_ns() - edge.timestamp_ns)

        return action

    @contextmanager
    def descriptor(self, *, blocking: bool) -> Iterator[int]:
        gpio_lines.set_low()
        with gpio_lines.plain_line(blocking=blocking) as fd:
            yield fd

    def bare(self, fd: int, probe: Probe) -> tuple[Callable[[int], Any], Callable[[Any], None]]:
        stamp_of = TIME_STAMP.unpack_from

        def action(events: bytes) -> None:
            (edge_ns,) = stamp_of(events, len(events) - gpio_lines.EVENT_BYTES)
            probe.answer(monotonic_ns() - edge_ns)

        return lambda ready: os.read(ready, gpio_lines.QUEUED * gpio_lines.EVENT_BYTES), action


def _gpiod(setting: Setting, interrupts: int) -> Measures:
    """The loop of gpiod's documentation, with a lock about the action."""
    gpio_lines.set_low()
    with setting.probe(interrupts) as probe, gpio_lines.gpiod_request() as request:
        gate = threading.RLock()

        def serve() -> None:
            while not probe.finished:
                for event in request.read_edge_events():
                    with gate:
                        probe.answer(monotonic_ns() - event.timestamp_ns)

        return on_a_thread(setting, probe, interrupts, serve)


def _periphery(setting: Setting, interrupts: int) -> Measures:
    """The loop of python-periphery's documentation, with a lock about the action."""
    gpio_lines.set_low()
    with setting.probe(interrupts) as probe, gpio_lines.periphery_line() as line:
        gate = threading.RLock()

        def serve() -> None:
            while not probe.finished:
                if line.poll():
                    event = line.read_event()
                    with gate:
                        probe.answer(time_ns() - event.timestamp)

        return on_a_thread(setting, probe, interrupts, serve)


def _gpiozero(setting: Setting, interrupts: int) -> Measures:
    """Its callbacks, which come on a thread of its own; the time since the edge is what it says that it is."""
    gpio_lines.set_low()
    with setting.probe(interrupts) as probe, gpio_lines.gpiozero_input() as line:
        line.when_activated = lambda: probe.answer(int(line.active_time * 1e9))
        line.when_deactivated = lambda: probe.answer(int(line.inactive_time * 1e9))
        setting.begin(probe, interrupts)
        return probe.measures()


BENCHMARKS = (
    Benchmark(
        name="latency-gpio",
        title="From an edge of a GPIO line to its action, one at a time",
        about=(
            "The kernel stamps the edge in its interrupt handler; the action gets at that stamp in the manner of its "
            "library and takes the time. Another process makes the next edge 0.5 ms after the answer. Emulated "
            "processors: read the ratios. gpiozero works through lgpio, whose own thread hands the edge on."
        ),
        contenders={
            **{name: contender(Line, run, INTERRUPTS) for name, run in COMMON.items()},
            "gpiod": contender(Line, _gpiod, INTERRUPTS),
            "python-periphery": contender(Line, _periphery, INTERRUPTS),
            "gpiozero": contender(Line, _gpiozero, INTERRUPTS),
        },
        goals=(*goals(), *(Goal("p50", OURS, 1.0, peer) for peer in ("gpiod", "python-periphery", "gpiozero"))),
        rounds=5,
    ),
)
