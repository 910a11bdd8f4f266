"""Threads and descriptors that outlive the test that made them."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def check_for_leaks() -> Iterator[None]:
    """Raise AssertionError at the end of the `with` block if it left a thread or a descriptor behind.

    Source: /proc/self/fd in proc(5).
    """
    threads, descriptors = set(threading.enumerate()), open_descriptors()
    yield
    left_threads = set(threading.enumerate()) - threads
    if left_threads:
        raise AssertionError(f"threads left behind: {sorted(thread.name for thread in left_threads)}")
    if _new(descriptors):
        gc.collect()  # what only garbage holds is not ours to blame
    if left := _new(descriptors):
        raise AssertionError(f"descriptors left behind: {left}")


def open_descriptors() -> dict[int, str]:
    """Every open descriptor of this process and what it is."""
    found = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
        except FileNotFoundError:  # the one listdir used
            continue
    return found


def _new(before: dict[int, str]) -> dict[int, str]:
    return {fd: what for fd, what in open_descriptors().items() if before.get(fd) != what}
