"""How long an interrupt waits beside a thread that never lets go of the interpreter by itself."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.harness import Benchmark, Goal, Measures, NotAtHandError, percentiles
from benchmarks.peers.raiser import Raiser
from uio_workloop import InterruptEventSource, RealtimeProfile, SoftwareInterrupt, WorkLoop
from uio_workloop._linux import scheduling

INTERRUPTS = 200
LEAST = 5
SMALL_S = 50e-6
PRIORITY = 40
ALONE_S = 0.2
PATIENCE_S = 30.0


class BusyThread:
    """Plain Python arithmetic, without end."""

    def __init__(self) -> None:
        self._rounds = 0
        self._over = False
        self._thread = threading.Thread(target=self._main, name="busy")

    def _main(self) -> None:
        total = 0
        while not self._over:
            for number in range(500):
                total += number & 3
            self._rounds += 1

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over = True
            self._thread.join()

    def speed_during(self, wait: Callable[[], object]) -> float:
        """Rounds a second while `wait` waits."""
        rounds, began = self._rounds, time.perf_counter()
        wait()
        return (self._rounds - rounds) / (time.perf_counter() - began)


@dataclass(frozen=True)
class Setting:
    """The same for ours and theirs: None is what Python and Linux do by themselves."""

    name: str
    switch_interval: float | None = None
    fifo: bool = False

    def profile(self) -> RealtimeProfile:
        if self.fifo and not scheduling.has_capability(scheduling.CAP_SYS_NICE):
            raise NotAtHandError("takes CAP_SYS_NICE; run as root")
        return RealtimeProfile(
            "fifo" if self.fifo else None,
            PRIORITY if self.fifo else None,
            switch_interval=self.switch_interval,
            required=True,
        )


def _measured(raise_and_wait: Callable[[], list[int]]) -> Measures:
    """What was measured, and what was left to the busy thread of the speed it had just before."""
    busy = BusyThread()
    late_ns: list[int] = []
    with busy.running():
        alone = busy.speed_during(lambda: time.sleep(ALONE_S))
        beside = busy.speed_during(lambda: late_ns.extend(raise_and_wait()))
    found = percentiles(late_ns[1:])  # the first pays for what is done once
    return {"p50": found["p50"], "p99": found["p99"], "max": found["max"], "left to the busy thread": beside / alone}


def _work_loop(setting: Setting) -> Callable[[float], Measures]:
    def one_round(scale: float) -> Measures:
        done = threading.Event()
        with (
            SoftwareInterrupt() as interrupt,
            setting.profile() as profile,
            Raiser(interrupt.fileno(), _interrupts(scale)) as raiser,
        ):

            def on_interrupt(sender: InterruptEventSource, count: int) -> None:
                if raiser.answer():
                    done.set()

            def serve() -> list[int]:
                with WorkLoop(thread_setup=profile.apply) as loop:
                    source = InterruptEventSource(interrupt, on_interrupt)
                    loop.add_event_source(source)
                    source.enable()
                    raiser.begin()
                    _in_time(done.wait(PATIENCE_S))
                return raiser.late_ns

            return _measured(serve)

    return one_round


def _add_reader(setting: Setting) -> Callable[[float], Measures]:
    async def serve(fd: int, raiser: Raiser) -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def on_readable() -> None:
            os.eventfd_read(fd)
            if raiser.answer():
                done.set()

        loop.add_reader(fd, on_readable)
        raiser.begin()
        await asyncio.wait_for(done.wait(), PATIENCE_S)
        loop.remove_reader(fd)

    def one_round(scale: float) -> Measures:
        fd = os.eventfd(0, os.EFD_NONBLOCK)
        with setting.profile() as profile, Raiser(fd, _interrupts(scale)) as raiser:

            def main() -> None:
                profile.apply()
                asyncio.run(serve(fd, raiser))

            def wait() -> list[int]:
                thread = threading.Thread(target=main)
                thread.start()
                thread.join()
                _in_time(len(raiser.late_ns) >= _interrupts(scale))
                return raiser.late_ns

            measures = _measured(wait)
        os.close(fd)
        return measures

    return one_round


def _in_time(answered: bool) -> None:
    if not answered:
        raise TimeoutError(f"not every interrupt was answered within {PATIENCE_S:.0f} s")


def _interrupts(scale: float) -> int:
    return max(LEAST, int(INTERRUPTS * scale))


USUAL = Setting("switch interval of 5 ms")
SMALL = Setting("of 50 µs", SMALL_S)
PROFILE = Setting("of 50 µs and FIFO", SMALL_S, fifo=True)
SETTINGS = (USUAL, SMALL, PROFILE)
OURS = f"uio_workloop, {PROFILE.name}"

BENCHMARKS = (
    Benchmark(
        name="busy-thread",
        title="Raise to action, one at a time, beside a busy Python thread",
        about=(
            "Another process raises, and both ends take the time. Beside the loop a thread of the same program counts "
            "in Python and never waits. The last setting is that of docs/realtime.md: "
            '`RealtimeProfile("fifo", switch_interval=50e-6)`; asyncio has the same. What is left to the busy thread '
            "is its speed meanwhile, as a part of the one it had just before with the loop not there."
        ),
        contenders={
            f"{name}, {setting.name}": make(setting)
            for setting in SETTINGS
            for name, make in (("uio_workloop", _work_loop), ("asyncio", _add_reader))
        },
        goals=(
            Goal("p99", OURS, 1e6),
            *(Goal("p99", f"uio_workloop, {each.name}", 1.0, f"asyncio, {each.name}") for each in SETTINGS),
        ),
        units={"left to the busy thread": ""},
        rounds=5,
    ),
)
