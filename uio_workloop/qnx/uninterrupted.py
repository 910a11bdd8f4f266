"""Doing something whole although a signal handler may raise at any instant.

That happens in the main thread only, so there it is done by another thread while the main one waits. What an exception
ends then is the wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from uio_workloop.errors import DeadlockError
from uio_workloop.loop import deadlock

T = TypeVar("T")


def uninterrupted(do: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """`do()`, which is done in full or not at all; if an exception takes the caller away meanwhile, it is undone.

    Context: any thread. `do` may be called in another one.
    """
    if threading.current_thread() is not threading.main_thread():
        return do()
    task = _Task(do, undo)
    try:
        thread = threading.Thread(target=task.run, name="qnx call", daemon=True)
        thread.start()
        deadlock.join(thread)
    except BaseException:  # of a signal handler
        task.abandon()
        raise
    if isinstance(task.error, DeadlockError) or (isinstance(task.error, OSError) and task.deadlocked):
        return do()  # it wants a gate that the caller has
    return task.outcome()


class _Task(Generic[T]):
    def __init__(self, do: Callable[[], T], undo: Callable[[T], object] | None) -> None:
        self._do = do
        self._undo = undo
        self._lock = threading.Lock()
