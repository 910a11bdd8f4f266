"""The lock under a gate: recursive, fair, and proof against signals that come in between any two steps.

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
from itertools import islice
from threading import get_ident
from typing import Final, NoReturn

from uio_workloop.clock import Deadline, monotonic_ns
from uio_workloop.errors import DeadlineExceededError, DeadlockError, GateBusyError, GateNotHeldError, UsageError
from uio_workloop.loop import deadlock
from uio_workloop.loop.hold_time import HoldTimeRule
from uio_workloop.loop.sleepers import locked

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


class GateLock:
    """Who has the gate, who waits for it, and how it goes from one to the other.

    Context: any thread, except in the ready phase.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.depth = 0
        """How often the holder has taken it."""
        self.waiting: deque[_Ticket] = deque()
        """Who queues for it."""
        self._holder: dict[int, int] = {}
        self._hold_time: HoldTimeRule | None = None
        self._taken_ns = 0  # kept while there is a rule about it

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
        me = get_ident()  # first: from the look at the rule until we have the gate, no other thread gets a turn
        if self._hold_time is not None or self.depth or self._holder.setdefault(GATE, me) != me:
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
                rule.report(self.name, held_ns, raises)

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
