"""Threads that do as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from helpers import DEADLINE_S

Job = Callable[[], Any]


class Worker:
    """A thread that does one job after the other; `do` hands it one, and the future tells how it went.

    A daemon, so that one caught in a deadlock does not keep the test run from ending with the news of it.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[tuple[Job, Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Job) -> Future[Any]:
        future: Future[Any] = Future()
        self._jobs.put((job, future))
        return future

    def dismiss(self) -> None:
        self._jobs.put(None)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), f"{self._thread.name} is stuck"

    def _work(self) -> None:
        while (order := self._jobs.get()) is not None:
            job, future = order
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)


def at_once(*orders: tuple[Worker, Job]) -> list[Any]:
    """Have each worker do its job, all of them starting together; what the jobs returned."""
    start = threading.Barrier(len(orders))

    def after_the_start(job: Job) -> Any:
        start.wait(DEADLINE_S)
        return job()

    futures = [worker.do(lambda job=job: after_the_start(job)) for worker, job in orders]
    return [future.result(DEADLINE_S) for future in futures]
