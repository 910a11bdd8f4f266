"""Whether idle sources cost anything: dispatch, memory, coming and going."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import select
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.harness import Benchmark, Goal, Measures, NotAtHandError
from uio_workloop import InterruptEventSource, SoftwareInterrupt, WorkLoop

DISPATCHES = 20_000
NUMBERS = (1, 10, 100, 1_000, 10_000)
IN_FOOTPRINT = 1_000


@contextmanager
def _descriptors(number: int) -> Iterator[None]:
    """Be allowed so many for a `with` block.

    Raises:
        NotAtHandError: the hard limit is below that.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise NotAtHandError(f"needs {wanted:,} descriptors, the hard limit is {hard:,}; raise it with ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Relay:
    """Interrupts that cause each other in turn; with one descriptor, one that causes itself."""

    def __init__(self, fds: list[int], dispatches: int) -> None:
        self._fds = fds
        self._left = self._dispatches = dispatches
        self._turn = 0
        self.finished = False
        self.done = threading.Event()

    def action(self, sender: object, count: int) -> None:
        self._left -= 1
        if self._left == self._dispatches - 1:
            self._began_ns = time.thread_time_ns()
        if self._left > 0:
            self._turn = (self._turn + 1) % len(self._fds)
            os.eventfd_write(self._fds[self._turn], 1)
        else:
            self.per_dispatch_ns = (time.thread_time_ns() - self._began_ns) / (self._dispatches - 1)
            self.finished = True
            self.done.set()

    def begin(self) -> None:
        os.eventfd_write(self._fds[0], 1)


def _work_loop(number: int) -> Callable[[float], Measures]:
    def contender(scale: float) -> Measures:
        with _descriptors(number), ExitStack() as held:
            interrupts = [held.enter_context(SoftwareInterrupt()) for _ in range(number)]
            loop = held.enter_context(WorkLoop())
            sources = []
            for interrupt in interrupts:
                source = InterruptEventSource(interrupt, _idle)
                loop.add_event_source(source)
                source.enable()
                sources.append(source)

            def measure(busy: list[int]) -> float:
                relay = Relay([interrupts[each].fileno() for each in busy], _dispatches(scale))
                for each in busy:
                    sources[each].set_action(relay.action)
                relay.begin()
                relay.done.wait()
                return relay.per_dispatch_ns

            return {"one is busy": measure([number - 1]), "busy in turn": measure(list(range(number)))}

    return contender


def _idle(sender: object, count: int) -> None:
    """Never called."""


def _walk(number: int) -> Callable[[float], Measures]:
    """As IOKit does it: every source of the chain is asked whenever one has work."""

    def contender(scale: float) -> Measures:
        with _descriptors(number), ExitStack() as held:
            fds = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(number)]
            for fd in fds:
                held.callback(os.close, fd)
            epoll = held.enter_context(select.epoll())
            for fd in fds:
                epoll.register(fd, select.EPOLLIN)
            gate = threading.RLock()

            def serve(relay: Relay) -> None:
                work: dict[int, int] = {}
                while not relay.finished:
                    for ready, _ in epoll.poll():
                        work[ready] = os.eventfd_read(ready)
                    with gate:
                        for fd in fds:
                            if fd in work:
                                relay.action(None, work.pop(fd))

            def measure(busy: list[int]) -> float:
                relay = Relay(busy, max(20, _dispatches(scale) // max(1, number // 20)))
                relay.begin()
                thread = threading.Thread(target=serve, args=(relay,))
                thread.start()
                thread.join()
                return relay.per_dispatch_ns

            return {"one is busy": measure([fds[-1]]), "busy in turn": measure(fds)}

    return contender


def _dispatches(scale: float) -> int:
    return max(20, int(DISPATCHES * scale))


# Coming and going


def _footprint_of_ours(scale: float) -> Measures:
    number = max(10, int(IN_FOOTPRINT * scale))
    with _descriptors(number), WorkLoop() as loop:
        made: list[tuple[SoftwareInterrupt, InterruptEventSource]] = []

        def make() -> None:
            for _ in range(number):
                interrupt = SoftwareInterrupt()
                made.append((interrupt, InterruptEventSource(interrupt, _idle)))

        def add() -> None:
            for _, source in made:
                loop.add_event_source(source)
                source.enable()

        def remove() -> None:
            for _, source in made:
                loop.remove_event_source(source)

        try:
            return _footprint(number, make, add, remove)
        finally:
            for interrupt, _ in made:
                interrupt.close()


def _footprint_of_asyncio(scale: float) -> Measures:
    number = max(10, int(IN_FOOTPRINT * scale))
    with _descriptors(number), asyncio.Runner() as runner:
        loop, fds = runner.get_loop(), list[int]()

        def make() -> None:
            fds.extend(os.eventfd(0, os.EFD_NONBLOCK) for _ in range(number))

        def add() -> None:
            for fd in fds:
                loop.add_reader(fd, lambda fd=fd: os.eventfd_read(fd))  # type: ignore[misc]  # a default has no type in a lambda

        def remove() -> None:
            for fd in fds:
                loop.remove_reader(fd)

        try:
            return _footprint(number, make, add, remove)
        finally:
            for fd in fds:
                os.close(fd)


def _footprint(
    number: int, make: Callable[[], None], add: Callable[[], None], remove: Callable[[], None]
) -> dict[str, float]:
    gc.collect()
    tracemalloc.start()
    try:
        make()
        add()
        memory = tracemalloc.get_traced_memory()[0] / number
        remove()
    finally:
        tracemalloc.stop()
    timed = {}
    for name, operation in (("add", add), ("remove", remove)):
        began_ns = time.perf_counter_ns()
        operation()
        timed[f"{name}, each"] = (time.perf_counter_ns() - began_ns) / number
    return {"memory, each": memory, **timed}


def _named(number: int) -> str:
    return f"uio_workloop, {number:,} source{'s' if number > 1 else ''}"


BENCHMARKS = (
    Benchmark(
        name="many-sources",
        title="One dispatch, with more and more sources on the loop",
        about=(
            "Processor time of the loop's thread. One is busy: it causes its own next interrupt, the others idle. Busy "
            "in turn: each causes that of the next, so that every dispatch meets another descriptor, another source, "
            "and cold caches; another look at the same one is in vain. The straw man asks all sources of its chain "
            "whenever one has work."
        ),
        contenders={
            **{_named(number): _work_loop(number) for number in NUMBERS},
            **{f"walk of the chain, {number:,}": _walk(number) for number in NUMBERS},
        },
        goals=(
            Goal("one is busy", _named(10_000), 1.1, _named(1)),
            Goal("busy in turn", _named(10_000), 1.1, _named(10)),
        ),
    ),
    Benchmark(
        name="source-footprint",
        title="What a source costs that does nothing",
        about=(
            "Python's memory for an interrupt, its source and their place on the loop; time to add and enable, and to "
            "remove. asyncio has no object for an interrupt: a descriptor and a callback."
        ),
        contenders={"uio_workloop": _footprint_of_ours, "asyncio.add_reader": _footprint_of_asyncio},
        units={"memory, each": "bytes"},
        goals=(Goal("memory, each", "uio_workloop", 2048),),
    ),
)
