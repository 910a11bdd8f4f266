"""From what an interrupt line has counted to what an action is given.

Theory of operation
-------------------
Two stages, as in IOKit. The primary stage runs in the ready phase, or wherever software triggers the source: it notes
in `_occurred` how many interrupts came, which is one atomic append and so needs no lock, not even against a signal
handler. The secondary stage runs under the gate: it moves what has occurred to `_backlog`, from there to `_in_action`,
while the action runs, and to `_delivered` when that is done. These are Python integers and never wrap.

A source that has neither filter nor overridden hooks needs no ready phase of its own: `look_and_deliver` is both stages
in one, and says the same to whoever asks. That is the hot path.

When to unmask is decided by the trigger:

- Level: the line stays asserted until the device is quiet. Unmask after the action, or the same interrupt is back
  before anyone has looked at it.
- Edge: nothing stays asserted. Unmask before the action, so that an edge landing while we work is counted and brings
  us round once more.

Every interrupt is followed by one unmask, because a kernel driver may mask at every interrupt whatever the trigger
(uio_pdrv_genirq does) and unmasking an open line does nothing. Either way an explicit `disable()` wins: a source the
user disabled is never unmasked behind his back.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import ClassVar, Final

from uio_workloop.errors import BadArgumentError, DeviceGoneError, NotAttachedError
from uio_workloop.interrupts.event_count import MODULUS
from uio_workloop.interrupts.interrupt_line import InterruptLine, InterruptProvider, NoLine, Trigger
from uio_workloop.loop.event_source import EventSource
from uio_workloop.loop.work_loop import WorkLoop
from uio_workloop.sources.cpu_warmer import CpuWarmer
from uio_workloop.statistics import InterruptStatistics

HOOKS: Final = ("enabled", "on_ready", "check_for_work", "normal_interrupt_occurred", "disable_interrupt_occurred")


class InterruptDelivery(EventSource):
    """The two stages of an interrupt source, and its counts; what it is a source of, a subclass says.

    IOKit: the part of IOInterruptEventSource that runs.
    """

    is_interrupt: ClassVar[bool] = True

    _rejected = 0
    _opened_early = False  # by an enable() inside the action
    _masked_since_drained = False  # disabled inside the action
    _stamping = False
    _timestamp_ns = 0
    _warmer: CpuWarmer | None = None

    def __init__(self, action: Callable[..., object] | None, *, owner: object, name: str) -> None:
        super().__init__(action, owner=owner, name=name)
        self._provider: InterruptProvider | None = None
        self._index = 0
        self._occurred: list[int] = []
        self._backlog = 0  # what has occurred and been noticed under the gate, but could not be delivered yet
        self._delivered = 0
        self._undelivered = 0  # drained, but neither delivered nor in action; less what software triggered
        self._action_calls = 0
        self._in_action = 0  # how many interrupts the call that runs is about
        self._use(NoLine())

    def _use(self, line: InterruptLine) -> None:
        self._line = line
        self._drain = line.drain  # bound once: this is the hot path
        self._auto_disable = line.trigger is Trigger.LEVEL
        masked_by_interrupt = getattr(line, "masked_by_interrupt", True)  # a line that does not say is unmasked
        self._unmask_first = masked_by_interrupt and not self._auto_disable
        self._decide_way()

    def _decide_way(self) -> None:
        self.serves_directly = not (self._stamping or self._warmer) and self._is_as_in(InterruptDelivery, *HOOKS)

    # Counts

    @property
    def producer_count(self) -> int:
        """Interrupts that came, modulo 2^32. IOKit: producerCount."""
        return (self._delivered + self._in_action + self._backlog + sum(self._occurred.copy())) % MODULUS

    @property
    def consumer_count(self) -> int:
        """Interrupts whose action has returned, modulo 2^32. IOKit: consumerCount."""
        return self._delivered % MODULUS

    @property
    def statistics(self) -> InterruptStatistics:
        """A snapshot of the counters. Context: any thread."""
        return InterruptStatistics(
            interrupts=self._delivered + self._in_action + self._undelivered,
            delivered=self._delivered,
            action_calls=self._action_calls,
            rejected=self._rejected,
            errors=self._errors,
            lost=self._line.lost,
        )

    # The line

    def _arm(self, *, afresh: bool = False) -> None:
        # What the kernel accepted before the line was masked is drained while it still is: a PCI line tells an
        # interrupt by its mask. A level line with something to deliver is unmasked when that is done, not before: its
        # device has not been acknowledged yet.
        if afresh and self._work_loop is not None:
            dispatch = self._work_loop.dispatch
            if self._masked_since_drained:
                self._masked_since_drained = False
                with dispatch.between_ready_phases:  # none is left that has seen us disabled
                    pass
            else:
                dispatch.look_now(self)
            if not self._enabled:  # a filter of ours has disabled us
                return
        if not self._auto_disable or self._in_action or not self._pending:
            self._opened_early = self._in_action > 0
            self._line.unmask()

    def _disarm(self) -> None:
        with suppress(DeviceGoneError):  # a line that is gone is silent
            self._line.mask()

    def _fall_silent(self, loop: WorkLoop) -> None:
        if self._in_action and self._auto_disable and self.serves_directly:
            # The usual case of whoever opens the line later: as nothing comes of a masked line, its descriptor can be
            # watched on. Should something come, the loop finds the source disabled, and ceases to watch.
            self._enabled = False
            self._masked_since_drained = True
            self._disarm()
        else:
            super()._fall_silent(loop)

    def _unmask(self) -> None:
        try:
            self._line.unmask()
            if not self._enabled:  # a filter disabled the source meanwhile, on another thread
                self._line.mask()
        except DeviceGoneError:
            pass  # the descriptor says so, too; departures are dealt with there

    def ask_for_visit(self, loop: WorkLoop) -> None:
        if self._pending or not self.serves_directly:  # what is still in the kernel makes the descriptor ready
            super().ask_for_visit(loop)

    # Primary stage

    def fileno(self) -> int:
        return self._line.fileno()

    def on_ready(self) -> bool:
        try:
            n = self._drain()
        except BlockingIOError:
            n = 0
        if n:
            if self._stamping:
                self._timestamp_ns = self._line.timestamp_ns()
            self._undelivered += n
            try:
                if self._auto_disable:
                    self.disable_interrupt_occurred(self._provider, self._index, n)
                else:
                    self.normal_interrupt_occurred(self._provider, self._index, n)
            finally:
                if self._enabled and not self._pending:  # not ours, or swallowed: no action will open the line
                    self._unmask()
        return bool(self._occurred)  # what is pending but cannot be delivered now must not keep the loop awake

    def normal_interrupt_occurred(self, provider: InterruptProvider | None, source: int, n: int = 1) -> None:
        """`n` interrupts of an edge-triggered line came; count them. Override it to do more, or to count differently.

        Context: work-loop thread, gate open; or whoever called `interrupt_occurred`.
        IOKit: normalInterruptOccurred; `source` is the index, and the count is new: one read may tell of several.
        """
        self._occurred.append(n)

    def disable_interrupt_occurred(self, provider: InterruptProvider | None, source: int, n: int = 1) -> None:
        """`n` interrupts of a level-triggered line came, which the kernel has masked; count them.

        Context: work-loop thread, gate open; or whoever called `interrupt_occurred`.
        IOKit: disableInterruptOccurred.
        """
        self._occurred.append(n)

    def interrupt_occurred(self, provider: InterruptProvider | None = None, source: int = 0, n: int = 1) -> None:
        """Act as if the device had interrupted: the software trigger of any interrupt source.

        Given a provider, a level-triggered source takes the level way, else the edge way. The line is not touched.

        Context: any thread, gate held or open, also a signal handler; never waits.
        Raises:
            NotAttachedError: the source is on no loop.
            BadArgumentError: `n` is not positive.
        IOKit: IOInterruptEventSource::interruptOccurred.
        """
        loop = self._loop_to_trigger_on(n)
        if self._auto_disable and provider is not None:
            self.disable_interrupt_occurred(provider, source, n)
        else:
            self.normal_interrupt_occurred(provider, source, n)
        loop.dispatch.signal(self)

    def _loop_to_trigger_on(self, n: int) -> WorkLoop:
        if operator.index(n) < 1:
            raise BadArgumentError(f"cannot trigger {self._name} with {n} interrupts: there is 1 or more")
        loop = self._work_loop
        if loop is None:
            self._check_open("trigger")
            raise NotAttachedError(f"cannot trigger {self._name}: add it to a work loop with add_event_source() first")
        return loop

    # Secondary stage

    @property
    def _pending(self) -> bool:
        return bool(self._occurred or self._backlog or self._in_action)

    def check_for_work(self) -> bool:
        occurred = self._occurred
        while occurred:
            self._backlog += occurred.pop()
        count, action = self._backlog, self._action
        if not count or not self._enabled or self._in_action or action is None:
            return False
        if self._warmer is not None:
            self._warmer.cool()
        if not self._auto_disable:
            self._unmask()
        self._backlog = 0
        self._undelivered -= count
        self._in_action = count
        self._action_calls += 1
        try:
            action(self, count)
            self._errors_in_a_row = 0
        finally:
            self._end_of_action()
        return self._pending

    def _end_of_action(self) -> None:
        self._delivered += self._in_action  # first: another loop may have the source by now, and delivers when it may
        self._in_action = 0
        if self._auto_disable and self._enabled and not self._opened_early:  # what came since is not served yet
            self._unmask()
        self._opened_early = False

    def _unmask_before_action(self, count: int) -> None:
        try:
            self._unmask()
        except BaseException:  # they wait until it can be done
            self._undelivered += count
            self._occurred.append(count)
            raise

    def look_and_deliver(self, queue: Collection[object], waiting: Collection[object], most: int) -> int:
        drain, action = self._drain, self._action
        occurred = self._occurred
        loop = self._work_loop
        if loop is None:
            return 0
        dispatch = loop.dispatch
        if occurred or self._backlog or self._in_action or action is None or not self.serves_directly:
            dispatch.look(self)
            return most
        serving, looks = dispatch.serving, 0
        while looks < most:
            try:
                count = drain()
            except BlockingIOError:
                return looks
            except BaseException as error:  # any code of a provider
                dispatch.look_failed(self, error)
                return most
            if not count:
                return looks
            if self._unmask_first:
                self._unmask_before_action(count)
            self._in_action = count
            self._action_calls += 1
            try:
                action(self, count)
                self._errors_in_a_row = 0
            finally:
                if self._auto_disable:
                    self._end_of_action()
                else:
                    self._delivered += count
                    self._in_action = 0
            if queue or waiting or dispatch.serving is not serving or not self._enabled or self._work_loop is not loop:
                break  # the third: a pass inside the action, which may have taken from the queue what is to end this
            looks += 1
        where = self._work_loop  # another loop may have it by now
        if (occurred or self._backlog) and where is not None:  # noticed by a client while the action slept
            where.dispatch.signal(self)
        return most
