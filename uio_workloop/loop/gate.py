"""The gate: the one lock that serialises everything a work loop does.

Theory of operation
-------------------
`threading.RLock` would be recursive, but not fair: a client that takes and drops it in a tight loop keeps the GIL and
wins every time, and the loop's thread starves. So this gate hands itself over. `_lock` is the gate; whoever cannot have
it at once queues a ticket, a lock that is born locked, and sleeps on it. Letting go with a queue means passing the
gate, still locked, to the oldest ticket; nobody can overtake in between.

The queue is a deque, whose append and popleft are atomic, so neither way in needs a second lock. The one race left is
a ticket queued just as the holder looks at the queue for the last time: the newcomer therefore tries the lock once
more after queueing, and the holder looks at the queue once more after unlocking. One of the two sees the other.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Lock, get_ident
from typing import Final, NoReturn

from uio_workloop.clock import Deadline, monotonic_ns
from uio_workloop.errors import (
    BadArgumentError,
    DeadlineExceededError,
    DeadlockError,
    GateBusyError,
    GateNotHeldError,
    UsageError,
)
from uio_workloop.loop import deadlock
from uio_workloop.loop.hold_time import HoldTimeRule

NOBODY: Final = 0  # no thread has this identity
FOREVER: Final = -1.0  # what Lock.acquire calls it, and epoll


class WaitResult(enum.IntEnum):
    """Why a sleep on the gate ended. Compare it; do not test its truth: AWAKENED is 0.

    IOKit: THREAD_AWAKENED, THREAD_TIMED_OUT, THREAD_INTERRUPTED, with the same values.
    """

    __str__ = enum.Enum.__str__

    AWAKENED = 0
    TIMED_OUT = 1
    INTERRUPTED = 2


def _locked() -> Lock:
    lock = Lock()
    lock.acquire()
    return lock


def _check_deadline(deadline: object) -> None:
    if not isinstance(deadline, Deadline | None):
        raise BadArgumentError(f"{deadline!r} is no deadline; write Deadline.after({deadline}) for so many ns from now")


class _Sleeper:
    """One thread asleep on a token; `bell` is born locked and rung at most once."""

    __slots__ = ("bell", "result")

    def __init__(self) -> None:
        self.bell = _locked()
        self.result = WaitResult.TIMED_OUT


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
        self.refused = NOBODY
        """The thread that is in the ready phase now, where waiting for the gate could deadlock; set by the loop."""
        self._lock = Lock()
        self._owner = NOBODY
        self._depth = 0
        self._queue: deque[Lock] = deque()
        self._sleepers: dict[Hashable, list[_Sleeper]] = {}
        self._interrupted = False
        self._hold_time: HoldTimeRule | None = None
        self._taken_ns = 0  # kept while there is a rule about it

    def reset(self) -> None:
        """Forget every thread but the caller: after fork() the child has no other. What the caller holds he keeps."""
        held = self.held
        self._lock = _locked() if held else Lock()
        if not held:
            self._owner, self._depth = NOBODY, 0
        self._queue.clear()
        self._sleepers.clear()
        deadlock.reset()

    @property
    def held(self) -> bool:
        """Whether the calling thread holds the gate. IOKit: IOWorkLoop::inGate."""
        return self._owner == get_ident()

    @property
    def holder(self) -> int:
        """The thread that holds the gate, 0 if none does; out of date as soon as it is read."""
        return self._owner

    def check_held(self, operation: str) -> None:
        """Refuse a caller who does not hold the gate.

        Raises:
            GateNotHeldError: the calling thread does not hold it; `operation` is named in the message.
        """
        if not self.held:
            raise GateNotHeldError(f"{operation} needs the gate; reach it through run_action() or `with loop.gate:`")

    def __enter__(self) -> Gate:
        self._enter(None)
        return self

    def _enter(self, deadline: Deadline | None) -> None:  # one flat function: the loop's thread comes here every pass
        me = get_ident()
        if self.refused == me:
            self._refuse()
        if self._owner == me:
            self._depth += 1
            return
        if not self._lock.acquire(False):
            self._queue_up(deadline)
        self._begin_hold(1)

    def _begin_hold(self, depth: int) -> None:
        self._owner = get_ident()
        self._depth = depth
        if self._hold_time is not None:
            self._taken_ns = monotonic_ns()

    def __exit__(self, *exc_info: object) -> None:
        if self._owner != get_ident():
            self.check_held("opening the gate")
        self._depth -= 1
        if self._depth == 0:
            rule = self._hold_time
            held_ns = self._held_ns()
            self._owner = NOBODY
            self._pass_on()
            if rule is not None and held_ns > rule.limit_ns:
                rule.report(self.name, held_ns, any(exc_info), __file__)

    def _held_ns(self) -> int:
        return 0 if self._hold_time is None else monotonic_ns() - self._taken_ns

    def _refuse(self) -> NoReturn:
        raise UsageError(
            f"the gate of {self.name!r} is not for on_ready() and filters, which run beside it; leave what needs it to "
            "the action"
        )

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Hold the gate for a `with` block if that needs no waiting.

        Context: any thread; never waits.
        Raises:
            GateBusyError: another thread holds the gate.
        IOKit: IOWorkLoop::tryCloseGate.
        """
        if self.refused == get_ident():
            self._refuse()
        if self._owner == get_ident():
            self._depth += 1
        elif self._lock.acquire(False):
            self._begin_hold(1)
        else:
            raise GateBusyError(
                f"the gate of {self.name!r} is held by another thread; try again, or wait with run_action()"
            )
        with self._until_left():
            yield

    @contextmanager
    def within(self, deadline: Deadline) -> Iterator[None]:
        """Hold the gate for a `with` block if it can be had before `deadline`.

        Context: any thread; waits until `deadline` at most.
        Raises:
            DeadlineExceededError: other threads held the gate all that time.
        """
        _check_deadline(deadline)
        self._enter(deadline)
        with self._until_left():
            yield

    @contextmanager
    def _until_left(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        self.__exit__()

    def _queue_up(self, deadline: Deadline | None = None, *, can_fail: bool = True) -> None:
        ticket = _locked()
        try:
            self._queue.append(ticket)
            if self._lock.acquire(False):  # opened since: the gate goes to the oldest ticket, which may be ours
                self._pass_on()
            if deadline is None:
                deadlock.wait(self, ticket, can_fail=can_fail)
            elif not ticket.acquire(True, deadline.remaining_s):
                raise DeadlineExceededError(f"the gate of {self.name!r} was held by other threads until the deadline")
        except DeadlockError:  # our ticket was withdrawn
            raise
        except BaseException:  # KeyboardInterrupt in the main thread: leave the queue, or pass on what we were given
            if not self.withdraw(ticket):
                self._pass_on()
            raise

    def withdraw(self, ticket: Lock) -> bool:
        """Take a ticket out of the queue; false if it has been given the gate."""
        try:
            self._queue.remove(ticket)
        except ValueError:
            return False
        return True

    def _pass_on(self) -> None:
        """Let go of the locked gate: to the oldest ticket, or to whoever comes next."""
        while True:
            if self._queue:
                try:
                    self._queue.popleft().release()
                    return
                except IndexError:
                    pass  # the last ticket withdrew
            self._lock.release()
            if not self._queue or not self._lock.acquire(False):  # nobody queued while we unlocked, or he has it
                return

    def limit_hold_time(self, rule: HoldTimeRule | None) -> None:
        """Judge every outermost hold by `rule` from now on; time asleep on the gate does not count.

        Context: any thread; takes the gate.
        """
        with self:
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
        if self.refused == get_ident():
            self._refuse()
        _check_deadline(deadline)
        self.check_held(f"sleeping on {token!r}")
        if self._interrupted:
            return WaitResult.INTERRUPTED
        sleeper = _Sleeper()
        self._sleepers.setdefault(token, []).append(sleeper)  # before letting go, so that no wake-up is missed
        depth, self._depth, self._owner = self._depth, 0, NOBODY
        held_ns = self._held_ns()
        self._pass_on()
        try:
            sleeper.bell.acquire(True, FOREVER if deadline is None else deadline.remaining_s)
        finally:
            try:
                self._take_back(depth)
            finally:
                self._taken_ns = monotonic_ns() - held_ns
                self._forget(token, sleeper)
        return sleeper.result

    def _take_back(self, depth: int) -> None:
        """Whatever happens: who slept holds the gate afterwards, as the code around him relies on."""
        interrupt: BaseException | None = None
        while True:
            try:
                if not self._lock.acquire(False):
                    self._queue_up(can_fail=False)
                break
            except BaseException as error:  # KeyboardInterrupt, which has to wait until we hold it
                interrupt = error
        self._begin_hold(depth)
        if interrupt is not None:
            raise interrupt

    def wakeup(self, token: Hashable, *, one: bool = False) -> int:
        """Wake the threads asleep on `token`, all or the oldest, and return how many. None asleep: not remembered.

        Context: any thread; takes the gate, so that sleepers go on only after the caller let go of it.
        IOKit: IOWorkLoop::wakeupGate, IOCommandGate::commandWakeup; like them it wakes all by default.
        """
        with self:
            sleepers = self._sleepers.get(token, [])
            woken = sleepers[:1] if one else sleepers[:]
            self._ring(woken, WaitResult.AWAKENED)
            del sleepers[: len(woken)]
            return len(woken)

    def interrupt_sleepers(self) -> None:
        """Wake every sleeper with INTERRUPTED, and let nobody sleep from now on: the loop is closing.

        Context: any thread; takes the gate.
        """
        with self:
            self._interrupted = True
            for sleepers in self._sleepers.values():
                self._ring(sleepers, WaitResult.INTERRUPTED)
            self._sleepers.clear()

    @staticmethod
    def _ring(sleepers: list[_Sleeper], result: WaitResult) -> None:
        for sleeper in sleepers:
            sleeper.result = result
            sleeper.bell.release()

    def _forget(self, token: Hashable, sleeper: _Sleeper) -> None:
        sleepers = self._sleepers.get(token, [])
        if sleeper in sleepers:  # timed out: nobody took it off the list
            sleepers.remove(sleeper)
        if not sleepers:
            self._sleepers.pop(token, None)
