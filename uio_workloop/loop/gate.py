"""The gate: what serialises everything a work loop does."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import get_ident
from typing import Any, TypeVar

from uio_workloop.clock import Deadline, monotonic_ns
from uio_workloop.errors import AbortedError, BadArgumentError, GateNotHeldError, HoldTimeError
from uio_workloop.loop import deadlock
from uio_workloop.loop.gate_lock import FOREVER, GATE, GateLock, ready_phases
from uio_workloop.loop.hold_time import HoldTimeRule
from uio_workloop.loop.sleepers import Sleeper, Sleepers, WaitResult

T = TypeVar("T")


def _check_deadline(deadline: object) -> None:
    if not isinstance(deadline, Deadline | None):
        raise BadArgumentError(
            f"{deadline!r} is no deadline; write Deadline.after(NS) for so many nanoseconds from now"
        )


class Hold:
    """A `with` block under the gate, taken or left in some particular way; it can be used again and again."""

    def __init__(
        self,
        gate: Gate,
        *,
        deadline: Deadline | None = None,
        wait: bool = True,
        can_fail: bool = True,
        raises: bool = True,
    ) -> None:
        self._gate = gate
        self._deadline = deadline
        self._wait = wait
        self._can_fail = can_fail
        self._raises = raises

    def __enter__(self) -> None:
        self._gate.enter(self._deadline, wait=self._wait, can_fail=self._can_fail)

    def __exit__(self, kind: object = None, error: object = None, traceback: object = None) -> None:
        gate = self._gate
        depth = gate.depth - 1  # before any call, at which a signal may come in
        try:
            gate.leave(depth, raises=self._raises and kind is None)
        except (GateNotHeldError, HoldTimeError):
            raise
        except BaseException:  # of a signal handler: the gate may not have been let go yet
            gate.leave(depth, raises=False, again=True)
            raise


class Gate(GateLock):
    """A recursive, first-come-first-served lock on which a holder can sleep.

    `with gate:` holds it. What runs under it never overlaps with anything else that does. A thread that already holds
    it passes at once; everybody else gets it in the order of asking, so no client can starve the loop.

    Waiting for it raises `DeadlockError` if the threads that hold gates and wait for gates would form a cycle.

    Args:
        name: for messages.

    Context: any thread, except from `EventSource.on_ready` and filters, where everything here raises `UsageError`, and
        from signal handlers, which can come in just as the thread they interrupt takes this very gate.
    IOKit: IOWorkLoop's gateLock with closeGate, openGate, tryCloseGate, sleepGate and wakeupGate; "closed" means held.
    """

    def __init__(self, name: str = "gate") -> None:
        super().__init__(name)
        self._sleepers = Sleepers()
        self._interrupted = False
        self.shut = False
        """The loop is closed: who still gets the gate has come too late."""
        self.own = Hold(self, raises=False)
        """How this package holds it for itself: a hold that is too long is logged, and breaks nothing half done."""
        self.surely = Hold(self, raises=False, can_fail=False)
        """How the loop's thread does, which has nobody to tell: of a deadlock, another thread gets the error."""

    def reset(self) -> None:
        """Forget every thread but the caller: after fork() the child has no other. What the caller holds he keeps."""
        if not self.held:
            self._holder.clear()
            self.depth = 0
        self.waiting.clear()
        self._sleepers.clear()
        ready_phases.clear()
        deadlock.reset()

    # Taking it and letting go

    def __enter__(self) -> Gate:
        me = get_ident()
        try:  # the common case, in few steps
            if self._hold_time is None and me not in ready_phases and self._holder.setdefault(GATE, me) == me:
                self.depth += 1
                return self
        except BaseException:  # of a signal handler, which came as we had just taken it
            self._undo_entry(me)
            raise
        self.enter()
        return self

    def __exit__(self, kind: object = None, error: object = None, traceback: object = None) -> None:
        depth = self.depth - 1  # before any call, at which a signal may come in
        try:
            if depth or self.waiting or self._hold_time is not None or self._holder.get(GATE) != get_ident():
                self.leave(depth, raises=kind is None)
            else:
                self.depth = 0
                del self._holder[GATE]
                if self.waiting:
                    self._pass_on(get_ident())
        except (GateNotHeldError, HoldTimeError):
            raise
        except BaseException:  # of a signal handler: the gate may not have been let go yet
            self.leave(depth, raises=False, again=True)
            raise

    def call(self, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        """`fn(*args, **kwargs)` with the gate held: `with gate:`, in one piece for the sake of speed.

        Context: any thread; takes the gate.
        Raises:
            AbortedError: the gate has been shut; `fn` was not called.
        """
        me = get_ident()
        holder, taken = self._holder, False
        if me in ready_phases:
            self._refuse()
        if holder.get(GATE) == me:
            return self._call_nested(fn, args, kwargs)
        try:
            if self._hold_time is None and holder.setdefault(GATE, me) == me:
                taken, self.depth = True, 1
                if self.shut:
                    self.check_open()
                return fn(*args, **kwargs)
        finally:
            if not taken:
                self._undo_entry(me)
            elif self.depth != 1 or self.waiting or self._hold_time is not None:
                self.__exit__(BaseException)  # it may be on its way: a hold that was too long is not to replace it
            else:  # no call in here, at which a signal could come in
                self.depth = 0
                del holder[GATE]
                if self.waiting:
                    self._pass_on(me)
        with self:
            self.check_open()
            return fn(*args, **kwargs)

    def _call_nested(self, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        self.check_open()
        self.depth += 1
        try:
            return fn(*args, **kwargs)
        finally:  # not let go of, even if this is a signal handler, and what it interrupted has just taken the gate
            self.depth -= 1

    def check_open(self) -> None:
        """Refuse a caller who got the gate when its loop was closed. Context: gate held.

        Raises:
            AbortedError: the gate has been shut.
        """
        if self.shut:
            raise AbortedError(
                f"work loop {self.name!r} was closed while the caller waited for its gate; make a new one"
            )

    def attempt(self) -> Hold:
        """Hold the gate for a `with` block if that needs no waiting.

        Context: any thread; never waits.
        Raises:
            GateBusyError: another thread holds the gate.
        IOKit: IOWorkLoop::tryCloseGate.
        """
        return Hold(self, wait=False)

    def within(self, deadline: Deadline) -> Hold:
        """Hold the gate for a `with` block if it can be had before `deadline`.

        Context: any thread; waits until `deadline` at most.
        Raises:
            DeadlineExceededError: other threads held the gate all that time.
        """
        _check_deadline(deadline)
        return Hold(self, deadline=deadline)

    def limit_hold_time(self, rule: HoldTimeRule | None) -> None:
        """Judge every outermost hold by `rule` from now on; time asleep on the gate does not count.

        Context: any thread; takes the gate.
        """
        with self.own:
            self._hold_time = rule
            self._taken_ns = monotonic_ns()

    # Sleep and wake-up

    def sleep(self, token: Hashable, deadline: Deadline | None = None) -> WaitResult:
        """Give the gate up, every level of it, until `wakeup(token)`; then take every level back.

        Driver state may have changed meanwhile: look again at whatever made you sleep.

        Args:
            token: what is waited for; any hashable value, private to this gate.
            deadline: when to give up; None waits for ever. One in the past still gives the gate up once.

        Context: any thread, gate held. On the work-loop thread nothing else is delivered while it sleeps.
        Raises:
            GateNotHeldError: the calling thread does not hold the gate.
        IOKit: IOWorkLoop::sleepGate, IOCommandGate::commandSleep.
        """
        me = get_ident()
        if me in ready_phases:
            self._refuse()
        _check_deadline(deadline)
        self.check_held(f"sleeping on {token!r}")
        if self._interrupted:
            return WaitResult.INTERRUPTED
        sleeper = Sleeper()
        try:
            self._sleepers.add(token, sleeper)  # before letting go, so that no wake-up is missed
            self._call_outside(me, sleeper.bell.acquire, True, FOREVER if deadline is None else deadline.remaining_s)
        finally:
            self._sleepers.forget(token, sleeper)
        return sleeper.result

    def call_outside(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(*args)` with the gate given up, every level of it; every level is taken back afterwards.

        Driver state may have changed meanwhile, as with `sleep`.

        Context: any thread, gate held.
        Raises:
            GateNotHeldError: the calling thread does not hold the gate.
        IOKit: openGate and closeGate, within what holds it.
        """
        self.check_held("stepping outside")
        return self._call_outside(get_ident(), fn, *args)

    def _call_outside(self, me: int, fn: Callable[..., T], *args: Any) -> T:
        depth, held_ns = self.depth, self._held_ns()
        try:
            self.depth = 0
            self._pass_on(me)
            return fn(*args)
        finally:
            try:
                self._take_back(me, depth)
            except BaseException:  # of a signal handler, perhaps at its very entry
                self._take_back(me, depth)
                raise
            finally:
                self._taken_ns = monotonic_ns() - held_ns

    def _take_back(self, me: int, depth: int) -> None:
        """Whatever happens: who slept holds the gate afterwards, as the code around him relies on."""
        interrupt: BaseException | None = None
        while self.depth == 0 or self._holder.get(GATE) != me:
            try:
                if self._holder.setdefault(GATE, me) != me:
                    self._queue_up(me, None, can_fail=False)
                self.depth = depth
            except BaseException as error:  # of a signal handler; it has to wait until we hold the gate
                interrupt = error
        if interrupt is not None:
            raise interrupt

    def wakeup(self, token: Hashable, *, one: bool = False) -> int:
        """Wake the threads asleep on `token`, all or the oldest, and return how many. None asleep: not remembered.

        Context: any thread; takes the gate, so that sleepers go on only after the caller let go of it.
        IOKit: IOWorkLoop::wakeupGate, IOCommandGate::commandWakeup; like them it wakes all by default.
        """
        with self.own:
            return self._sleepers.wake(token, one=one)

    def interrupt_sleepers(self) -> None:
        """Wake every sleeper with INTERRUPTED, and let nobody sleep from now on: the loop is closing.

        Context: any thread; takes the gate.
        """
        with self.own:
            self._interrupted = True
            self._sleepers.interrupt()
