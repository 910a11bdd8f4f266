"""What the gate costs its clients, and what a client that hammers it costs the loop."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from benchmarks.harness import Benchmark, Goal, Measures, percentiles
from uio_workloop import InterruptEventSource, SoftwareInterrupt, WorkLoop

CALLS = 200_000
THREADS = (1, 2, 8)
INTERRUPTS = 400
HOLD_NS = 50_000
HOLDS_BETWEEN_INTERRUPTS = 20


def nothing() -> None:
    """What is done under the gate."""


class Monitor:
    """The hand-written counterpart of `run_action`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def run_action(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            return fn(*args, **kwargs)


def _clients(scale: float, calls: Callable[[int], None]) -> Measures:
    measures = {}
    for number in THREADS:
        each = max(10, int(CALLS * scale) // number)
        threads = [threading.Thread(target=calls, args=(each,)) for _ in range(number)]
        began_ns = time.perf_counter_ns()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        name = f"{number} client{'s' if number > 1 else ''}"
        measures[name] = (time.perf_counter_ns() - began_ns) / (each * number)
    return measures


def _calls_of(run_action: Callable[..., Any]) -> Callable[[int], None]:
    def calls(number: int) -> None:
        for _ in range(number):
            run_action(nothing)

    return calls


def _holds_of(gate: AbstractContextManager[Any]) -> Callable[[int], None]:
    def holds(number: int) -> None:
        for _ in range(number):
            with gate:
                nothing()

    return holds


def _run_action(scale: float) -> Measures:
    with WorkLoop() as loop:
        return _clients(scale, _calls_of(loop.run_action))


def _with_gate(scale: float) -> Measures:
    with WorkLoop() as loop:
        return _clients(scale, _holds_of(loop.gate))


def _monitor(scale: float) -> Measures:
    return _clients(scale, _calls_of(Monitor().run_action))


def _with_lock(scale: float) -> Measures:
    return _clients(scale, _holds_of(threading.RLock()))


# A client that hammers


class Hammer:
    """A client that takes the gate, keeps it for a while, lets it go and takes it again at once.

    Every now and then it causes an interrupt from in there; the action tells how long that waited.
    """

    def __init__(self, cause: Callable[[], None], interrupts: int) -> None:
        self._cause = cause
        self._interrupts = interrupts
        self._caused_ns = 0
        self._answered = True
        self.waits_ns: list[int] = []

    def action(self, sender: object, count: int) -> None:
        self.waits_ns.append(time.monotonic_ns() - self._caused_ns)
        self._answered = True

    def hammer(self, run_action: Callable[[Callable[[], None]], object]) -> None:
        holds = 0
        while len(self.waits_ns) < self._interrupts:
            holds += 1
            run_action(self._hold_and_cause if holds % HOLDS_BETWEEN_INTERRUPTS == 0 else self._hold)

    def _hold(self) -> None:
        until_ns = time.monotonic_ns() + HOLD_NS
        while time.monotonic_ns() < until_ns:
            pass

    def _hold_and_cause(self) -> None:
        if self._answered:
            self._answered = False
            self._caused_ns = time.monotonic_ns()
            self._cause()
        self._hold()

    def measures(self) -> dict[str, float]:
        seen = percentiles(self.waits_ns)
        return {"p50": seen["p50"], "p99": seen["p99"], "max": seen["max"]}


def _hammered_loop(scale: float) -> Measures:
    with SoftwareInterrupt() as interrupt, WorkLoop() as loop:
        hammer = Hammer(interrupt.cause, max(10, int(INTERRUPTS * scale)))
        source = InterruptEventSource(interrupt, hammer.action)
        loop.add_event_source(source)
        source.enable()
        hammer.hammer(loop.run_action)
        return hammer.measures()


def _hammered_lock(scale: float) -> Measures:
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    monitor = Monitor()
    hammer = Hammer(lambda: os.eventfd_write(fd, 1), max(10, int(INTERRUPTS * scale)))
    finished = False

    def serve() -> None:
        with select.epoll() as epoll:
            epoll.register(fd, select.EPOLLIN)
            while not finished:
                for ready, _ in epoll.poll():
                    monitor.run_action(hammer.action, None, os.eventfd_read(ready))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        hammer.hammer(monitor.run_action)
    finally:
        finished = True
        os.eventfd_write(fd, 1)
        thread.join()
        os.close(fd)
    return hammer.measures()


RUN_ACTION, WITH_GATE = "uio_workloop, run_action", "uio_workloop, with gate"
MONITOR, WITH_LOCK = "a method: with RLock", "with RLock"
SWITCH_INTERVAL_NS = int(sys.getswitchinterval() * 1e9)

BENCHMARKS = (
    Benchmark(
        name="gate",
        title="Taking the gate, calling nothing, letting go",
        about=(
            "Elapsed time per call. `run_action` is a method that passes arguments on, and so is its peer; `with gate` "
            "and `with RLock` are blocks in the client's own code, the second of them C all the way. Python's lock "
            "is not fair, records no holder that one could ask, finds no deadlock and cannot be slept on."
        ),
        contenders={RUN_ACTION: _run_action, MONITOR: _monitor, WITH_GATE: _with_gate, WITH_LOCK: _with_lock},
        goals=(
            Goal("1 client", RUN_ACTION, 1.5, MONITOR),
            Goal("1 client", RUN_ACTION, 1.5, WITH_LOCK),
            Goal("1 client", WITH_GATE, 1.5, WITH_LOCK),
        ),
    ),
    Benchmark(
        name="gate-hammered",
        title="From interrupt to action under a client that hammers the gate",
        about=(
            f"The client holds the gate for {HOLD_NS // 1000} µs, lets go and takes it again at once. What counts is "
            f"two holds and the switch interval of {SWITCH_INTERVAL_NS / 1e6:g} ms, for the client also keeps the "
            "interpreter busy. The peer is an epoll loop and an RLock."
        ),
        contenders={"uio_workloop": _hammered_loop, "epoll + RLock": _hammered_lock},
        goals=(Goal("p99", "uio_workloop", 2 * HOLD_NS + SWITCH_INTERVAL_NS),),
    ),
)
