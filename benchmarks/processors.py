"""Who runs where: those who raise interrupts on one processor, those who are measured on the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

RAISERS: Final = 0


def others() -> set[int]:
    """Every processor but the raiser's; that one, if there is no other."""
    return set(range(os.cpu_count() or 1)) - {RAISERS} or {RAISERS}


@contextmanager
def on_processors(processors: set[int]) -> Iterator[None]:
    """Keep every thread of this process on some processors; those that begin later inherit it."""
    had = os.sched_getaffinity(0)
    _move_all_threads(processors)
    try:
        yield
    finally:
        _move_all_threads(had)


def _move_all_threads(processors: set[int]) -> None:
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(int(thread), processors)
