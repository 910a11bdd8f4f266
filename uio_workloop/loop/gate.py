"""The gate: the one lock that serialises everything a work loop does.

Theory of operation
-------------------
`threading.RLock` would be recursive, but not fair: a client that takes and drops it in a tight loop keeps the GIL and
wins every time, and the loop's thread starves. So this gate hands itself over. Whoever cannot have it at once queues a
ticket and sleeps on its bell, a lock that is born locked. Letting go with a queue means making the oldest ticket's
thread the holder and ringing his bell; nobody can overtake in between.

The gate is a dict with at most one entry, and whose it is: `setdefault` takes it and says who has it in one step. That
matters in the main thread, where a signal handler, and the KeyboardInterrupt of the one for Ctrl-C, can come between
any two steps: whether the gate was taken can always be looked up, and is put right. For the same reason a ticket leaves
the queue and arrives with whoever hands over in one call of C code, and letting go is done in a way that can be
repeated. What is left is an interrupt at the very entry of `__exit__`: the thread then still holds the gate.

The queue is a deque, whose append and popleft are atomic. The one race is a ticket queued just as the holder looks at
the queue for the last time: the newcomer therefore tries to take the gate once more after queueing, and the holder
looks at the queue once more after letting go. One of the two sees the other.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Hashable
from itertools import islice
from threading import get_ident
from typing import Any, Final, NoReturn, TypeVar

from uio_workloop.clock import Deadline, monotonic_ns
from uio_workloop.errors import (
    AbortedError,
    BadArgumentError,
    DeadlineExceededError,
    DeadlockError,
    GateBusyError,
    GateNotHeldError,
    HoldTimeError,
    UsageError,
)
from uio_workloop.loop import deadlock
from uio_workloop.loop.hold_time import HoldTimeRule
from uio_workloop.loop.sleepers import Sleeper, Sleepers, WaitResult, locked

T = TypeVar("T")

NOBODY: Final = 0  # no thread has this identity
FOREVER: Final = -1.0  # what Lock.acquire calls it, and epoll
GATE: Final = 0  # the one key there is

ready_phases: Final[dict[int, object]] = {}
"""Which threads are in the ready phase of which loop: for them no gate is to be had, since they might wait for ever."""


class _Ticket:
    """One thread that waits for the gate; `bell` is born locked and rung when the gate is its."""

    __slots__ = ("bell", "thread")

    def __init__(self) -> None:
        self.bell = locked()
        self.thread = get_ident()


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


class Gate:
    """A recursive, first-come-first-served lock on which a holder can sleep.

    `with gate:` holds it. What runs under it never overlaps with anything else that does. A thread that already holds
    it passes at once; everybody else gets it in the order of asking, so no client can starve the loop.

    Waiting for it raises `DeadlockError` if the threads that hold gates and wait for gates would form a cycle.

    Args:
        name: for messages.

    Context: any thread, except from `EventSource.on_ready` and filters, where everything here raises `UsageError`.
    IOKit: IOWorkLoop's gateLock with closeGate, openGate, tryCloseGate, sleepGate and wakeupGate; "closed" means held.
    """

    def __init__(self, name: str = "gate") -> None:
        self.name = name
        self.depth = 0
        """How often the holder has taken it."""
        self._holder: dict[int, int] = {}
        self.waiting: deque[_Ticket] = deque()
        """Who queues for it."""
        self._sleepers = Sleepers()
        self._interrupted = False
        self.shut = False
        """The loop is closed: who still gets the gate has come too late."""
        self._hold_time: HoldTimeRule | None = None
        self._taken_ns = 0  # kept while there is a rule about it
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

    @property
    def held(self) -> bool:
        """Whether the calling thread holds the gate. IOKit: IOWorkLoop::inGate."""
        return self._holder.get(GATE) == get_ident()

    @property
    def holder(self) -> int:
        """The thread that holds the gate, 0 if none does; out of date as soon as it is read."""
        return self._holder.get(GATE, NOBODY)

    def check_held(self, operation: str) -> None:
        """Refuse a caller who does not hold the gate.

        Raises:
            GateNotHeldError: the calling thread does not hold it; `operation` is named in the message.
        """
        if not self.held:
            raise GateNotHeldError(f"{operation} needs the gate; reach it through run_action() or `with loop.gate:`")

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
        if me in ready_phases:
            self._refuse()
        holder, taken = self._holder, False
        try:
            if self._hold_time is None and holder.setdefault(GATE, me) == me and not self.depth:
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

    def enter(self, deadline: Deadline | None = None, *, wait: bool = True, can_fail: bool = True) -> None:
        """Take the gate, once more if it is held already. `with` is the way to do it."""
        me = get_ident()
        if me in ready_phases:
            self._refuse()
        try:
            if self._holder.setdefault(GATE, me) != me:
                if not wait:
                    raise GateBusyError(
                        f"the gate of {self.name!r} is held by another thread; try again, or wait with run_action()"
                    )
                self._queue_up(me, deadline, can_fail=can_fail)
            if self._hold_time is not None and not self.depth:
                self._taken_ns = monotonic_ns()
            self.depth += 1
        except BaseException:  # of a signal handler, too: nobody would let go of what was taken just before
            self._undo_entry(me)
            raise

    def _undo_entry(self, me: int) -> None:
        """Let go of a gate that was taken, but not entered."""
        if self.depth == 0 and self._holder.get(GATE) == me:
            self._pass_on(me)

    def take_if_free(self) -> bool:
        """Take the gate if that takes no thought: nobody has it, and nobody asks for how long.

        Context: the loop's thread, where no signal handler runs, gate open.
        """
        if self._hold_time is not None or self.depth or self._holder.setdefault(GATE, me := get_ident()) != me:
            return False
        self.depth = 1
        return True

    def let_go(self) -> None:
        """Undo `take_if_free`, or the outermost `enter`; a hold that was too long is logged. Context: as there."""
        if self.waiting or self._hold_time is not None:
            self.leave(0, raises=False)
        else:
            self.depth = 0
            del self._holder[GATE]
            if self.waiting:
                self._pass_on(get_ident())

    def leave(self, depth: int, *, raises: bool, again: bool = False) -> None:
        """Go on holding the gate `depth` times, 0 being not at all. `with` is the way to do it.

        Args:
            raises: a hold that was too long may be an error.
            again: a former call was interrupted, and may have done it all.
        """
        me = get_ident()
        if self._holder.get(GATE) != me:
            if again:
                if self.waiting:  # let go of, and the oldest in the queue not told
                    self._pass_on(me)
                return
            self.check_held("opening the gate")
        self.depth = depth
        if depth == 0:
            rule = self._hold_time
            held_ns = self._held_ns()
            self._pass_on(me)
            if rule is not None and held_ns > rule.limit_ns:
                rule.report(self.name, held_ns, raises, __file__)

    def _held_ns(self) -> int:
        return 0 if self._hold_time is None else monotonic_ns() - self._taken_ns

    def _refuse(self) -> NoReturn:
        raise UsageError(
            f"the gate of {self.name!r} is not for on_ready() and filters, which run beside it; leave what needs it to "
            "the action"
        )

    def _queue_up(self, me: int, deadline: Deadline | None, *, can_fail: bool) -> None:
        ticket = _Ticket()
        try:
            self.waiting.append(ticket)
            if self._holder.setdefault(GATE, me) == me and ticket in self.waiting:
                self._pass_on(me)  # opened since: to the oldest ticket, perhaps ours; else it was given to us already
            if deadline is None:
                deadlock.wait(self, ticket, can_fail=can_fail)
            elif not ticket.bell.acquire(True, deadline.remaining_s):
                if self.withdraw(ticket):
                    raise DeadlineExceededError(
                        f"the gate of {self.name!r} was held by other threads until the deadline; wait longer, or see "
                        "to it that they hold it for less"
                    )
                ticket.bell.acquire()  # it is being given to us this very moment
        except (DeadlineExceededError, DeadlockError):  # our ticket was withdrawn
            raise
        except BaseException:  # of a signal handler: leave the queue; if the gate is ours, enter() lets go of it
            if not self.withdraw(ticket):
                while self._holder.get(GATE) != me:  # it is being given to us this very moment
                    os.sched_yield()
            raise

    def withdraw(self, ticket: _Ticket) -> bool:
        """Take a ticket out of the queue; false if it has been given the gate."""
        try:
            self.waiting.remove(ticket)
        except ValueError:
            return False
        return True

    def _pass_on(self, me: int) -> None:
        """Let go of the gate: to the oldest ticket, or to whoever comes next. Completed whatever signals come in."""
        oldest: deque[_Ticket] = deque()
        given: _Ticket | None = None
        done = False
        interrupt: BaseException | None = None
        while not done:
            try:
                while given is None and not done:
                    if self._holder.get(GATE) != me:  # let go of; who queued just before that has not seen it
                        done = not self.waiting or self._holder.setdefault(GATE, me) != me
                    elif self.waiting and not oldest:
                        oldest.extend(
                            islice(iter(self.waiting.popleft, None), 1)
                        )  # one call, or a ticket could be lost
                    elif oldest:
                        given = oldest[0]
                        self._holder[GATE] = given.thread
                    else:
                        del self._holder[GATE]
                if given is not None:
                    given.bell.release()
                done = True
            except IndexError:
                pass  # the last ticket withdrew
            except RuntimeError:
                done = True  # the bell was rung just before the interrupt
            except BaseException as error:  # of a signal handler
                interrupt = error
        if interrupt is not None:
            raise interrupt

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
        depth, held_ns = self.depth, self._held_ns()
        try:
            self._sleepers.add(token, sleeper)  # before letting go, so that no wake-up is missed
            self.depth = 0
            self._pass_on(me)
            sleeper.bell.acquire(True, FOREVER if deadline is None else deadline.remaining_s)
        finally:
            try:
                self._take_back(me, depth)
            except BaseException:  # of a signal handler, perhaps at its very entry
                self._take_back(me, depth)
                raise
            finally:
                self._taken_ns = monotonic_ns() - held_ns
                self._sleepers.forget(token, sleeper)
        return sleeper.result

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
