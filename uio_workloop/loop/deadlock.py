"""Who waits for which gate: a cycle of waiting threads is broken before it is one.

Theory of operation
-------------------
A thread about to wait for a gate says so here, then follows the chain: who holds that gate, which gate does *he* wait
for, who holds that one. If the chain comes back to the thread itself, nobody in it would ever go on. Every thread
registers before it looks, one at a time, so the last to arrive sees the whole cycle.

An entry that is out of date does no harm: its thread has been given the gate it waits for, so the chain through it
leads to itself. Waits with a deadline end by themselves and are not registered.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from uio_workloop.errors import DeadlockError


class Ticket(Protocol):
    """A place in the queue of a gate."""

    bell: threading.Lock


class WaitedFor(Protocol):
    """A gate, as far as this file cares."""

    name: str

    @property
    def holder(self) -> int: ...

    def withdraw(self, ticket: Any) -> bool:
        """Take a ticket out of the queue; false if it has been given the gate."""


class _Wait:
    __slots__ = ("can_fail", "gate", "reason", "thread", "ticket", "what")

    def __init__(self, gate: WaitedFor, ticket: Ticket | None, can_fail: bool, what: str) -> None:
        self.thread = threading.get_ident()
        self.gate = gate
        self.ticket = ticket
        self.can_fail = can_fail
        self.what = what
        self.reason: str | None = None  # why it had to fail


_waits: Final[dict[int, _Wait]] = {}
_lock = threading.RLock()  # recursive, because a signal handler may have to wait in the middle of it


def wait(gate: WaitedFor, ticket: Ticket, *, can_fail: bool) -> None:
    """Wait for the bell of `ticket`, which means that the gate is ours.

    Args:
        can_fail: false for a sleeper that takes its gate back: it cannot go on without, so another one has to yield.

    Raises:
        DeadlockError: this wait, or that of another thread, would close a cycle; the ticket is in no queue any more.
    """
    this = _Wait(gate, ticket, can_fail, f"the gate of {gate.name!r}")
    with _registered(this):
        ticket.bell.acquire()


def join(thread: threading.Thread) -> None:
    """Wait for the end of a loop's thread, which may itself be waiting for a gate that the caller holds.

    The thread gets the `DeadlockError`, in the action that waits.
    """
    with _registered(_Wait(_End(thread), None, False, f"thread {thread.name!r} to end")):
        thread.join()


class _End:
    """The end of a thread, seen as a gate that the thread holds."""

    def __init__(self, thread: threading.Thread) -> None:
        self.name = thread.name
        self._thread = thread

    @property
    def holder(self) -> int:
        return self._thread.ident or 0 if self._thread.is_alive() else 0  # the system gives the number to others

    def withdraw(self, ticket: Any) -> bool:
        return False


@contextmanager
def _registered(this: _Wait) -> Iterator[None]:
    with _lock:
        interrupted = _waits.get(this.thread)  # by a signal handler, whose wait this one is
        _waits[this.thread] = this
        _break_cycle(this)
    try:
        yield
    finally:
        with _lock:
            if interrupted is None:
                del _waits[this.thread]
            else:
                _waits[this.thread] = interrupted
        if this.reason is not None:  # here, so that it also wins over a KeyboardInterrupt of the same instant
            raise DeadlockError(this.reason)


def reset() -> None:
    """In the child of a fork: its other threads, and their waits, do not exist."""
    global _lock
    _lock = threading.RLock()
    _waits.clear()


def _break_cycle(last: _Wait) -> None:
    cycle = _cycle_through(last)
    for victim in cycle:
        if victim.can_fail and victim.ticket is not None and victim.gate.withdraw(victim.ticket):
            victim.reason = _describe(cycle)
            victim.ticket.bell.release()
            return


def _cycle_through(last: _Wait) -> list[_Wait]:
    chain = [last]
    while (following := _waits.get(chain[-1].gate.holder)) is not None:
        if following is last:
            return chain
        if following in chain:  # about to go on: it has been given the gate it is registered for
            break
        chain.append(following)
    return []


def _describe(cycle: list[_Wait]) -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    waiting = "; ".join(f"thread {names.get(each.thread)!r} waits for {each.what}" for each in cycle)
    return (
        f"deadlock: {waiting}, and each holds what another waits for; take the gates in one order, or attempt_action()"
    )
