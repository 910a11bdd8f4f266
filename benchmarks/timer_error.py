"""How late a timer is: from its deadline to the first thing its action does."""

from __future__ import annotations

import asyncio
import os
import random
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from benchmarks.harness import Benchmark, Goal, Measures, NotAtHandError, percentiles
from benchmarks.peers import periodic_timerfd
from benchmarks.treatment import FIFO, ORDINARY, PRIORITY, Treatment
from uio_workloop import TimerEventSource, WorkLoop

ONE_SHOT_NS, ONE_SHOTS = 2_000_000, 250
PERIOD_NS, PERIODS = 1_000_000, 400
SPREAD_NS = 500_000  # of one-shots that are not whole milliseconds away
LEAST = 10
MOST_US = 100_000
now_ns = time.monotonic_ns


class Plan(Enum):
    """Which deadlines; name of the benchmark, and title."""

    ONE_SHOT = "timer-one-shot", "2 ms one-shots, armed anew in the action"
    ANY_INSTANT = "timer-any-instant", "The same, but 1.5 to 2.5 ms: at instants that are not whole milliseconds away"
    PERIODIC = "timer-periodic", "A periodic timer at 1 kHz"

    def size(self, scale: float) -> tuple[int, int]:
        """How far apart, and how many."""
        every_ns, number = (PERIOD_NS, PERIODS) if self is Plan.PERIODIC else (ONE_SHOT_NS, ONE_SHOTS)
        return every_ns, max(LEAST, int(number * scale))


class Shots:
    """The action of every contender: how late is it, and when is the next deadline?

    One-shots are armed anew when they have fired; a periodic timer keeps its rhythm, and leaves out the deadlines it
    has missed, as cyclictest does.
    """

    def __init__(self, plan: Plan, scale: float) -> None:
        self.every_ns, number = plan.size(scale)
        self.periodic = plan is Plan.PERIODIC
        self._spread_ns = SPREAD_NS if plan is Plan.ANY_INSTANT else 0
        self._dice = random.Random(1)  # the same throws for everybody
        self.done = threading.Event()
        self._left = number + 1  # the first pays for what is done once
        self._late_ns: list[int] = []
        self.deadline_ns = 0

    def begin(self) -> int:
        self.deadline_ns = now_ns() + self.every_ns
        return self.deadline_ns

    def fired(self, now: int) -> int:
        """The next deadline, 0 when there were enough; it fired at `now`, taken before anything else is done."""
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
            away_ns = self.every_ns + self._dice.randint(-self._spread_ns, self._spread_ns)
            self.deadline_ns = now_ns() + away_ns
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

        def on_time(timer: TimerEventSource) -> None:
            deadline_ns = shots.fired(now_ns())
            if deadline_ns:
                timer.wake_at_time_ns(deadline_ns)

        timer = TimerEventSource(on_time)
        loop.add_event_source(timer)
        timer.wake_at_time_ns(shots.begin())
        shots.done.wait()


def _timerfd(shots: Shots, treatment: Treatment) -> None:
    def serve() -> None:
        fd = periodic_timerfd.create()
        period_ns = shots.every_ns if shots.periodic else 0
        with select.epoll() as epoll:
            epoll.register(fd, select.EPOLLIN)
            first_ns, expired = shots.begin(), 0
            periodic_timerfd.arm(fd, first_ns, period_ns)
            while not shots.done.is_set():
                for ready, _ in epoll.poll():
                    expired += int.from_bytes(os.read(ready, 8), sys.byteorder)
                    if period_ns:
                        shots.deadline_ns = first_ns + (expired - 1) * period_ns  # what the kernel has told us of last
                    deadline_ns = shots.fired(now_ns())
                    if deadline_ns and not period_ns:
                        periodic_timerfd.arm(fd, deadline_ns)
        os.close(fd)

    treatment.run(serve)


def _call_at(shots: Shots, treatment: Treatment) -> None:
    async def main() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def on_time() -> None:
            deadline_ns = shots.fired(now_ns())
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
            threading.Timer((deadline_ns - now_ns()) / 1e9, lambda: arm(shots.fired(now_ns()))).start()

    def main() -> None:
        arm(shots.begin())
        shots.done.wait()

    treatment.run(main)


def _sleep(shots: Shots, treatment: Treatment) -> None:
    def serve() -> None:
        deadline_ns = shots.begin()
        while deadline_ns:
            time.sleep(max(0, deadline_ns - now_ns()) / 1e9)
            deadline_ns = shots.fired(now_ns())

    treatment.run(serve)


def _turn(contender: Contender, plan: Plan, treatment: Treatment) -> Callable[[float], Measures]:
    def one_round(scale: float) -> Measures:
        treatment.check()
        shots = Shots(plan, scale)
        contender(shots, treatment)
        return shots.measures()

    return one_round


def _cyclictest(plan: Plan, treatment: Treatment) -> Callable[[float], Measures]:
    """Its own figures; percentiles from its histogram, whose steps are 1 µs."""

    def one_round(scale: float) -> Measures:
        treatment.check()
        program = shutil.which("cyclictest")
        if program is None:
            raise NotAtHandError("apt-get install rt-tests")
        every_ns, number = plan.size(scale)
        policy = ["--policy=fifo", f"--priority={PRIORITY}"] if treatment.fifo else ["--policy=other"]
        with tempfile.TemporaryDirectory() as directory:
            histogram = Path(directory, "histogram")
            command = [program, "--quiet", "--default-system", f"--affinity={treatment.cpu}", *policy]
            command += [f"--interval={every_ns // 1000}", f"--loops={number}"]
            command += [] if plan is Plan.PERIODIC else ["--relative"]
            command += [f"--histogram={MOST_US}", f"--histfile={histogram}"]
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
ABOUT = (
    "From the deadline to the first thing the action does. Everybody has the same treatment: {treatment}, on one "
    "processor, the same for all, and nothing else is tuned (cyclictest with --default-system). `typical` is p50, of "
    "cyclictest its mean. The work loop's timer is armed anew for every shot, also the periodic one; epoll + timerfd "
    "has the kernel repeat that. asyncio sleeps whole milliseconds, so a deadline that is a whole number of them away "
    "from where it is armed is the one it meets best; cyclictest's always are."
)


def _benchmark(plan: Plan, treatment: Treatment) -> Benchmark:
    name, title = plan.value
    return Benchmark(
        name=name + ("-fifo" if treatment.fifo else ""),
        title=f"{title}: how late; {treatment.name}",
        about=ABOUT.format(treatment=treatment.name),
        contenders={
            OURS: _turn(_work_loop, plan, treatment),
            CYCLICTEST: _cyclictest(plan, treatment),
            **{peer: _turn(contender, plan, treatment) for peer, contender in PEERS.items()},
        },
        goals=(Goal("typical", OURS, 1.2, CYCLICTEST), Goal("p50", OURS, 0.1, ASYNCIO)),
        rounds=5,
    )


BENCHMARKS = (
    *(_benchmark(plan, ORDINARY) for plan in Plan),
    *(_benchmark(plan, FIFO) for plan in (Plan.ONE_SHOT, Plan.PERIODIC)),
)
