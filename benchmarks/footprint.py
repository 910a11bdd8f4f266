"""What the package costs before it does anything: to load, in memory, and while nothing happens."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from statistics import median

import uio_workloop
from benchmarks.harness import Benchmark, Goal, Measures

STARTS = 6  # in one round
IDLE_S = 3.0
SETTLED_WITHIN_S = 5.0

ROOT = Path(uio_workloop.__file__).parents[1]
PREPARE = f"import sys, time; sys.path.insert(0, {str(ROOT)!r}); began = time.process_time_ns()\n"
# On one line: nanoseconds of the processor since then, and pages in memory.
REPORT = "\nprint(time.process_time_ns() - began, open('/proc/self/statm').read().split()[1])"

FIRST_PROGRAM = "from uio_workloop import InterruptEventSource, SoftwareInterrupt, TimerEventSource, WorkLoop"
CARD_PROGRAM = "from uio_workloop import InterruptEventSource, PciDevice, TimerEventSource, WorkLoop"

PERIPHERY = f"sys.path.append({sysconfig.get_path('purelib')!r}); import periphery"

IDLE_LOOP = f"""{FIRST_PROGRAM}
with SoftwareInterrupt() as line, WorkLoop() as loop:
    source, timer = InterruptEventSource(line, print), TimerEventSource(print)
    loop.add_event_source(source)
    loop.add_event_source(timer)
    source.enable()
    timer.set_timeout_ms(3_600_000)
    print("idle", flush=True)
    sys.stdin.read()
"""
IDLE_ASYNCIO = """import asyncio, os, threading
async def main():
    loop = asyncio.get_running_loop()
    loop.add_reader(os.eventfd(0), print)
    loop.call_later(3600, print)
    print("idle", flush=True)
    await asyncio.Event().wait()
threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
sys.stdin.read()
os._exit(0)
"""
IDLE_BARE = """print("idle", flush=True)
sys.stdin.read()
"""


def loading(statement: str) -> Callable[[float], Measures]:
    """Interpreters that execute the statement, and as many that do nothing, in turn."""

    def contender(scale: float) -> Measures:
        _warm(statement)
        pairs = [(Start(statement), Start("")) for _ in range(max(1, round(STARTS * scale)))]
        return {
            "to load": median(mine.loading_ns for mine, _ in pairs),
            "processor, more than bare": max(0, median(mine.processor_ns - bare.processor_ns for mine, bare in pairs)),
            "memory, more than bare": max(0, median(mine.memory_mib - bare.memory_mib for mine, bare in pairs)),
        }

    return contender


class Start:
    """An interpreter that was started, has executed something, and ended: without `site`, which loads what it likes."""

    def __init__(self, statement: str) -> None:
        with _interpreter(PREPARE + statement + REPORT) as child:
            assert child.stdout is not None
            told = child.stdout.read()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise RuntimeError(f"an interpreter ended with {child.returncode}: {statement}")
        loading_ns, pages = told.split()
        self.loading_ns = int(loading_ns)
        self.memory_mib = int(pages) * os.sysconf("SC_PAGESIZE") / 2**20
        self.processor_ns = (usage.ru_utime + usage.ru_stime) * 1e9


@cache
def _warm(statement: str) -> None:
    """Once before it counts, so that its bytecode is cached."""
    Start(statement)


@contextmanager
def _interpreter(code: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", code], stdin=pipe, stdout=pipe, text=True) as child:
        yield child


def idling(code: str) -> Callable[[float], Measures]:
    """How often the kernel runs a thread of a process that has nothing to do."""

    def contender(scale: float) -> Measures:
        with _interpreter(PREPARE + code) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdout.readline()
            _settle(child.pid)
            before, began = _switches(child.pid), time.monotonic()
            time.sleep(IDLE_S * scale)
            after, ended = _switches(child.pid), time.monotonic()
            child.stdin.close()
        return {"wake-ups per second": (after - before) / (ended - began)}

    return contender


def _settle(pid: int) -> None:
    """Wait until every thread sleeps and nothing is on its way to it; what never does is what is to be counted."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    seen = -1
    while seen != (seen := _switches(pid)) and time.monotonic() < deadline:
        time.sleep(0.1)  # nothing tells when another process has come to rest


def _switches(pid: int) -> int:
    """Context switches of all threads, willing or not: each is the end of a wake-up."""
    return sum(
        int(line.split()[1])
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
        if "ctxt_switches" in line
    )


PACKAGE, FIRST, CARD, ALL = "import uio_workloop", "what a first program uses", "what a card's uses", "all its names"
LOOP = "a work loop with an interrupt and a timer"

BENCHMARKS = (
    Benchmark(
        "loading",
        "Loading the package",
        {
            PACKAGE: loading("import uio_workloop"),
            FIRST: loading(FIRST_PROGRAM),
            CARD: loading(CARD_PROGRAM),
            ALL: loading("from uio_workloop import *"),
            "import asyncio": loading("import asyncio"),
            "import periphery": loading(PERIPHERY),
        },
        (
            Goal("processor, more than bare", PACKAGE, 25e6),
            Goal("memory, more than bare", PACKAGE, 6.0),
            Goal("processor, more than bare", FIRST, 25e6),
            Goal("memory, more than bare", FIRST, 6.0),
            Goal("memory, more than bare", ALL, 6.0),
        ),
        "Interpreters of their own, isolated and without site, bytecode cached; beside each, one that loads nothing. "
        "The first column is the statement alone; the second, all that the process took more, its end included, where "
        "modules have to be taken down. The package loads each of its names when it is asked for, so its own import "
        "costs next to nothing: what a program pays is in the lines below it. A first program uses WorkLoop, "
        "InterruptEventSource, TimerEventSource and SoftwareInterrupt; a card's, PciDevice in place of the last.",
        units={"memory, more than bare": "MiB"},
        rounds=5,
    ),
    Benchmark(
        "idle",
        "Nothing to do",
        {LOOP: idling(IDLE_LOOP), "asyncio, the same": idling(IDLE_ASYNCIO), "bare interpreter": idling(IDLE_BARE)},
        (Goal("wake-ups per second", LOOP, 0),),
        "An interrupt source that is enabled, a timer an hour away, the main thread waiting for its input: context "
        "switches of all threads, as the kernel counts them.",
        unit="/s",
        rounds=3,
    ),
)
