"""What a loop's thread does before it serves, while the loop's constructor waits for it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from uio_workloop.loop.callback import check_callback


class ThreadSetup:
    """One call on the loop's thread, whose error is the constructor's."""

    def __init__(self, setup: Callable[[], object], who: str) -> None:
        check_callback(setup, who, "thread_setup")
        self._setup = setup
        self._over = Event()
        self._error: BaseException | None = None

    def run(self) -> bool:
        """Do it; whether it went well. Context: the loop's thread."""
        try:
            self._setup()
        except BaseException as error:  # even sys.exit(): it is the constructor's to raise
            self._error = error
        finally:
            self._over.set()
        return self._error is None

    def wait(self) -> None:
        """Wait until it is over, and raise what it raised."""
        self._over.wait()
        if self._error is not None:
            raise self._error
