"""Loops end with the interpreter, and do not survive a fork half alive."""

from __future__ import annotations

import atexit
import os
from contextlib import ExitStack
from typing import Protocol


class _Loop(Protocol):
    def close(self) -> None: ...
    def abandon(self) -> None: ...


_running: set[_Loop] = set()


def keep(loop: _Loop) -> None:
    """Close `loop` at interpreter exit, and abandon it in the child of a fork."""
    _running.add(loop)


def forget(loop: _Loop) -> None:
    _running.discard(loop)


def _close_all() -> None:
    # At exit a daemon thread would be frozen wherever it is, lines unmasked; close() lets its action end first.
    with ExitStack() as even_if_one_fails:
        for loop in list(_running):
            even_if_one_fails.callback(loop.close)


def _abandon_all() -> None:
    for loop in list(_running):
        loop.abandon()
    _running.clear()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_abandon_all)
