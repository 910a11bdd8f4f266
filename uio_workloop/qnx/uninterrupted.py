"""Doing something whole, although a signal handler may raise at any instant.

It may in the main thread only. So there it is done by another thread while the main one waits, and what an exception
ends is the wait.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from uio_workloop.errors import DeadlockError
from uio_workloop.loop import deadlock

T = TypeVar("T")


def uninterrupted(do: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """`do()`, in full or not at all; if an exception takes the caller away meanwhile, it is undone.

    Context: any thread; `do` may be called in another one, and once more in the caller's if it needs a gate of his.
    """
    if threading.current_thread() is not threading.main_thread():
        return do()
    task = _Task(do, undo)
    thread = threading.Thread(target=task.run, name="a call of the main thread", daemon=True)
    try:
        thread.start()
        deadlock.join(thread)
    except BaseException as error:  # of a signal handler
        if isinstance(error, RuntimeError) and thread.ident is None:  # there can be no more threads
            return do()
        task.abandon()
        raise
    if isinstance(task.error, DeadlockError) or (isinstance(task.error, OSError) and task.error.errno == errno.EDEADLK):
        return do()
    if task.error is not None:
        raise task.error
    return task.results[0]


class _Task(Generic[T]):
    """What is to be done in full, by whom it was given up or not."""

    def __init__(self, do: Callable[[], T], undo: Callable[[T], object] | None) -> None:
        self.results: list[T] = []
        self.error: BaseException | None = None
        self._do = do
        self._undo = undo
        self._lock = threading.Lock()
        self._abandoned = False

    def run(self) -> None:
        try:
            self.results.append(self._do())
        except BaseException as error:  # raised in the caller's thread
            self.error = error
        with self._lock:
            abandoned, self._abandoned = self._abandoned, True
        if abandoned:
            self._undo_it()

    def abandon(self) -> None:
        """Nobody waits for it any more: who comes last undoes it. Context: the main thread."""
        with self._lock:
            finished, self._abandoned = self._abandoned, True
        if finished:
            threading.Thread(target=self._undo_it, daemon=True).start()

    def _undo_it(self) -> None:
        if self._undo is not None:
            for result in self.results:
                self._undo(result)
