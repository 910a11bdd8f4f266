"""What one interrupt costs when the next is always there already."""

from __future__ import annotations

import asyncio
import os
import select
import selectors
import subprocess
import threading
import time
from collections.abc import Callable

from benchmarks.harness import Benchmark, Goal, Measures, NotAtHandError
from benchmarks.peers import built
from uio_workloop import FilterInterruptEventSource, InterruptEventSource, SoftwareInterrupt, Trigger, WorkLoop

INTERRUPTS = 100_000


class Chain:
    """The action of every contender: it causes the next interrupt, until there were enough, and takes the time."""

    def __init__(self, fd: int, interrupts: int) -> None:
        self._fd = fd
        self._left = interrupts
        self._interrupts = interrupts
        self._write = os.eventfd_write
        self.finished = False
        self.done = threading.Event()

    def action(self, count: int) -> None:
        self._left -= count
        if self._left > 0:
            self._write(self._fd, 1)
        else:
            self.finish()

    def action_of(self, sender: object, count: int) -> None:
        """`action` as a work loop calls it."""
        self._left -= count
        if self._left > 0:
            self._write(self._fd, 1)
        else:
            self.finish()

    def begin(self) -> None:
        """Context: the thread that will serve."""
        self._began_cpu_ns = time.thread_time_ns()
        self._began_ns = time.perf_counter_ns()

    def finish(self) -> None:
        elapsed_ns = time.perf_counter_ns() - self._began_ns
        processor_ns = time.thread_time_ns() - self._began_cpu_ns
        self.measures = {
            "elapsed per interrupt": elapsed_ns / self._interrupts,
            "processor per interrupt": processor_ns / self._interrupts,
        }
        self.finished = True
        self.done.set()


def _work_loop(trigger: Trigger, *, filtered: bool = False) -> Callable[[float], Measures]:
    def contender(scale: float) -> Measures:
        with SoftwareInterrupt(trigger) as interrupt, WorkLoop() as loop:
            chain = Chain(interrupt.fileno(), _interrupts(scale))

            def first(sender: InterruptEventSource, count: int) -> None:
                """Begin, on the thread of the loop."""
                sender.set_action(chain.action_of)
                os.eventfd_write(sender.fileno(), 1)
                chain.begin()

            if filtered:
                source: InterruptEventSource = FilterInterruptEventSource(interrupt, first, _mine)
            else:
                source = InterruptEventSource(interrupt, first)
            loop.add_event_source(source)
            source.enable()
            interrupt.cause()
            chain.done.wait()
            return chain.measures

    return contender


def _mine(sender: object) -> bool:
    """A filter that has nothing to ask."""
    return True


def _in_thread(serve: Callable[[int, Chain], None], *, blocking: bool = False) -> Callable[[float], Measures]:
    """A hand-written loop, on a thread of its own as a work loop's is."""

    def contender(scale: float) -> Measures:
        fd = os.eventfd(1, 0 if blocking else os.EFD_NONBLOCK)
        try:
            chain = Chain(fd, _interrupts(scale))

            def main() -> None:
                chain.begin()
                serve(fd, chain)

            thread = threading.Thread(target=main)
            thread.start()
            thread.join()
            return chain.measures
        finally:
            os.close(fd)

    return contender


def _epoll_and_lock(fd: int, chain: Chain) -> None:
    gate = threading.RLock()
    action, read = chain.action, os.eventfd_read
    with select.epoll() as epoll:
        epoll.register(fd, select.EPOLLIN)
        poll = epoll.poll
        while not chain.finished:
            for ready, _ in poll():
                count = read(ready)
                with gate:
                    action(count)


def _selectors(fd: int, chain: Chain) -> None:
    gate = threading.RLock()
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ, chain.action)
        while not chain.finished:
            for key, _ in selector.select():
                count = os.eventfd_read(key.fd)
                with gate:
                    key.data(count)


def _blocking_read(fd: int, chain: Chain) -> None:
    action, read = chain.action, os.eventfd_read
    while not chain.finished:
        action(read(fd))


def _add_reader(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[int, Chain], None]:
    def serve(fd: int, chain: Chain) -> None:
        async def main() -> None:
            done = asyncio.Event()

            def on_readable() -> None:
                chain.action(os.eventfd_read(fd))
                if chain.finished:
                    done.set()

            loop = asyncio.get_running_loop()
            loop.add_reader(fd, on_readable)
            await done.wait()
            loop.remove_reader(fd)

        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())

    return serve


def _uvloop(scale: float) -> Measures:
    try:
        import uvloop
    except ImportError:
        raise NotAtHandError("pip install uvloop") from None
    return _in_thread(_add_reader(uvloop.new_event_loop))(scale)


def _c(scale: float) -> Measures:
    output = subprocess.check_output([built("epoll_loop"), str(_interrupts(scale))], text=True)
    elapsed_ns, processor_ns = map(float, output.split())
    return {"elapsed per interrupt": elapsed_ns, "processor per interrupt": processor_ns}


def _interrupts(scale: float) -> int:
    return max(10, int(INTERRUPTS * scale))


EDGE, LEVEL, FILTERED = "uio_workloop, edge", "uio_workloop, level", "uio_workloop, edge with a filter"
EPOLL, ASYNCIO, BLOCKING = "epoll + RLock", "asyncio.add_reader", "blocking read"

BENCHMARKS = (
    Benchmark(
        name="dispatch-saturation",
        title="One interrupt, when the next is always there already",
        about=(
            "The action causes the next interrupt by writing to the eventfd, so the loop never sleeps. That write, and "
            "the read that every contender has to do, are in the figures. The hand-written loops have no counts, no "
            "rule for errors, no order, no fairness and nothing to stop them; the blocking read has not even a lock, "
            "and serves one descriptor. A filter is asked before the gate is taken, so its source goes the long way, "
            "in two phases. C is a loop of its own, to show where the floor is."
        ),
        contenders={
            EDGE: _work_loop(Trigger.EDGE),
            LEVEL: _work_loop(Trigger.LEVEL),
            FILTERED: _work_loop(Trigger.EDGE, filtered=True),
            BLOCKING: _in_thread(_blocking_read, blocking=True),
            EPOLL: _in_thread(_epoll_and_lock),
            "selectors + RLock": _in_thread(_selectors),
            ASYNCIO: _in_thread(_add_reader(asyncio.SelectorEventLoop)),
            "uvloop": _uvloop,
            "C: epoll + mutex": _c,
        },
        goals=tuple(
            Goal("processor per interrupt", ours, at_most, peer)
            for ours in (EDGE, LEVEL)
            for peer, at_most in ((EPOLL, 0.85), (ASYNCIO, 0.5), (BLOCKING, 1.2))
        ),
        rounds=9,
    ),
)
