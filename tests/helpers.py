"""What several test files need."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from uio_workloop import (
    Deadline,
    DeviceGoneError,
    InterruptEventSource,
    InterruptProvider,
    SoftwareInterrupt,
    Trigger,
    WorkLoop,
)
from uio_workloop.clock import SECOND_NS
from uio_workloop.testing import fence

DEADLINE_S = 10.0  # generous: it costs nothing while tests pass


def attach(work_loop: WorkLoop, provider: InterruptProvider, action: Callable[..., Any]) -> InterruptEventSource:
    """An enabled source on `provider`, on the loop."""
    source = InterruptEventSource(provider, action)
    work_loop.add_event_source(source)
    source.enable()
    return source


class Refusing(SoftwareInterrupt):
    """A line that can be told to refuse being masked, or unmasked."""

    refused = ""

    def mask(self) -> None:
        self._check("mask")
        super().mask()

    def unmask(self) -> None:
        self._check("unmask")
        super().unmask()

    def _check(self, operation: str) -> None:
        if operation == self.refused:
            raise OSError(errno.EIO, "no answer")


class Gatekeeper(SoftwareInterrupt):
    """A level line that notes how often it was opened although it was open."""

    def __init__(self) -> None:
        super().__init__(Trigger.LEVEL)
        self.opened_again = 0

    def unmask(self) -> None:
        self.opened_again += not self.masked
        super().unmask()


def cause_together(work_loop: WorkLoop, *lines: SoftwareInterrupt) -> None:
    """Have several lines served in one pass: caused inside an action, where the loop cannot look in between."""
    trigger = SoftwareInterrupt()

    def cause_all(sender: InterruptEventSource, count: int) -> None:
        for each in lines:
            each.cause()

    fence(work_loop)  # the loop may still be looking again at whatever it served last
    with trigger, attach(work_loop, trigger, cause_all):
        trigger.cause()
        fence(work_loop)  # they are caused
    fence(work_loop)  # and served


@contextmanager
def loop_asleep(work_loop: WorkLoop, token: Hashable = "asleep") -> Iterator[None]:
    """The loop's thread asleep on its gate, in an action, until the block ends."""
    dozing = threading.Event()

    def doze(sender: InterruptEventSource, count: int) -> None:
        dozing.set()
        work_loop.gate.sleep(token, Deadline.after(int(DEADLINE_S * SECOND_NS)))

    with SoftwareInterrupt(name="lullaby") as trigger, attach(work_loop, trigger, doze):
        trigger.cause()
        assert dozing.wait(DEADLINE_S), "the loop's thread did not come round"
        with work_loop.gate:  # to be had only once it is asleep
            pass
        try:
            yield
        finally:
            work_loop.gate.wakeup(token)
            fence(work_loop)


def on_loop(work_loop: WorkLoop, fn: Callable[..., Any], *args: Any) -> Any:
    """Call `fn` in an action on the loop's thread, and hand back what it returned or raised."""
    outcome: Future[Any] = Future()

    def action(sender: InterruptEventSource, count: int) -> None:
        try:
            outcome.set_result(fn(*args))
        except BaseException as error:
            outcome.set_exception(error)

    with SoftwareInterrupt(name="errand") as trigger, attach(work_loop, trigger, action):
        trigger.cause()
        return outcome.result(DEADLINE_S)


def await_queue(work_loop: WorkLoop) -> None:
    """Until somebody waits for the gate of the loop: observed, not guessed."""
    while not work_loop.gate.waiting:
        os.sched_yield()


class Stage:
    """A point that one thread reaches and holds until another lets it go on."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._released = threading.Event()

    def hold(self) -> None:
        """Say that the point is reached, and wait to be released."""
        self._reached.set()
        assert self._released.wait(DEADLINE_S), "nobody released the stage"

    def await_reached(self) -> None:
        assert self._reached.wait(DEADLINE_S), "nobody reached the stage"

    def release(self) -> None:
        self._released.set()


class Background:
    """A thread that runs one function; `result` waits for it, and raises what it raised."""

    def __init__(self, fn: Callable[..., Any], *args: Any) -> None:
        self._fn = fn
        self._args = args
        self._outcome: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="background of a test")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = self._fn(*self._args)
        except BaseException as error:
            self._error = error

    @property
    def finished(self) -> bool:
        return not self._thread.is_alive()

    def result(self, timeout_s: float = DEADLINE_S) -> Any:
        self._thread.join(timeout_s)
        assert self.finished, f"{self._fn} did not return in {timeout_s} s"
        if self._error is not None:
            raise self._error
        return self._outcome


class Departing(SoftwareInterrupt):
    """A line whose device can leave: its next drain finds it gone, as UIO's does with EIO."""

    def __init__(self) -> None:
        self.left = False
        self.invalidated: list[str] = []
        super().__init__(Trigger.LEVEL, name="/dev/departing")

    def leave(self) -> None:
        self.left = True
        os.eventfd_write(self.fileno(), 1)

    def drain(self) -> int:
        if self.left:
            raise DeviceGoneError("/dev/departing has left")
        return super().drain()

    def mask(self) -> None:
        if self.left:
            raise DeviceGoneError("/dev/departing has left")

    unmask = mask

    def invalidate(self, reason: str) -> None:
        self.invalidated.append(reason)


class LoggedInterrupt(SoftwareInterrupt):
    """A software interrupt whose line writes down what is done to it, in order."""

    def __init__(self, trigger: Trigger) -> None:
        self.log: list[str] = []
        super().__init__(trigger, name=f"logged {trigger.value}")
        self.masked_by_interrupt = True  # as a kernel driver may, whatever the trigger

    def mask(self) -> None:
        self.log.append("mask")
        super().mask()

    def unmask(self) -> None:
        self.log.append("unmask")
        super().unmask()
