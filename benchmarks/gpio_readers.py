"""Those who read the edges of a GPIO line, each in the manner of its documentation."""

from __future__ import annotations

import os
import select
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from benchmarks import gpio_lines
from benchmarks.raiser import Stamp
from uio_workloop import GpioLine, InterruptEventSource, WorkLoop

EACH = "take_edges()"
DEADLINE_S = 60
KEPT = 1024
EVENT = struct.Struct("=QIIII24x")  # time stamp, kind, offset, number, number of the line's own
RISING = 1


class Meter:
    """What all readers tell their edges to.

    Args:
        answer_every: so many edges, the maker is told to go on; 0 is never.
    """

    def __init__(self, *, answer_every: int = 0) -> None:
        self.seen = 0
        self.ask_lost: Callable[[], int] | None = None
        """Where a reader that counts what was lost says so."""
        self.finished = False
        self.answer_fd = os.eventfd(0)
        self.stamp = Stamp()
        self._last = self._lost = 0
        self._every = answer_every or 1 << 62
        self._next = self._every
        self._sum = 0

    def count(self, edges: int) -> None:
        """There were so many."""
        self.seen += edges
        if self.seen >= self._next:
            self._next += self._every
            os.eventfd_write(self.answer_fd, 1)

    def numbered(self, edges: int, last: int) -> None:
        """There were so many, and the number of the last is `last`; the kernel begins with 1."""
        self._lost += last - self._last - edges
        self._last = last
        self.count(edges)

    @property
    def lost(self) -> int:
        return self._lost if self.ask_lost is None else self.ask_lost()

    def look_at(self, timestamp_ns: int, rising: bool) -> None:
        """What an action does with each edge."""
        self._sum += timestamp_ns if rising else -timestamp_ns

    def wait_for(self, edges: int) -> None:
        end = time.monotonic() + DEADLINE_S
        while self.seen < edges:
            if time.monotonic() > end:
                raise RuntimeError(f"{self.seen} of {edges} edges were read, and no more came")
            time.sleep(0.001)

    def settle(self, quiet_s: float) -> None:
        """Wait until no more edges are read."""
        before = -1
        while before != self.seen:
            before = self.seen
            time.sleep(quiet_s)

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self.answer_fd)
        self.stamp.memory.release()
        self.stamp.close()


Reader = Callable[[Meter], AbstractContextManager[None]]
"""For a `with` block, edges of the line are read and told."""


@contextmanager
def work_loop(meter: Meter) -> Iterator[None]:
    def action(sender: object, count: int) -> None:
        meter.count(count)

    with _source(GpioLine.find(_NAME), meter, action):
        yield


@contextmanager
def work_loop_each(meter: Meter) -> Iterator[None]:
    def action(sender: object, count: int) -> None:
        for timestamp_ns, rising in line.take_edges():
            meter.look_at(timestamp_ns, rising)
        meter.count(count)

    line = GpioLine.find(_NAME, keep_edges=KEPT)
    with _source(line, meter, action):
        yield


_NAME = f"gpio:lab/{gpio_lines.OFFSET}"


@contextmanager
def _source(line: GpioLine, meter: Meter, action: Callable[[Any, int], None]) -> Iterator[None]:
    with line, WorkLoop() as loop:
        source = InterruptEventSource(line, action)
        meter.ask_lost = lambda: source.statistics.lost
        loop.add_event_source(source)
        source.enable()
        yield


def epoll(tell: Callable[[Meter, bytes], None]) -> Reader:
    """The hand-written loop, which reads as many edges at once as the kernel has."""

    @contextmanager
    def reader(meter: Meter) -> Iterator[None]:
        gate = threading.RLock()

        def serve() -> None:
            with select.epoll() as poll_set:
                poll_set.register(line_fd, select.EPOLLIN)
                while not meter.finished:
                    for fd, _ in poll_set.poll():
                        events = os.read(fd, gpio_lines.QUEUED * EVENT.size)
                        with gate:
                            tell(meter, events)

        with gpio_lines.plain_line() as line_fd, _on_a_thread(serve):
            yield

    return reader


def _count(meter: Meter, events: bytes) -> None:
    *_, last = EVENT.unpack_from(events, len(events) - EVENT.size)
    meter.numbered(len(events) // EVENT.size, last)


def _each(meter: Meter, events: bytes) -> None:
    edges = last = 0
    for timestamp_ns, kind, _, _, last in EVENT.iter_unpack(events):  # noqa: B007 - the last is used below
        meter.look_at(timestamp_ns, kind == RISING)
        edges += 1
    meter.numbered(edges, last)


def gpiod(*, each: bool = False, queued: int | None = None) -> Reader:
    """The loop of gpiod's documentation."""

    @contextmanager
    def reader(meter: Meter) -> Iterator[None]:
        def serve() -> None:
            while not meter.finished:
                events = request.read_edge_events()
                if each:
                    for event in events:
                        meter.look_at(event.timestamp_ns, event.event_type is event.Type.RISING_EDGE)
                meter.numbered(len(events), events[-1].line_seqno)

        with gpio_lines.gpiod_request(queued) as request, _on_a_thread(serve):
            yield

    return reader


def periphery(*, each: bool = False) -> Reader:
    """The loop of python-periphery's documentation; an edge at a time, which is all that it has."""

    @contextmanager
    def reader(meter: Meter) -> Iterator[None]:
        def serve() -> None:
            while not meter.finished:
                if line.poll():
                    event = line.read_event()
                    if each:
                        meter.look_at(event.timestamp, event.edge == "rising")
                    meter.count(1)

        with gpio_lines.periphery_line() as line, _on_a_thread(serve):
            yield

    return reader


def gpiozero(*, each: bool = False) -> Reader:
    """Callbacks, an edge each; what they can learn of its time is how long ago it was."""

    @contextmanager
    def reader(meter: Meter) -> Iterator[None]:
        def activated() -> None:
            if each:
                meter.look_at(line.active_time, True)
            meter.count(1)

        def deactivated() -> None:
            if each:
                meter.look_at(line.inactive_time, False)
            meter.count(1)

        with gpio_lines.gpiozero_input() as line:
            line.when_activated, line.when_deactivated = activated, deactivated
            yield

    return reader


@contextmanager
def _on_a_thread(serve: Callable[[], None]) -> Iterator[None]:
    """It ends with the first edge after `finished`."""
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    thread.join()


READERS: Mapping[str, Reader] = {
    "uio_workloop": work_loop,
    "uio_workloop, 1,024 kept": work_loop_each,
    "epoll + RLock": epoll(_count),
    "gpiod": gpiod(),
    "gpiod, 1,024 queued": gpiod(queued=1024),
    "python-periphery": periphery(),
    "gpiozero": gpiozero(),
}
READERS_OF_EACH: Mapping[str, Reader] = {
    "uio_workloop": work_loop_each,
    "epoll + RLock": epoll(_each),
    "gpiod": gpiod(each=True),
    "python-periphery": periphery(each=True),
    "gpiozero": gpiozero(each=True),
}
