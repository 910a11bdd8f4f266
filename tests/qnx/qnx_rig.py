"""Attachments that go when the test ends, and firings that are over when the call is, whatever the device."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from device_rigs import Rig, software_rig
from helpers import DEADLINE_S

from uio_workloop import Deadline, InterruptEventSource, InterruptProvider, SoftwareInterrupt
from uio_workloop.clock import SECOND_NS
from uio_workloop.qnx import (
    Event,
    IntrFlags,
    interrupt_attach,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_info,
    interrupt_unmask,
)
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.qnx.thread_record import ThreadRecord
from uio_workloop.testing import fence

TRACKED = IntrFlags.TRK_MSK
DEADLINE_NS = round(DEADLINE_S * SECOND_NS)
forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


class Note(Event):
    """Writes a word into a list."""

    def __init__(self, told: list[Any], word: Any, also: Callable[[], object] = lambda: None) -> None:
        self.told, self.word, self.also = told, word, also

    def deliver(self, thread: Any, id: int) -> bool:  # noqa: A002 - QNX's word
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


def fire(line: Rig | SoftwareInterrupt) -> None:
    """Cause one interrupt, and wait until it is served; while the line is masked, until it has come as far as that."""
    rig = software_rig(line) if isinstance(line, SoftwareInterrupt) else line
    source = source_of(rig.provider)
    if source is not None and source.enabled:
        with delivery(rig):
            rig.cause()
    else:
        rig.burst(1)
        settle()


@contextmanager
def delivery(rig: Rig) -> Iterator[None]:
    """Until an interrupt is served that the block causes, or lets through: hardware takes its time."""
    source = source_of(rig.provider)
    assert source is not None, "nothing is attached"
    before = source.statistics.delivered  # when the action is over
    yield
    deadline = Deadline.after(DEADLINE_NS)
    settle()
    while source.statistics.delivered == before:
        assert not deadline.expired, f"{rig.name}: no interrupt was delivered"
        settle()


def source_of(provider: InterruptProvider) -> InterruptEventSource | None:
    """The event source that an interrupt with attachments is, on the hidden loop."""
    dispatcher = dispatching.current()
    vectors = dispatcher.vectors.values() if dispatcher is not None else ()
    return next((vector._source for vector in tuple(vectors) if vector.provider is provider), None)


def unmask(rig: Rig, id: int) -> int:  # noqa: A002 - QNX's word
    """As a driver does: quiet the device first, or a level fires again at once."""
    rig.acknowledge()
    return interrupt_unmask(rig.provider, id)


def await_true(condition: Callable[[], object], what: str) -> None:
    """Until something is so that nobody announces: observed, not guessed."""
    deadline = Deadline.after(DEADLINE_NS)
    while not condition():
        assert not deadline.expired, f"not seen: {what}"
        os.sched_yield()


def await_asleep(record: ThreadRecord) -> None:
    """Until the thread waits for an interrupt."""
    await_true(lambda: record._bell is not None, "a thread that waits for an interrupt")


def await_held_up() -> None:
    """Until somebody waits for the delivery that runs."""
    dispatcher = dispatching.current()
    assert dispatcher is not None, "nothing is attached"
    await_true(lambda: dispatcher.delivering.waiting, "somebody who waits for the delivery that runs")


def errno_of(call: Callable[..., object], *arguments: Any) -> int | None:
    """Of the refusal that there has to be."""
    with pytest.raises(OSError) as refused:  # noqa: PT011 - its errno is what counts
        call(*arguments)
    return refused.value.errno


def exit_code(child: int) -> int | None:
    """How a child of a fork has ended; None if it hangs, and had to be killed."""
    pidfd = os.pidfd_open(child)
    try:
        ended = select.select([pidfd], [], [], DEADLINE_S)[0]
    finally:
        os.close(pidfd)
    if not ended:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if ended else None


def exists(id: int) -> bool:  # noqa: A002 - QNX's word
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
        except BaseException as error:  # raised, or told, where the test is
            outcome.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(DEADLINE_S)
    ((result, error),) = outcome
    if error is not None:
        raise error
    return result
