"""Attachments that go when the test ends, and firings that are over when the call is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from helpers import DEADLINE_S

from uio_workloop import SoftwareInterrupt
from uio_workloop.clock import SECOND_NS
from uio_workloop.qnx import (
    Event,
    IntrFlags,
    interrupt_attach,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_info,
)
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.testing import fence

TRACKED = IntrFlags.TRK_MSK
DEADLINE_NS = round(DEADLINE_S * SECOND_NS)


class Note(Event):
    """Writes a word into a list."""

    def __init__(self, told: list[Any], word: Any, also: Callable[[], object] = lambda: None) -> None:
        self.told, self.word, self.also = told, word, also

    def deliver(self, thread: Any, id: int) -> bool:  # noqa: A002
        self.told.append(self.word)
        self.also()
        return True


class Attached:
    """Makes attachments, and detaches them at the end of the test."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def event(self, *arguments: Any) -> int:
        self.ids.append(interrupt_attach_event(*arguments))
        return self.ids[-1]

    def handler(self, *arguments: Any, **keywords: Any) -> int:
        self.ids.append(interrupt_attach(*arguments, **keywords))
        return self.ids[-1]

    def detach_all(self) -> None:
        for each in self.ids:
            with suppress(OSError):
                interrupt_detach(each)


def settle() -> None:
    """Until the dispatcher has served what came before."""
    dispatcher = dispatching.current()
    if dispatcher is not None:
        fence(dispatcher.loop)


def await_end() -> None:
    """Until the hidden thread has ended: the last attachment may have gone on that thread itself."""
    for thread in threading.enumerate():
        if thread.name == "qnx interrupts":
            thread.join(DEADLINE_S)
    assert dispatching.current() is None, "something is still attached"


def fire(line: SoftwareInterrupt) -> None:
    """Cause one interrupt, and wait until the dispatcher is idle again."""
    line.cause()
    settle()


def exists(id: int) -> bool:  # noqa: A002
    try:
        interrupt_info(id)
    except ProcessLookupError:
        return False
    return True


def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a thread of its own returns or raises; it has ended by then."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((function(*arguments), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(DEADLINE_S)
    ((result, error),) = outcome
    if error is not None:
        raise error
    return result
