"""How late a timer is: from its deadline to the first thing its action does."""

from __future__ import annotations

import asyncio
import os
import re
import select
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.harness import Benchmark, Goal, Measures, NotAtHandError, percentiles
from benchmarks.peers import periodic_timerfd
from benchmarks.treatment import FIFO, ORDINARY, PRIORITY, Treatment
from uio_workloop import TimerEventSource, WorkLoop

ONE_SHOT_NS, ONE_SHOTS = 2_000_000, 250
PERIOD_NS, PERIODS = 1_000_000, 400
LEAST = 10
now_ns = time.monotonic_ns


class Shots:
    """The action of every contender: how late is it, and when is the next deadline?

    One-shots are armed anew when they have fired; a periodic timer keeps its rhythm, and leaves out the deadlines it
    has missed, as cyclictest does.
    """

    def __init__(self, every_ns: int, number: int, *, periodic: bool) -> None:
        self.every_ns = every_ns
        self.periodic = periodic
        self.done = threading.Event()
        self._left = number + 1  # the first pays for what is done once
        self._late_ns: list[int] = []
        self.deadline_ns = 0

    def begin(self) -> int:
        self.deadline_ns = now_ns() + self.every_ns
        return self.deadline_ns

    def fired(self) -> int:
        """The next deadline; 0 when there were enough."""
        now = now_ns()
        self._late_ns.append(now - self.deadline_ns)
        self._left -= 1
        if not self._left:
            self.done.set()
            return 0
        if self.periodic:
            self.deadline_ns += self.every_ns
            while self.deadline_ns <= now:
                self.deadline_ns += self.every_ns
        else:
            self.deadline_ns = now_ns() + self.every_ns
        return self.deadline_ns

    def measures(self) -> Measures:
        late_ns = self._late_ns[1:]
        found = percentiles(late_ns)
        return as_measures(found["p50"], statistics.fmean(late_ns), found["p99"], found["max"], typical=found["p50"])


def as_measures(p50: float, mean: float, p99: float, most: float, *, typical: float) -> Measures:
    return {"typical": typical, "p50": p50, "mean": mean, "p99": p99, "max": most}


Contender = Callable[[Shots, Treatment], None]


def _work_loop(shots: Shots, treatment: Treatment) -> None:
    with treatment.profile() as profile, WorkLoop(thread_setup=profile.apply) as loop:
        timer = TimerEventSource(partial(_on_time, shots))
        loop.add_event_source(timer)
        timer.wake_at_time_ns(shots.begin())
        shots.done.wait()


def _on_time(shots: Shots, timer: TimerEventSource) -> None:
    deadline_ns = shots.fired()
    if deadline_ns:
        timer.wake_at_time_ns(deadline_ns)


def _timerfd(shots: Shots, treatment: Treatment) -> None:
    def serve() -> None:
        fd = periodic_timerfd.create()
        period_ns = shots.every_ns if shots.periodic else 0
        with select.epoll() as epoll:
            epoll.register(fd, select.EPOLLIN)
            periodic_timerfd.arm(fd, shots.begin(), period_ns)
            while not shots.done.is_set():
                for ready, _ in epoll.poll():
                    os.read(ready, 8)
                    deadline_ns = shots.fired()
                    if deadline_ns and not period_ns:
                        periodic_timerfd.arm(fd, deadline_ns)
        os.close(fd)

    treatment.run(serve)


def _call_at(shots: Shots, treatment: Treatment) -> None:
    async def main() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def on_time() -> None:
            deadline_ns = shots.fired()
            if deadline_ns:
                loop.call_at(deadline_ns / 1e9, on_time)  # its clock is time.monotonic()
            else:
                done.set()

        loop.call_at(shots.begin() / 1e9, on_time)
        await done.wait()

    treatment.run(lambda: asyncio.run(main()))


def _threading_timer(shots: Shots, treatment: Treatment) -> None:
    def arm(deadline_ns: int) -> None:
        if deadline_ns:
            threading.Timer((deadline_ns - now_ns()) / 1e9, lambda: arm(shots.fired())).start()

    treatment.run(lambda: (arm(shots.begin()), shots.done.wait()))


def _sleep(shots: Shots, treatment: Treatment) -> None:
    def serve() -> None:
        deadline_ns = shots.begin()
        while deadline_ns:
            time.sleep(max(0, deadline_ns - now_ns()) / 1e9)
            deadline_ns = shots.fired()

    treatment.run(serve)


def _ours_or_theirs(contender: Contender, treatment: Treatment, *, periodic: bool) -> Callable[[float], Measures]:
    def one_round(scale: float) -> Measures:
        treatment.check()
        shots = Shots(*_plan(scale, periodic), periodic=periodic)
        contender(shots, treatment)
        return shots.measures()

    return one_round


def _plan(scale: float, periodic: bool) -> tuple[int, int]:
    every_ns, number = (PERIOD_NS, PERIODS) if periodic else (ONE_SHOT_NS, ONE_SHOTS)
    return every_ns, max(LEAST, int(number * scale))


def _cyclictest(treatment: Treatment, *, periodic: bool) -> Callable[[float], Measures]:
    """Its own figures; percentiles from its histogram, whose steps are 1 µs."""

    def one_round(scale: float) -> Measures:
        treatment.check()
        program = shutil.which("cyclictest")
        if program is None:
            raise NotAtHandError("apt-get install rt-tests")
        every_ns, number = _plan(scale, periodic)
        policy = ["--policy=fifo", f"--priority={PRIORITY}"] if treatment.fifo else ["--policy=other"]
        with tempfile.TemporaryDirectory() as directory:
            histogram = Path(directory, "histogram")
            command = [program, "--quiet", "--default-system", f"--affinity={treatment.cpu}", *policy]
            command += [f"--interval={every_ns // 1000}", f"--loops={number}", *([] if periodic else ["--relative"])]
            command += ["--histogram=100000", f"--histfile={histogram}"]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
            return _read(histogram.read_text())

    return one_round


def _read(histogram: str) -> Measures:
    late_ns = [
        int(bucket) * 1000
        for bucket, count in re.findall(r"^(\d{6}) (\d+)$", histogram, re.MULTILINE)
        for _ in range(int(count))
    ]
    (mean_us,) = re.findall(r"^# Avg Latencies: (\d+)", histogram, re.MULTILINE)
    (most_us,) = re.findall(r"^# Max Latencies: (\d+)", histogram, re.MULTILINE)
    found, mean_ns = percentiles(late_ns), int(mean_us) * 1000
    return as_measures(found["p50"], mean_ns, found["p99"], int(most_us) * 1000, typical=mean_ns)


OURS, CYCLICTEST, ASYNCIO = "uio_workloop", "cyclictest (C)", "asyncio.call_at"
PEERS: dict[str, Contender] = {
    "epoll + timerfd": _timerfd,
    ASYNCIO: _call_at,
    "threading.Timer": _threading_timer,
    "time.sleep": _sleep,
}
WHAT = {False: "2 ms one-shots, armed anew in the action", True: "A periodic timer at 1 kHz"}
NAME = {False: "timer-one-shot", True: "timer-periodic"}
ABOUT = (
    "Nanoseconds from the deadline to the first thing the action does. Everybody has the same treatment: {treatment}, "
    "on one processor, the same for all, and nothing else is tuned (cyclictest with --default-system). `typical` is "
    "p50, of cyclictest its mean. The work loop's timer is armed anew for every shot, also the periodic one; epoll + "
    "timerfd has the kernel repeat it."
)


def _benchmark(treatment: Treatment, *, periodic: bool) -> Benchmark:
    return Benchmark(
        name=NAME[periodic] + ("-fifo" if treatment.fifo else ""),
        title=f"{WHAT[periodic]}: how late; {treatment.name}",
        about=ABOUT.format(treatment=treatment.name),
        contenders={
            OURS: _ours_or_theirs(_work_loop, treatment, periodic=periodic),
            CYCLICTEST: _cyclictest(treatment, periodic=periodic),
            **{name: _ours_or_theirs(peer, treatment, periodic=periodic) for name, peer in PEERS.items()},
        },
        goals=(Goal("typical", OURS, 1.2, CYCLICTEST), Goal("p50", OURS, 0.1, ASYNCIO)),
        rounds=5,
    )


BENCHMARKS = tuple(
    _benchmark(treatment, periodic=periodic) for treatment in (ORDINARY, FIFO) for periodic in (False, True)
)
