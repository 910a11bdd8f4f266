"""A door to the gate that can be shut: clients' commands, on the clients' own threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any, TypeVar, TypeVarTuple

from uio_workloop.clock import Deadline
from uio_workloop.errors import (
    AbortedError,
    BadArgumentError,
    DeadlineExceededError,
    NotAttachedError,
    SourceDisabledError,
)
from uio_workloop.loop.event_source import EventSource
from uio_workloop.loop.sleepers import WaitResult
from uio_workloop.loop.work_loop import WorkLoop

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = logging.getLogger("uio_workloop")


class CommandGate(EventSource):
    """Runs functions of clients on the clients' threads, with the gate of its loop held.

    Born enabled. While it is disabled it stalls its callers, without holding the gate, until it is enabled again or
    taken off its loop; but never the loop's own thread, which could then not deliver what they wait for. A caller that
    held the gate already gives up every level of it while he is stalled.

    Taken off its loop, it throws stalled callers out with `AbortedError` and waits until they are gone. If actions of
    its own are still asleep on the gate, it stays with the loop until the last of them has returned.

    Args:
        action: what `run_command` and `attempt_command` call, as `action(*args)`.
        owner: only kept, for `source.owner`.

    IOKit: IOCommandGate.
    """

    def __init__(
        self, action: Callable[..., Any] | None = None, *, owner: object = None, name: str | None = None
    ) -> None:
        super().__init__(action, owner=owner, name=name)
        self._stalled = 0
        self._running = 0
        self._leaving: object = None  # the removal that is under way
        self._opened = object()  # what stalled callers sleep on
        self._emptied = object()  # what whoever takes the gate off its loop sleeps on

    # Running

    def run_action(self, fn: Callable[[*Ts], T], /, *args: *Ts, timeout_ns: int | None = None) -> T:
        """Call `fn` under the gate, on the calling thread, and return what it returns or raise what it raises.

        Args:
            timeout_ns: how long to wait for the gate, and for the command gate to be enabled; None waits for ever.

        Context: any thread; takes the gate.
        Raises:
            BadArgumentError: `fn` cannot be called.
            NotAttachedError: the command gate is on no loop.
            AbortedError: it was taken off its loop, or the loop closed, while the caller waited; `fn` was not called.
            DeadlineExceededError: a `TimeoutError`; `fn` was not called.
        IOKit: IOCommandGate::runAction.
        """
        deadline = None if timeout_ns is None else Deadline.after(timeout_ns)
        loop = self._attached(fn)
        hold: AbstractContextManager[object] = loop.gate if deadline is None else loop.gate.within(deadline)
        with hold:
            self._check_still_on(loop)
            self._wait_until_enabled(loop, deadline)
            return self._run(fn, args)

    def run_command(self, *args: Any, timeout_ns: int | None = None) -> Any:
        """`run_action` with the command gate's own action. IOKit: IOCommandGate::runCommand."""
        return self.run_action(self._command(), *args, timeout_ns=timeout_ns)

    def attempt_action(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """Like `run_action`, but never waits.

        Context: any thread.
        Raises:
            BadArgumentError, NotAttachedError: as `run_action`.
            GateBusyError: another thread holds the gate.
            SourceDisabledError: the command gate is disabled, and this is not the loop's thread.
        IOKit: IOCommandGate::attemptAction.
        """
        loop = self._attached(fn)
        with loop.gate.attempt():
            self._check_still_on(loop)
            if not self._enabled and not loop.on_thread():
                raise SourceDisabledError(f"{self._name} is disabled; enable() it, or wait for that with run_action()")
            return self._run(fn, args)

    def attempt_command(self, *args: Any) -> Any:
        """`attempt_action` with the command gate's own action. IOKit: IOCommandGate::attemptCommand."""
        return self.attempt_action(self._command(), *args)

    def _run(self, fn: Callable[[*Ts], T], args: tuple[*Ts]) -> T:
        self._running += 1
        try:
            return fn(*args)
        finally:
            self._running -= 1
            if self._leaving is not None and not self._running:
                self._leave()

    def _wait_until_enabled(self, loop: WorkLoop, deadline: Deadline | None) -> None:
        while not self._enabled and not loop.on_thread():
            self._stalled += 1
            try:
                result = loop.gate.sleep(self._opened, deadline)
            finally:
                self._stalled -= 1
                if not self._stalled:
                    loop.gate.wakeup(self._emptied)
            if result is WaitResult.INTERRUPTED:
                raise AbortedError(f"work loop {loop.name!r} was closed while a caller waited for {self._name}")
            self._check_still_on(loop)
            if result is WaitResult.TIMED_OUT and not self._enabled:
                raise DeadlineExceededError(
                    f"{self._name} was not enabled before the deadline; enable() it, or wait longer"
                )

    # Sleep and wake-up

    def command_sleep(self, token: Hashable, deadline: Deadline | None = None) -> WaitResult:
        """`Gate.sleep` on the gate of the loop: give it up until `command_wakeup(token)`, then take it back.

        On the loop's own thread nothing is delivered meanwhile, timers included; without a deadline the log says so.

        Context: any thread, gate held.
        Raises:
            NotAttachedError: the command gate is on no loop.
            GateNotHeldError: the calling thread does not hold the gate.
        IOKit: IOCommandGate::commandSleep.
        """
        loop = self._loop("sleep on")
        if deadline is None and loop.on_thread():
            log.warning("%s: the loop's thread sleeps without a deadline; only another thread can wake it", self._name)
        return loop.gate.sleep(token, deadline)

    def command_wakeup(self, token: Hashable, *, one_thread: bool = False) -> int:
        """Wake the threads asleep on `token`, all or the oldest, and return how many. See `Gate.wakeup`.

        Context: any thread; takes the gate.
        Raises:
            NotAttachedError: the command gate is on no loop.
        IOKit: IOCommandGate::commandWakeup; like it, and unlike DriverKit's, it wakes all by default.
        """
        return self._loop("wake up threads of").gate.wakeup(token, one=one_thread)

    # Coming and going

    def _arm(self, *, afresh: bool = False) -> None:
        if self._work_loop is not None:
            self._work_loop.gate.wakeup(self._opened)

    def set_work_loop(self, work_loop: Any) -> None:
        """See `EventSource.set_work_loop`. IOKit: IOCommandGate::setWorkLoop."""
        loop = self._work_loop
        if work_loop is not None or loop is None:
            super().set_work_loop(work_loop)
            return
        this_removal = self._leaving = object()  # another may begin while we sleep, from a loop it is on by then
        loop.gate.wakeup(self._opened)
        try:
            while self._leaving is this_removal and self._stalled and not loop.closed:  # closing throws them out itself
                loop.gate.sleep(self._emptied)
        finally:  # also if a signal handler ends the wait: they go by themselves then
            if self._leaving is this_removal and not self._running:
                self._leave()

    def _leave(self) -> None:
        self._leaving = None
        super().set_work_loop(None)

    def _command(self) -> Callable[..., Any]:
        if self._action is None:
            raise BadArgumentError(f"{self._name} has no action to run; set_action() first, or use run_action()")
        return self._action

    def _attached(self, fn: object) -> WorkLoop:
        if not callable(fn):
            raise BadArgumentError(f"cannot run {fn!r} through {self._name}: it is not callable")
        return self._loop("run an action through")

    def _loop(self, operation: str) -> WorkLoop:
        loop = self._work_loop
        if loop is None:
            self._check_open(operation)
            raise NotAttachedError(f"cannot {operation} {self._name}: add it to a work loop first")
        return loop

    def _check_still_on(self, loop: WorkLoop) -> None:
        if self._work_loop is not loop or self._leaving is not None:
            raise AbortedError(f"{self._name} was taken off work loop {loop.name!r} while a caller waited")
