"""Threads under observation: they get on with it, or everybody is told where each of them stands.

Whoever is stuck may hold a gate, so what failed that way cannot be closed, and must not be waited for.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable

from uio_workloop import Deadline
from uio_workloop.clock import SECOND_NS
from uio_workloop.loop import lifetime

STUCK_S = 20


class StuckError(AssertionError):
    """Threads that wait for each other, or for nothing."""


def stacks() -> str:
    """Where every thread of this process stands."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"thread {names.get(ident)!r}:\n" + "".join(traceback.format_stack(frame))
        for ident, frame in sys._current_frames().items()
    )


def give_up_on_loops() -> None:
    """Let the interpreter end without them: it would wait for their gates."""
    for loop in list(lifetime._running):
        lifetime.forget(loop)


class Watched:
    """A thread that does one thing after the other until told to stop; `did` says how often it did what.

    A daemon, so that one caught in a deadlock does not keep the test run from ending with the news of it.
    """

    def __init__(self, name: str, do_something: Callable[[], str], stop: threading.Event) -> None:
        self.did: Counter[str] = Counter()
        self.error: str | None = None
        self._do_something = do_something
        self._stop = stop
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def done(self) -> int:
        return sum(list(self.did.values()))

    def ends_by(self, deadline: Deadline) -> bool:
        """Wait for its end; false if that does not come."""
        self._thread.join(deadline.remaining_ns / SECOND_NS)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                self.did[self._do_something()] += 1
        except BaseException:
            self.error = traceback.format_exc()
            self._stop.set()


def watch(seconds: float, jobs: dict[str, Callable[[], str]]) -> Counter[str]:
    """Do all jobs again and again, each on a thread of its own, for so many seconds; how often what was done.

    Raises:
        StuckError: one of them did nothing for 20 s, or did not end; with the stacks of all threads.
        AssertionError: one of them raised.
    """
    stop = threading.Event()
    threads = [Watched(name, job, stop) for name, job in jobs.items()]
    for thread in threads:
        thread.start()
    try:
        watch_until(Deadline.after(int(seconds * SECOND_NS)), threads, stop)
    finally:
        stop.set()
    at_the_latest = Deadline.after(STUCK_S * SECOND_NS)
    check_not_stuck([thread for thread in threads if not thread.ends_by(at_the_latest)])
    errors = [thread.error for thread in threads if thread.error is not None]
    assert not errors, "\n".join(errors)
    return sum((thread.did for thread in threads), Counter())


def watch_until(end: Deadline, threads: list[Watched], stop: threading.Event) -> None:
    while not end.expired:
        period_s = min(STUCK_S, end.remaining_ns / SECOND_NS)
        before = [thread.done for thread in threads]
        if stop.wait(period_s):  # one of them failed
            return
        if period_s == STUCK_S:
            check_not_stuck([thread for thread, done in zip(threads, before, strict=True) if thread.done == done])


def check_not_stuck(suspects: list[Watched]) -> None:
    if suspects:
        give_up_on_loops()
        raise StuckError(f"{len(suspects)} threads are stuck:\n{stacks()}")
