"""From raising an interrupt to its action, one at a time: what every contender has in common, and the bare loops."""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

from benchmarks.harness import Goal, Measures, percentiles
from benchmarks.raiser import Job, Stamp, raiser
from uio_workloop import InterruptEventSource, WorkLoop

BLOCKING, EPOLL, ASYNCIO = "blocking read", "epoll + RLock", "asyncio.add_reader"
OURS = "uio_workloop"


class Probe:
    """What the action of every contender does first and last: take the time, and answer.

    Args:
        interrupts: how many there will be.
    """

    def __init__(self, interrupts: int) -> None:
        self.stamp = Stamp()
        self.raised_ns = self.stamp.memory
        self.answer_fd = os.eventfd(0)
        self.finished = False
        self._samples: list[int] = []
        self._left = interrupts

    def answer(self, latency_ns: int) -> None:
        """Context: the action, with everything else done."""
        self._samples.append(latency_ns)
        self._left -= 1
        if not self._left:
            self.finished = True
        os.eventfd_write(self.answer_fd, 1)

    def measures(self) -> Measures:
        raiser().took_ns()
        return percentiles(self._samples)

    def close(self) -> None:
        os.close(self.answer_fd)
        self.raised_ns.release()
        self.stamp.close()

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Setting:
    """A device that interrupts when told, and how a hand-written loop reads and answers it. For a `with` block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Let go of the device."""

    def probe(self, interrupts: int) -> Probe:
        """What is measured: here, how late the action is."""
        return Probe(interrupts)

    def begin(self, probe: Probe, interrupts: int) -> None:
        """Have the interrupts caused. Context: somebody is there to be interrupted."""
        raiser().begin(self.job(interrupts), self.target_fd(), probe.answer_fd, probe.stamp.fd)

    def job(self, interrupts: int) -> Job:
        raise NotImplementedError

    def target_fd(self) -> int:
        """What the raiser raises through."""
        raise NotImplementedError

    def provider(self) -> AbstractContextManager[Any]:
        """What our source is on."""
        raise NotImplementedError

    def action(self, probe: Probe) -> Callable[[Any, int], None]:
        """Our action."""
        raise NotImplementedError

    def descriptor(self, *, blocking: bool) -> AbstractContextManager[int]:
        """What a hand-written loop opens."""
        raise NotImplementedError

    def bare(self, fd: int, probe: Probe) -> tuple[Callable[[int], Any], Callable[[Any], None]]:
        """How a hand-written loop drains the descriptor, and its action, which is given what was drained."""
        raise NotImplementedError


def work_loop(setting: Setting, interrupts: int) -> Measures:
    with setting.probe(interrupts) as probe, setting.provider() as provider, WorkLoop() as loop:
        source = InterruptEventSource(provider, setting.action(probe))
        loop.add_event_source(source)
        source.enable()
        setting.begin(probe, interrupts)
        return probe.measures()


Drain = Callable[[int], Any]
Action = Callable[[Any], None]
Serve = Callable[[int, Drain, Action, Probe], None]


def hand_written(serve: Serve, *, blocking: bool = False) -> Callable[[Setting, int], Measures]:
    """A loop of a few lines, on a thread of its own as a work loop's is."""

    def contender(setting: Setting, interrupts: int) -> Measures:
        with setting.probe(interrupts) as probe, setting.descriptor(blocking=blocking) as fd:
            drain, action = setting.bare(fd, probe)
            return on_a_thread(setting, probe, interrupts, lambda: serve(fd, drain, action, probe))

    return contender


def on_a_thread(
    setting: Setting, probe: Probe, interrupts: int, serve: Callable[[], None], attached: threading.Event | None = None
) -> Measures:
    """Have a thread serve; interrupts are caused at once, or when it says that it is `attached`."""
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    if attached is not None:
        attached.wait()
    setting.begin(probe, interrupts)
    measures = probe.measures()
    thread.join()
    return measures


def _blocking(fd: int, drain: Drain, action: Action, probe: Probe) -> None:
    while not probe.finished:
        action(drain(fd))


def _epoll(fd: int, drain: Drain, action: Action, probe: Probe) -> None:
    gate = threading.RLock()
    with select.epoll() as epoll:
        epoll.register(fd, select.EPOLLIN)
        poll = epoll.poll
        while not probe.finished:
            for ready, _ in poll():
                drained = drain(ready)
                with gate:
                    action(drained)


def _asyncio(fd: int, drain: Drain, action: Action, probe: Probe) -> None:
    async def main() -> None:
        done = asyncio.Event()

        def on_readable() -> None:
            action(drain(fd))
            if probe.finished:
                done.set()

        loop = asyncio.get_running_loop()
        loop.add_reader(fd, on_readable)
        await done.wait()
        loop.remove_reader(fd)

    asyncio.run(main())


def contender(
    make: Callable[[], Setting], run: Callable[[Setting, int], Measures], interrupts: int
) -> Callable[[float], Measures]:
    """One for a benchmark, which has so many interrupts at full size."""

    def one_round(scale: float) -> Measures:
        with make() as setting:
            return run(setting, max(10, int(interrupts * scale)))

    return one_round


BARE_THREAD = hand_written(_blocking, blocking=True)

COMMON: Mapping[str, Callable[[Setting, int], Measures]] = {
    OURS: work_loop,
    BLOCKING: BARE_THREAD,
    EPOLL: hand_written(_epoll),
    ASYNCIO: hand_written(_asyncio),
}
"""The contenders that any device has."""


def goals(ours: str = OURS) -> tuple[Goal, ...]:
    """What raise to action may cost, beside the bare loop and beside asyncio."""
    return (Goal("p50", ours, 1.1, EPOLL), Goal("p99", ours, 1.25, EPOLL), Goal("p50", ours, 0.5, ASYNCIO))
