"""Threads asleep on a gate, by what they wait for."""

from __future__ import annotations

import enum
from collections.abc import Hashable
from threading import Lock


class WaitResult(enum.IntEnum):
    """Why a sleep on the gate ended. Compare it; do not test its truth: AWAKENED is 0.

    IOKit: THREAD_AWAKENED, THREAD_TIMED_OUT, THREAD_INTERRUPTED, with the same values.
    """

    __str__ = enum.Enum.__str__

    AWAKENED = 0
    TIMED_OUT = 1
    INTERRUPTED = 2


def locked() -> Lock:
    """A lock that is born locked: somebody else rings it by releasing it."""
    lock = Lock()
    lock.acquire()
    return lock


class Sleeper:
    """One thread asleep on a token; `bell` is rung at most once."""

    __slots__ = ("bell", "result")

    def __init__(self) -> None:
        self.bell = locked()
        self.result = WaitResult.TIMED_OUT

    def ring(self, result: WaitResult) -> None:
        self.result = result
        self.bell.release()


class Sleepers:
    """Who sleeps on which token, oldest first. Context: gate held."""

    def __init__(self) -> None:
        self._by_token: dict[Hashable, list[Sleeper]] = {}

    def __len__(self) -> int:
        """On how many tokens somebody sleeps."""
        return len(self._by_token)

    def __contains__(self, token: Hashable) -> bool:
        return token in self._by_token

    def add(self, token: Hashable, sleeper: Sleeper) -> None:
        self._by_token.setdefault(token, []).append(sleeper)

    def wake(self, token: Hashable, *, one: bool) -> int:
        """Ring all, or the oldest; how many that were."""
        sleepers = self._by_token.get(token, [])
        woken = sleepers[:1] if one else sleepers[:]
        for each in woken:
            each.ring(WaitResult.AWAKENED)
        del sleepers[: len(woken)]
        return len(woken)

    def interrupt(self) -> None:
        """Ring everybody, for the worse."""
        for sleepers in self._by_token.values():
            for each in sleepers:
                each.ring(WaitResult.INTERRUPTED)
        self._by_token.clear()

    def forget(self, token: Hashable, sleeper: Sleeper) -> None:
        """A sleeper is up, perhaps without having been rung."""
        sleepers = self._by_token.get(token, [])
        if sleeper in sleepers:
            sleepers.remove(sleeper)
        if not sleepers:
            self._by_token.pop(token, None)

    def clear(self) -> None:
        self._by_token.clear()
