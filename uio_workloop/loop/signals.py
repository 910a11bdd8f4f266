"""Waiting for a Unix signal in the main thread while a loop works in its own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from uio_workloop.errors import WrongThreadError

STOPPED = 0  # no signal has this number


class SignalWait:
    """A pipe that the C-level signal handler writes signal numbers to.

    The kernel gives a signal to any thread that does not block it, the loop's included; Python's handlers run in the
    main thread only, and only once it leaves its system call. The wake-up descriptor makes it leave.

    Source: signal.set_wakeup_fd in the Python library reference; signal(7).
    """

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._write_fd, False)

    def stop(self) -> None:
        """End the wait from another thread."""
        os.write(self._write_fd, bytes([STOPPED]))

    def wait_for(self, signals: Sequence[signal.Signals]) -> signal.Signals | None:
        """Block until one of `signals` arrives, or until `stop()`, which gives None."""
        while True:
            for number in os.read(self._read_fd, 64):
                if number == STOPPED:
                    return None
                if number in signals:
                    return signal.Signals(number)

    @contextmanager
    def listening(self, signals: Sequence[signal.Signals]) -> Iterator[None]:
        """Take the signals over for a `with` block and put back whoever had them; closes the pipe."""
        if threading.current_thread() is not threading.main_thread():
            self._close()
            raise WrongThreadError("run_until_signal() works in the main thread only, where Python runs handlers")
        with ExitStack() as undo:
            undo.callback(self._close)
            undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False))
            for number in signals:
                had = signal.signal(number, _ignore)
                undo.callback(signal.signal, number, signal.SIG_DFL if had is None else had)
            yield

    def _close(self) -> None:
        os.close(self._read_fd)
        os.close(self._write_fd)


def _ignore(number: int, frame: object) -> None:
    """A Python handler has to be there for the wake-up descriptor to be written; the pipe does the rest."""
