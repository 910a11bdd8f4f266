"""One-shot timers on timerfd."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from typing import Any

from uio_workloop._linux import timerfd
from uio_workloop.clock import MICROSECOND_NS, MILLISECOND_NS, monotonic_ns
from uio_workloop.errors import BadArgumentError
from uio_workloop.loop.event_source import EventSource

TimerAction = Callable[[Any], object]
"""`action(sender)`."""


class TimerEventSource(EventSource):
    """Calls `action(sender)` once, when a deadline has passed; arm it again in the action for a periodic timer.

    Born enabled, not armed. A deadline that passes while the timer is disabled, or on no loop, fires when that ends;
    one that has fired is spent. The action starts at or after the deadline, when the thread gets processor and gate.

    Whether a timer fires is decided under the gate, by comparing its one deadline with the clock. The descriptor only
    wakes the loop, so that a stale expiry, read before the timer was armed again, cannot cause a call.

    IOKit: IOTimerEventSource, in its work-loop flavour.
    Source: timerfd_create(2), CLOCK_MONOTONIC.
    """

    def __init__(self, action: TimerAction, *, owner: object = None) -> None:
        super().__init__(action, owner=owner)
        self._deadline_ns: int | None = None
        self._in_action = False
        self._fd = timerfd.create()

    @property
    def deadline_ns(self) -> int | None:
        """The instant the timer is armed for, on CLOCK_MONOTONIC; None when it is not."""
        return self._deadline_ns

    def set_timeout_ns(self, delay_ns: int) -> None:
        """Arm the timer to fire once, `delay_ns` from now.

        Arming again replaces the earlier deadline; disabled or on no loop yet, the deadline is remembered.

        Args:
            delay_ns: nanoseconds on CLOCK_MONOTONIC, 0 or more; 0 fires on the next pass.

        Context: any thread; takes the gate. The action runs on the work-loop thread, gate held.
        Raises:
            BadArgumentError: `delay_ns` is negative.
            TypeError: it is not a whole number.
            ClosedError: the timer was closed.
        IOKit: IOTimerEventSource::setTimeout; like it, not periodic.
        Source: timerfd_settime(2); always an absolute deadline, because a relative 0 would disarm.
        """
        delay_ns = operator.index(delay_ns)  # a fraction is refused before anything has changed
        if delay_ns < 0:
            raise BadArgumentError(f"cannot set {self._name} to {delay_ns} ns: a timeout is 0 or more")
        self.wake_at_ns(monotonic_ns() + delay_ns)

    def set_timeout_us(self, delay_us: int) -> None:
        """`set_timeout_ns` in microseconds. IOKit: setTimeoutUS."""
        self.set_timeout_ns(delay_us * MICROSECOND_NS)

    def set_timeout_ms(self, delay_ms: int) -> None:
        """`set_timeout_ns` in milliseconds. IOKit: setTimeoutMS."""
        self.set_timeout_ns(delay_ms * MILLISECOND_NS)

    def wake_at_ns(self, at_ns: int) -> None:
        """Arm the timer to fire once, at an instant of CLOCK_MONOTONIC; one in the past fires on the next pass.

        Context: any thread; takes the gate.
        Raises:
            BadArgumentError: `at_ns` is not positive; IOKit's 0 for "never" is `cancel_timeout()`.
            ClosedError: the timer was closed.
        IOKit: IOTimerEventSource::wakeAtTime.
        """
        at_ns = operator.index(at_ns)
        if at_ns <= 0:
            raise BadArgumentError(f"cannot arm {self._name} for {at_ns} ns: an instant of CLOCK_MONOTONIC is positive")
        with self._gate():
            self._check_open("arm")
            self._deadline_ns = at_ns
            if self._enabled:
                self._arm()

    def cancel_timeout(self) -> None:
        """Disarm the timer. Once this returns, the action stays silent until armed again.

        Context: any thread; takes the gate, so an action in progress is waited for.
        IOKit: IOTimerEventSource::cancelTimeout.
        """
        with self._gate():
            self._deadline_ns = None
            self._disarm()

    def fileno(self) -> int:
        return self._fd

    def on_ready(self) -> bool:
        return timerfd.drain(self._fd) > 0

    def check_for_work(self) -> bool:
        deadline_ns = self._deadline_ns
        if deadline_ns is None or not self._enabled or self._in_action or monotonic_ns() < deadline_ns:
            return False
        self._deadline_ns = None  # spent, before the action may arm it again
        self._in_action = True
        try:
            if self._action is not None:
                self._action(self)
        finally:
            self._in_action = False
        self._errors_in_a_row = 0
        return self._deadline_ns is not None  # armed again, and perhaps passed over while the action ran

    def set_work_loop(self, work_loop: Any) -> None:
        super().set_work_loop(work_loop)
        if work_loop is not None and self._enabled:
            self._arm()

    def _arm(self) -> None:
        if self._deadline_ns is not None and self._work_loop is not None:
            timerfd.arm_at(self._fd, self._deadline_ns)

    def _disarm(self) -> None:
        if not self._closed:
            timerfd.disarm(self._fd)

    def free(self) -> None:
        self._deadline_ns = None
        os.close(self._fd)

    def _abandon(self) -> None:
        super()._abandon()
        self.free()
