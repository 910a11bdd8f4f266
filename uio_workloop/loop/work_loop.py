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

The short way: most sources run nobody's code in their ready phase, so nobody can tell when it is. If all that are ready
are such, both phases are done in one under one hold of the gate, source by source. One that is ready alone is looked
at again under that same hold, until somebody wants the gate or signals a source.

Lock order: gate, then ready phase. `on_ready` therefore never takes the gate, and `remove_event_source` can hold the
gate and wait out a running `on_ready`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from threading import Thread, get_ident
from typing import Final, NoReturn, ParamSpec, TypeVar

from uio_workloop.errors import BadArgumentError, ClosedError, NotAttachedError, UsageError
from uio_workloop.loop import deadlock, lifetime
from uio_workloop.loop.dispatch import Dispatch
from uio_workloop.loop.error_rule import ErrorHandler, ErrorRule
from uio_workloop.loop.event_source import EventSource
from uio_workloop.loop.gate import Gate
from uio_workloop.loop.gate_lock import FOREVER
from uio_workloop.loop.hold_time import HoldTimeRule
from uio_workloop.loop.signals import SignalWait
from uio_workloop.loop.thread_setup import ThreadSetup

P = ParamSpec("P")
T = TypeVar("T")


class WorkLoop:
    """A thread that calls the actions of its event sources, one at a time, under one gate.

    The thread runs from construction to `close()`. It is a daemon, but leaving a `with` block, `close()` and the end
    of the interpreter all stop it and wait for the action that runs. In the child of a fork the loop is closed.

    An action that raises is logged and its source goes on as after a normal return; after `max_consecutive_errors` in
    a row the source is disabled, so that a level line whose action keeps failing does not storm.

    `gate`, a `Gate`, is what actions run under: `with loop.gate:` lets a client in.

    Args:
        name: of the thread; without one, it is named after the class of the owner of the first source that has one.
        on_error: called as `on_error(source, exception)`, gate held, in place of that rule.
        max_consecutive_errors: 1 or more.
        thread_setup: called without arguments on the loop's thread before it serves anything; the constructor waits for
            it, and raises what it raises. `RealtimeProfile.apply` is one.

    IOKit: IOWorkLoop.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        on_error: ErrorHandler | None = None,
        max_consecutive_errors: int = 10,
        thread_setup: Callable[[], object] | None = None,
    ) -> None:
        self._named = name is not None
        self.name = name or "WorkLoop"
        self.gate: Final = Gate(self.name)
        error_rule = ErrorRule(f"work loop {self.name!r}", on_error, max_consecutive_errors)
        self._setup = ThreadSetup(thread_setup, f"work loop {self.name!r}") if thread_setup is not None else None
        self._closing = False
        self.dispatch: Final = Dispatch(self, error_rule)
        """Passes, signals and descriptors; for sources."""
        self._chain = self.dispatch.chain
        self._signal_wait: SignalWait | None = None
        self._thread_id: int | None = None  # while it runs; the system gives numbers of ended threads to others
        self._thread = Thread(target=self._thread_main, name=self.name, daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self.dispatch.poll_set.close()
            raise
        lifetime.keep(self)
        if self._setup is not None:
            try:
                self._setup.wait()
            except BaseException:
                self.close()
                raise

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

    def __contains__(self, source: object) -> bool:
        """Whether the source is on this loop's event chain."""
        return source in self._chain

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
        if not isinstance(source, EventSource) or not hasattr(source, "_work_loop"):
            raise BadArgumentError(f"cannot add {source!r}: it is no EventSource whose super().__init__() was called")
        with self.gate.own:
            self._check_open(f"add {source.name}")
            source.attach(self)
            try:
                self.dispatch.poll(source)
                source.set_work_loop(self)
                self._check_open(f"add {source.name}")  # its hook may have closed the loop
                source._check_open("add")  # or itself
            except BaseException:
                self.dispatch.unpoll(source)
                self._chain.riders.discard(source)
                source._work_loop = None
                raise
            self._chain.append(source)
            if not self._named and source.owner is not None:
                self._named = True
                self.name = self.gate.name = self._thread.name = type(source.owner).__name__
            source.ask_for_visit(self)

    def remove_event_source(self, source: EventSource) -> None:
        """Disable a source and take it off the chain; once this returns its action is not called any more.

        It can be added again, here or elsewhere, and then needs `enable()` again; what it has pending stays with it.

        Context: any thread; takes the gate, so a pass in progress is waited for, except inside an action and while one
        sleeps on the gate.
        Raises:
            NotAttachedError: it is not on this loop.
        IOKit: removeEventSource.
        """
        with self.gate.own:
            if source not in self._chain:
                raise NotAttachedError(f"cannot remove {source!r}: it is not on work loop {self.name!r}")
            source.disable()
            self.dispatch.unpoll(source)
            self._chain.remove(source)
            source.set_work_loop(None)  # last: from here on another loop can have it

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
        with self.gate.own, ExitStack() as even_if_one_fails:
            self._check_open("change its event sources")
            for source in reversed(self.event_sources):  # the stack runs them the other way round
                if source.is_interrupt or not interrupts_only:
                    even_if_one_fails.callback(operation, source)

    # Clients

    def set_maximum_lock_time(self, interval_ns: int, *, raises: bool = False) -> None:
        """Report whoever holds the gate for longer than `interval_ns` from now on, once a hold, when he lets go.

        The outermost hold counts, without the time asleep on the gate. The report has the stack of the holder; of the
        loop's thread it names the sources of the pass. An error takes the place of what `run_action` would return, but
        not of an exception that is on its way already.

        Args:
            interval_ns: 0 switches the reports off.
            raises: `HoldTimeError` in the holder, instead of a warning in the log; the loop's thread always logs.

        Context: any thread; takes the gate.
        Raises:
            BadArgumentError: `interval_ns` is negative.
        IOKit: setMaximumLockTime, with kTimeLockPanics.
        """
        rule = HoldTimeRule(interval_ns, raises, self._serving)
        self.gate.limit_hold_time(rule if interval_ns else None)

    def _serving(self) -> str | None:
        if not self.on_thread():
            return None
        return f", serving {', '.join(source.name for source in self.dispatch.serving)}"

    def run_action(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `fn` under the gate, on the calling thread, and return what it returns or raise what it raises.

        Context: any thread; takes the gate, recursively.
        Raises:
            ClosedError: the loop was closed before.
            BadArgumentError: `fn` cannot be called.
            AbortedError: the loop was closed while the caller waited for the gate; `fn` was not called.
        IOKit: runAction.
        """
        if self._closing or not callable(fn):
            self._refuse_action("run", fn)
        return self.gate.call(fn, args, kwargs)

    def attempt_action(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `run_action`, but never waits.

        Context: any thread.
        Raises:
            BadArgumentError: `fn` cannot be called.
            GateBusyError: another thread holds the gate; `fn` was not called.
            ClosedError: the loop was closed before.
            AbortedError: it was closed in the same instant; `fn` was not called.
        IOKit: IOCommandGate::attemptAction.
        """
        if self._closing or not callable(fn):
            self._refuse_action("attempt", fn)
        with self.gate.attempt():
            self.gate.check_open()
            return fn(*args, **kwargs)

    def _refuse_action(self, verb: str, fn: object) -> NoReturn:
        self._check_open(f"{verb} an action")
        raise BadArgumentError(f"work loop {self.name!r} cannot {verb} {fn!r}: it is not callable")

    def signal_work_available(self) -> None:
        """Have every source visited in the next pass. A source that knows it has work signals for itself, cheaper.

        Context: any thread, gate held or open; never waits; signals coalesce.
        IOKit: signalWorkAvailable.
        """
        self.dispatch.signal_all()

    def run_event_sources(self) -> bool:
        """Serve what is ready now, in one pass on the calling thread; false if the loop was closed.

        Called from an action, it serves the other sources; the source of that action is not entered again.

        Context: any thread; takes the gate.
        IOKit: runEventSources.
        """
        with self.gate.own:
            if self._closing:
                return False
            try:
                self.dispatch.look_at_those_of(self.dispatch.poll_set.wait(0))
                self.dispatch.serve()
            finally:
                if self._chain.queue:
                    self.dispatch.wake()
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
            with self.gate.own:
                if self._closing:
                    return None
                self._signal_wait = wait
            try:
                return wait.wait_for(signals)
            finally:
                with self.gate.own:
                    self._signal_wait = None

    # The thread

    def _thread_main(self) -> None:
        """IOKit: threadMain."""
        self._thread_id = get_ident()
        dispatch, queue = self.dispatch, self._chain.queue
        wait = dispatch.poll_set.wait
        try:
            if self._setup is not None and not self._setup.run():
                return
            while not self._closing:
                dispatch.will_look = False  # from here on a finalizer on this very thread has to wake it
                events = wait(0 if queue else FOREVER)
                dispatch.will_look = True
                if not dispatch.serve_directly(events):
                    dispatch.serve_all(events)
        finally:
            with self.gate.surely:  # whoever is closing the loop is still taking sources off the poll set
                self._shut()
                dispatch.poll_set.close()
            self._thread_id = None

    def _check_open(self, operation: str) -> None:
        if self._closing:
            raise ClosedError(f"cannot {operation}: work loop {self.name!r} is closed; make a new one")

    # The end

    def close(self) -> None:
        """Close every source, stop the thread and wait for it. Twice is fine.

        Called from an action, or with the gate held, it closes the sources at once but does not wait: the thread ends
        when the gate is let go. Sleepers on the gate are woken with `INTERRUPTED`.

        Context: any thread; takes the gate, so the action that runs is waited for.
        IOKit: release, free; which do not wait.
        """
        try:
            with self.gate.own:
                self._shut()
        finally:
            if not (self.gate.held or self.on_thread()):
                deadlock.join(self._thread)

    def _shut(self) -> None:
        """What of closing is done under the gate, once."""
        if self._closing:
            return
        self._closing = self.gate.shut = True
        with ExitStack() as closed_in_reverse:
            for source in self.event_sources:
                closed_in_reverse.callback(source.close)
            self.gate.interrupt_sleepers()
            if self._signal_wait is not None:
                self._signal_wait.stop()
            self.dispatch.poll_set.wake()
            lifetime.forget(self)

    def __enter__(self) -> WorkLoop:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def abandon(self) -> None:
        """In the child of a fork: close the descriptors that came along; devices and lines belong to the parent."""
        self._closing = self.gate.shut = True
        self.gate.reset()
        self.dispatch.abandon()
