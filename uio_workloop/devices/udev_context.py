"""The process's one door to libudev."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# libudev's objects belong to one thread at a time. Recursive, because a signal's handler may come in between.
_looking_up = threading.RLock()
_context: Any = None


@contextmanager
def udev_context() -> Iterator[Any]:
    """For a `with` block the pyudev context, for this thread alone; leave no object of pyudev behind in it.

    Made once in a process: to find its library pyudev starts another program, which can take a tenth of a second.

    Context: any thread; waits for the one that looks something up.
    """
    global _context
    with _looking_up:
        if _context is None:
            import pyudev  # here, so that programs that name their device by node never load it

            _context = pyudev.Context()
        yield _context


def _start_anew() -> None:
    """In the child of a fork: the thread that was looking something up is not here, and left it half done."""
    global _looking_up, _context
    _looking_up, _context = threading.RLock(), None


os.register_at_fork(after_in_child=_start_anew)
