"""The work loop: one thread, one gate, one event chain.

Theory of operation
-------------------
The thread waits in epoll with nothing held. What is ready is looked at in the *ready phase*, gate open: each source
drains its descriptor and says whether it has work; if so it joins the work queue. Then the pass proper: gate held from
the first source to the last, each source with work is visited in chain order and calls its action. What becomes ready
meanwhile, and a source that asks to be called again, waits for the next pass; a pass is bounded by what was ready
when it began, and its cost does not depend on how many sources are idle.

After a pass the thread looks at the same interrupt descriptors again before it goes back to epoll. At high rates the
next interrupt is there already and the epoll_wait is saved; the number of such rounds is limited so that a busy line
cannot hide the others.

Lock order: gate, then ready phase. `on_ready` therefore never takes the gate, and `remove_event_source` can hold the
gate and wait out a running `on_ready`.
"""

from __future__ import annotations

import logging
import signal
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from threading import Lock, Thread, get_ident
from typing import Final, ParamSpec, TypeVar

from uio_workloop.errors import (
    AbortedError,
    ClosedError,
    DeviceGoneError,
    NotAttachedError,
    UsageError,
)
from uio_workloop.loop import lifetime
from uio_workloop.loop.error_rule import ErrorHandler, ErrorRule
from uio_workloop.loop.event_chain import EventChain
from uio_workloop.loop.event_source import EventSource
from uio_workloop.loop.gate import Gate
from uio_workloop.loop.poll_set import DEPARTURES_ONLY, READABLE, PollSet
from uio_workloop.loop.signals import SignalWait

P = ParamSpec("P")
T = TypeVar("T")

LOOK_AGAIN_ROUNDS: Final = 16
FOREVER: Final = -1.0  # what epoll calls it

log = logging.getLogger("uio_workloop")


class WorkLoop:
    """A thread that calls the actions of its event sources, one at a time, under one gate.

    The thread runs from construction to `close()`. It is a daemon, but leaving a `with` block, `close()` and the end
    of the interpreter all stop it and wait for the action that runs. In the child of a fork the loop is closed.

    An action that raises is logged and its source goes on as after a normal return; after `max_consecutive_errors` in
    a row the source is disabled, so that a level line whose action keeps failing does not storm.

    Args:
        name: of the thread.
        on_error: called as `on_error(source, exception)`, gate held, in place of that rule.
        max_consecutive_errors: 1 or more.

    IOKit: IOWorkLoop.
    """

    def __init__(
        self, name: str = "WorkLoop", *, on_error: ErrorHandler | None = None, max_consecutive_errors: int = 10
    ) -> None:
        self.name = name
        self.gate: Final = Gate()
        self._error_rule = ErrorRule(on_error, max_consecutive_errors)
        self._ready_phase = Lock()
        self._poll_set = PollSet()
        self._chain = EventChain()
        self._failed: deque[tuple[EventSource, BaseException]] = deque()  # by on_ready; dealt with under the gate
        self._signal_wait: SignalWait | None = None
        self._closing = False
        self._thread_id: int | None = None  # while it runs; the system gives numbers of ended threads to others
        self._thread = Thread(target=self._thread_main, name=name, daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._poll_set.close()
            raise
        lifetime.keep(self)

    def __repr__(self) -> str:
        return f"<WorkLoop {self.name!r} {'closed' if self._closing else 'running'}, {len(self._chain)} sources>"

    # Who is who

    @property
    def thread(self) -> Thread:
        """The loop's thread. IOKit: getThread."""
        return self._thread

    @property
    def closed(self) -> bool:
        return self._closing

    @property
    def event_sources(self) -> tuple[EventSource, ...]:
        """The event chain, in order of addition; a snapshot."""
        return tuple(self._chain)

    def on_thread(self) -> bool:
        """Whether the caller is the loop's thread; says nothing of the gate. IOKit: onThread."""
        return self._thread_id == get_ident()

    def in_gate(self) -> bool:
        """Whether the caller holds the gate, at whatever depth. IOKit: inGate."""
        return self.gate.held

    # The event chain

    def add_event_source(self, source: EventSource) -> None:
        """Append a source to the chain; what it has pending is looked at in the next pass.

        Context: any thread; takes the gate.
        Raises:
            AlreadyAttachedError: it is on a loop, this one or another.
            ClosedError: the loop or the source was closed.
            BadArgumentError: its descriptor cannot be polled.
        IOKit: addEventSource, which ignores a second add and does not look.
        """
        with self.gate:
            self._check_open(f"add {source.name}")
            source.attach(self)
            try:
                self._poll(source)
                source.set_work_loop(self)
            except BaseException:
                self._unpoll(source)
                source._work_loop = None
                raise
            self._chain.append(source)
            self.signal_source(source)

    def remove_event_source(self, source: EventSource) -> None:
        """Disable a source and take it off the chain; once this returns its action is not called any more.

        It can be added again, here or elsewhere, and then needs `enable()` again; what it has pending stays with it.

        Context: any thread; takes the gate, so a pass in progress is waited for, except inside an action.
        Raises:
            NotAttachedError: it is not on this loop.
        IOKit: removeEventSource.
        """
        with self.gate:
            if source.work_loop is not self:
                raise NotAttachedError(f"cannot remove {source.name}: it is not on work loop {self.name!r}")
            source.disable()
            self._unpoll(source)
            self._chain.remove(source)
            source.set_work_loop(None)  # last: from here on another loop can have it

    def _poll(self, source: EventSource) -> None:
        fd = source.fileno()
        if fd >= 0:
            with self._ready_phase:
                self._poll_set.add(fd, READABLE if source.enabled else DEPARTURES_ONLY, source.name)
                self._chain.by_fd[fd] = source

    def _unpoll(self, source: EventSource) -> None:
        fd = source.fileno()
        if fd >= 0:
            with self._ready_phase:  # waits out an on_ready, which may be this source's
                if self._chain.by_fd.get(fd) is source:  # not if adding it failed half way
                    self._poll_set.remove(fd)
                    del self._chain.by_fd[fd]

    def watch(self, source: EventSource) -> None:
        """Poll a source for input if it is enabled, for departures alone if not; for sources, gate held."""
        fd = source.fileno()
        if fd >= 0:
            self._poll_set.watch(fd, READABLE if source.enabled else DEPARTURES_ONLY)

    def look_now(self, source: EventSource) -> None:
        """The ready phase of a source, out of turn; for sources, gate held."""
        with self._ready_phase:
            self._look(source)

    # Everybody at once

    def enable_all_event_sources(self) -> None:
        """Enable every source. Context: any thread; takes the gate. IOKit: enableAllEventSources."""
        self._for_all(lambda source: source.enable())

    def disable_all_event_sources(self) -> None:
        """Disable every source. Context: any thread; takes the gate. IOKit: disableAllEventSources."""
        self._for_all(lambda source: source.disable())

    def enable_all_interrupts(self) -> None:
        """Enable every interrupt source, also one disabled by itself before. IOKit: enableAllInterrupts."""
        self._for_all(lambda source: source.enable(), interrupts_only=True)

    def disable_all_interrupts(self) -> None:
        """Disable every interrupt source; timers go on. IOKit: disableAllInterrupts."""
        self._for_all(lambda source: source.disable(), interrupts_only=True)

    def _for_all(self, operation: Callable[[EventSource], None], *, interrupts_only: bool = False) -> None:
        with self.gate, ExitStack() as even_if_one_fails:
            self._check_open("change its event sources")
            for source in reversed(self.event_sources):  # the stack runs them the other way round
                if source.is_interrupt or not interrupts_only:
                    even_if_one_fails.callback(operation, source)

    # Clients

    def run_action(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `fn` under the gate, on the calling thread, and return what it returns or raise what it raises.

        Context: any thread; takes the gate, recursively.
        Raises:
            ClosedError: the loop was closed before.
            AbortedError: the loop was closed while the caller waited for the gate; `fn` was not called.
        IOKit: runAction.
        """
        self._check_open("run an action")
        with self.gate:
            self._check_still_open()
            return fn(*args, **kwargs)

    def attempt_action(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `run_action`, but never waits.

        Context: any thread.
        Raises:
            GateBusyError: another thread holds the gate; `fn` was not called.
            ClosedError: the loop was closed.
        IOKit: IOCommandGate::attemptAction.
        """
        self._check_open("attempt an action")
        with self.gate.attempt():
            self._check_still_open()
            return fn(*args, **kwargs)

    def signal_work_available(self) -> None:
        """Have every source visited in the next pass. A source that knows it has work signals for itself, cheaper.

        Context: any thread, gate held or open; never waits; signals coalesce.
        IOKit: signalWorkAvailable.
        """
        self._chain.visit_all = True
        self._wake()

    def signal_source(self, source: EventSource) -> None:
        """Have one source visited in the next pass; `source.signal_work_available()` is the way to ask for it."""
        self._chain.queue.append(source)
        self._wake()

    def _wake(self) -> None:
        if not self.on_thread():  # the thread itself looks at its queue before it sleeps
            self._poll_set.wake()

    def run_event_sources(self) -> bool:
        """Serve what is ready now, in one pass on the calling thread; false if the loop was closed.

        Called from an action, it serves the other sources; the source of that action is not entered again.

        Context: any thread; takes the gate.
        IOKit: runEventSources.
        """
        with self.gate:
            if self._closing:
                return False
            try:
                self._collect(0)
                self._serve()
            finally:
                if self._chain.has_work:
                    self._wake()
            return not self._closing

    def run_until_signal(
        self, signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
    ) -> signal.Signals | None:
        """Let the loop work until one of `signals` arrives, and return it; None if the loop is or was closed.

        Context: the main thread, gate open. The signals' former handlers are back in place afterwards.
        Raises:
            WrongThreadError: not the main thread.
            UsageError: the caller holds the gate, so nothing could run.
        """
        if self.gate.held:
            raise UsageError("run_until_signal() with the gate held would keep every action waiting; call it outside")
        wait = SignalWait()
        with wait.listening(signals):
            with self.gate:
                if self._closing:
                    return None
                self._signal_wait = wait
            try:
                return wait.wait_for(signals)
            finally:
                with self.gate:
                    self._signal_wait = None

    # The thread

    def _thread_main(self) -> None:
        """IOKit: threadMain."""
        self._thread_id = get_ident()
        try:
            while not self._closing:
                self._collect(0 if self._chain.has_work else FOREVER)
                served = self._serve()
                for _ in range(LOOK_AGAIN_ROUNDS):
                    if not self._look_again(served):
                        break
                    served = self._serve()
        finally:
            with self.gate:  # whoever is closing the loop is still taking sources off the poll set
                self._shut()
                self._poll_set.close()
                self._thread_id = None

    def _collect(self, timeout: float) -> None:
        """Wait for descriptors and look at those that are ready."""
        events = self._poll_set.wait(timeout)
        if events:
            with self._ready_phase:
                for fd, _ in events:
                    source = self._chain.by_fd.get(fd)
                    if source is None:
                        self._poll_set.acknowledge_wake(fd)
                    else:
                        self._look(source)

    def _look(self, source: EventSource) -> bool:
        """The ready phase of one source; true if it has work now."""
        try:
            if not source.on_ready():
                return False
        except BaseException as error:  # any code of a subclass; judged under the gate, where it can be stopped
            if not isinstance(error, Exception) and not self.on_thread():
                raise  # a client's own KeyboardInterrupt
            self._failed.append((source, error))
        self._chain.queue.append(source)
        return True

    def _look_again(self, served: list[EventSource]) -> bool:
        found = False
        with self._ready_phase:
            for source in served:
                if source.is_interrupt and source.enabled and source.work_loop is self:
                    found = self._look(source) or found
        return found

    def _serve(self) -> list[EventSource]:
        """One pass over the sources with work, gate held throughout; returns them."""
        if not self._chain.has_work:  # a wake-up whose work is done already
            return []
        with self.gate:
            if self._closing:
                return []
            while self._failed:
                self._judge(*self._failed.popleft())
            batch = self._chain.take_work()
            visited = 0
            try:
                for source in batch:
                    visited += 1
                    self._visit(source)
            finally:  # a client's KeyboardInterrupt ends its pass; who was not visited still has work
                self._chain.queue.extend(batch[visited:])
            return batch

    def _visit(self, source: EventSource) -> None:
        if source.work_loop is not self:  # taken off since it was queued
            return
        try:
            again = source.check_for_work()
        except BaseException as error:  # a broken action breaks itself, not the loop, even with sys.exit()
            again = True
            if not isinstance(error, Exception) and not self.on_thread():
                raise  # a client's own KeyboardInterrupt
            self._error_rule.apply(source, error)
            again = source.enabled
        finally:
            where = source.work_loop  # its action may have moved it to another loop
            if again and where is not None:
                where.signal_source(source)

    # Errors and departures

    def _judge(self, source: EventSource, error: BaseException) -> None:
        if source.work_loop is not self:
            return
        if not isinstance(error, DeviceGoneError):
            self._error_rule.apply(source, error)
            return
        self._visit(source)  # what had come before it left is still delivered
        log.warning("%s: %s; the source is terminated", source.name, error)
        try:
            source.terminate(error)
        except BaseException:  # even sys.exit(): the loop's thread is nobody's to end
            log.exception("%s: on_terminated raised", source.name)

    def _check_open(self, operation: str) -> None:
        if self._closing:
            raise ClosedError(f"cannot {operation}: work loop {self.name!r} is closed; make a new one")

    def _check_still_open(self) -> None:
        if self._closing:
            raise AbortedError(f"work loop {self.name!r} was closed while the caller waited for its gate")

    # The end

    def close(self) -> None:
        """Close every source, stop the thread and wait for it. Twice is fine.

        Called from an action, or with the gate held, it closes the sources at once but does not wait: the thread ends
        when the gate is let go. Sleepers on the gate are woken with `INTERRUPTED`.

        Context: any thread; takes the gate, so the action that runs is waited for.
        IOKit: release, free; which do not wait.
        """
        with self.gate:
            self._shut()
        if not (self.gate.held or self.on_thread()):
            self._thread.join()

    def _shut(self) -> None:
        """What of closing is done under the gate, once."""
        if self._closing:
            return
        self._closing = True
        with ExitStack() as closed_in_reverse:
            for source in self.event_sources:
                closed_in_reverse.callback(source.close)
            self.gate.interrupt_sleepers()
            if self._signal_wait is not None:
                self._signal_wait.stop()
            self._poll_set.wake()
            lifetime.forget(self)

    def __enter__(self) -> WorkLoop:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def abandon(self) -> None:
        """In the child of a fork: close the descriptors that came along; devices and lines belong to the parent."""
        self._closing = True
        self.gate.reset()
        self._ready_phase = Lock()
        for source in self._chain:
            source._abandon()
        self._chain.clear()
        self._poll_set.abandon()
