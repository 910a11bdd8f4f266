"""Who must not wait: the thread that would bring what is waited for."""

from __future__ import annotations

import errno
from threading import get_ident

_dispatchers: set[int] = set()


def may_not_wait(thread: int) -> None:
    """This thread delivers events; have it refused wherever it would wait for one."""
    _dispatchers.add(thread)


def may_wait_again(thread: int) -> None:
    """The thread has ended, and its number may be another's."""
    _dispatchers.discard(thread)


def check_may_wait(operation: str) -> None:
    """Refuse a wait that would never end.

    Raises:
        OSError: EDEADLK, the caller is the thread that delivers the events.
    """
    if get_ident() in _dispatchers:
        raise OSError(
            errno.EDEADLK, f"cannot {operation} in a handler: the thread it runs on delivers the events; use a thread"
        )


def forget_all() -> None:
    """In the child of a fork, which has none of these threads."""
    _dispatchers.clear()
