"""One-shot timers on timerfd."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from typing import Any, Final, Self, TypedDict, Unpack

from uio_workloop.clock import MICROSECOND_NS, MILLISECOND_NS, SECOND_NS, boottime_ns, monotonic_ns
from uio_workloop.errors import BadArgumentError, NoResourcesError
from uio_workloop.loop.event_source import EventSource
from uio_workloop.sources.callout import Callout

TimerAction = Callable[[Any], object]
"""`action(sender)`."""

NANOSECOND_SCALE: Final = 1
MICROSECOND_SCALE: Final = MICROSECOND_NS
MILLISECOND_SCALE: Final = MILLISECOND_NS
TICK_SCALE: Final = 10 * MILLISECOND_NS
"""A scheduler tick: 100 a second, as in IOKit, whatever the kernel's own."""
SECOND_SCALE: Final = SECOND_NS


class TimerOptions(TypedDict, total=False):
    """What every call that arms a timer takes besides the time.

    leeway_ns: how much later than asked for it may fire. From the deadline on, any pass of the loop takes it along;
        if none comes it fires at deadline plus leeway. Neighbouring deadlines so share one wake-up. Default 0.
    continuous: CLOCK_BOOTTIME, which goes on while the machine is suspended, instead of CLOCK_MONOTONIC, which stops.

    IOKit: kIOTimeOptionsWithLeeway, kIOTimeOptionsContinuous.
    """

    leeway_ns: int
    continuous: bool


class TimerEventSource(EventSource):
    """Calls `action(sender)` once, when a deadline has passed; arm it again in the action for a periodic timer.

    Born enabled, not armed. A deadline that passes while the timer is disabled, or on no loop, fires when that ends;
    one that has fired is spent. The action starts at or after the deadline, when the thread gets processor and gate.

    Whether a timer fires is decided under the gate, by comparing its one deadline with the clock. The descriptor only
    wakes the loop, so that a stale expiry, read before the timer was armed again, cannot cause a call.

    All `set_timeout...` count from now, all `wake_at_time...` are instants of the clock; both take `TimerOptions`.

    IOKit: IOTimerEventSource, in its work-loop flavour.
    Source: timerfd_create(2).
    """

    callout_entry: Callout
    """What makes it expire; made by `set_timeout_func()`. IOKit: calloutEntry."""

    def __init__(self, action: TimerAction | None = None, *, owner: object = None, name: str | None = None) -> None:
        super().__init__(action, owner=owner, name=name)
        self._deadline_ns = 0
        self._leeway_ns = 0
        self._continuous = False
        self._armings = 0
        self._in_action = False
        self._riding = False
        self._unread = False  # the descriptor is readable, and stays so until it is drained or armed again
        try:
            self.set_timeout_func()
        except BaseException:
            if hasattr(self, "callout_entry"):  # an override failed after it had made one
                self.callout_entry.close()
            raise
        self._own_timeout = not self._is_as_in(TimerEventSource, "timeout")
        self.serves_directly = self._is_as_in(TimerEventSource, "enabled", "on_ready", "check_for_work")

    @classmethod
    def timer_event_source(cls, owner: object, action: TimerAction | None = None) -> Self:
        """The constructor with IOKit's order of arguments. IOKit: IOTimerEventSource::timerEventSource."""
        return cls(action, owner=owner)

    @property
    def abstime(self) -> int:
        """The instant the timer is armed for, in nanoseconds of its clock; 0 when it is not armed. IOKit: abstime."""
        return self._deadline_ns

    @property
    def continuous(self) -> bool:
        """Whether the timer was last armed on CLOCK_BOOTTIME."""
        return self._continuous

    # Arming

    def set_timeout_ns(self, delay_ns: int, **options: Unpack[TimerOptions]) -> None:
        """Arm the timer to fire once, `delay_ns` from now.

        Arming again replaces the earlier deadline; disabled or on no loop yet, the deadline is remembered.

        Args:
            delay_ns: nanoseconds, 0 or more; 0 fires on the next pass.
            options: see `TimerOptions`.

        Context: any thread; takes the gate. The action runs on the work-loop thread, gate held.
        Raises:
            NoResourcesError: the timer has no action; an earlier arming stands.
            BadArgumentError: `delay_ns` or the leeway is negative.
            TypeError: one is not a whole number.
            ClosedError: the timer was closed.
        IOKit: IOTimerEventSource::setTimeout; like it, not periodic.
        Source: timerfd_settime(2); always an absolute deadline, because a relative 0 would disarm.
        """
        delay_ns = self._whole(delay_ns)
        if delay_ns < 0:
            raise BadArgumentError(f"cannot set {self._name} to {delay_ns} ns: a timeout is 0 or more")
        self._arm_for(delay_ns, relative=True, **options)

    def set_timeout(self, interval: int, scale_factor: int = NANOSECOND_SCALE, **options: Unpack[TimerOptions]) -> None:
        """`set_timeout_ns`, in units of `scale_factor` nanoseconds. IOKit: setTimeout(interval, scale_factor)."""
        self.set_timeout_ns(interval * self._checked(scale_factor), **options)

    def set_timeout_us(self, delay_us: int, **options: Unpack[TimerOptions]) -> None:
        """`set_timeout_ns` in microseconds. IOKit: setTimeoutUS."""
        self.set_timeout_ns(delay_us * MICROSECOND_SCALE, **options)

    def set_timeout_ms(self, delay_ms: int, **options: Unpack[TimerOptions]) -> None:
        """`set_timeout_ns` in milliseconds. IOKit: setTimeoutMS."""
        self.set_timeout_ns(delay_ms * MILLISECOND_SCALE, **options)

    def set_timeout_ticks(self, ticks: int, **options: Unpack[TimerOptions]) -> None:
        """`set_timeout_ns` in ticks of 10 ms. IOKit: setTimeoutTicks."""
        self.set_timeout_ns(ticks * TICK_SCALE, **options)

    def wake_at_time_ns(self, at_ns: int, **options: Unpack[TimerOptions]) -> None:
        """Arm the timer to fire once, at an instant of its clock; one in the past fires on the next pass.

        Context: any thread; takes the gate.
        Raises:
            BadArgumentError: `at_ns` is not positive (IOKit's 0 for "never" is `cancel_timeout()`), or the leeway is
                negative.
            NoResourcesError, TypeError, ClosedError: as `set_timeout_ns`.
        IOKit: IOTimerEventSource::wakeAtTime.
        """
        at_ns = self._whole(at_ns)
        if at_ns <= 0:
            raise BadArgumentError(f"cannot arm {self._name} for {at_ns} ns: an instant of its clock is positive")
        self._arm_for(at_ns, relative=False, **options)

    def wake_at_time(self, abstime: int, scale_factor: int = NANOSECOND_SCALE, **options: Unpack[TimerOptions]) -> None:
        """`wake_at_time_ns`, in units of `scale_factor` nanoseconds. IOKit: wakeAtTime(abstime, scale_factor)."""
        self.wake_at_time_ns(abstime * self._checked(scale_factor), **options)

    def wake_at_time_us(self, at_us: int, **options: Unpack[TimerOptions]) -> None:
        """`wake_at_time_ns` in microseconds; here they do not wrap after 71 minutes. IOKit: wakeAtTimeUS."""
        self.wake_at_time_ns(at_us * MICROSECOND_SCALE, **options)

    def wake_at_time_ms(self, at_ms: int, **options: Unpack[TimerOptions]) -> None:
        """`wake_at_time_ns` in milliseconds; here they do not wrap after 49 days. IOKit: wakeAtTimeMS."""
        self.wake_at_time_ns(at_ms * MILLISECOND_SCALE, **options)

    def wake_at_time_ticks(self, ticks: int, **options: Unpack[TimerOptions]) -> None:
        """`wake_at_time_ns` in ticks of 10 ms since boot. IOKit: wakeAtTimeTicks."""
        self.wake_at_time_ns(ticks * TICK_SCALE, **options)

    def _whole(self, ns: int) -> int:
        """A fraction is refused before anything has changed."""
        try:
            return operator.index(ns)
        except TypeError:
            raise TypeError(
                f"cannot arm {self._name} with {ns!r} ns: a time is a whole number; set_timeout_us() and "
                "set_timeout_ns() have smaller units"
            ) from None

    def _checked(self, scale_factor: int) -> int:
        if scale_factor < 1:
            raise BadArgumentError(f"cannot arm {self._name} in units of {scale_factor} ns: a scale is 1 or more")
        return scale_factor

    def _arm_for(self, time_ns: int, *, relative: bool, leeway_ns: int = 0, continuous: bool = False) -> None:
        leeway_ns = self._whole(leeway_ns)
        if leeway_ns < 0:
            raise BadArgumentError(f"cannot arm {self._name} with {leeway_ns} ns of leeway: it is 0 or more")
        if relative:
            time_ns += self._now_ns(continuous)  # before the gate is waited for
        with self._gate():
            self._check_open("arm")
            if self._action is None:
                raise NoResourcesError(f"cannot arm {self._name}: it has no action to call; set_action() first")
            if continuous != self._continuous:
                self._use_clock(continuous)
            self._armings += 1
            self._deadline_ns = time_ns
            self._leeway_ns = leeway_ns
            if self._enabled:
                self._arm()

    def _now_ns(self, continuous: bool) -> int:
        if continuous == self._continuous:
            return self.callout_entry.now_ns()
        return boottime_ns() if continuous else monotonic_ns()

    def _use_clock(self, continuous: bool) -> None:
        loop, former = self._work_loop, self.callout_entry
        if loop is not None:
            loop.dispatch.unpoll(self)
        try:
            self._continuous = continuous
            self.set_timeout_func()
            former.close()
        except BaseException:
            made, self.callout_entry, self._continuous = self.callout_entry, former, not continuous
            if made is not former:
                made.close()
            raise
        finally:
            if loop is not None:
                loop.dispatch.poll(self)

    def cancel_timeout(self) -> None:
        """Disarm the timer. Once this returns, the action stays silent until armed again.

        Context: any thread; takes the gate, so an action in progress is waited for.
        IOKit: IOTimerEventSource::cancelTimeout.
        """
        with self._gate():
            self._deadline_ns = 0
            self._disarm()

    def _arm(self, *, afresh: bool = False) -> None:
        if self._deadline_ns and self._work_loop is not None:
            self._unread = False
            self.callout_entry.arm_at(self._deadline_ns + self._leeway_ns)
            if self._leeway_ns or self._riding:
                self._ride_along(self._leeway_ns > 0)

    def _disarm(self) -> None:
        if not self._closed:
            self._unread = False
            self.callout_entry.disarm()
            self._ride_along(False)

    def _ride_along(self, wanted: bool) -> None:
        """Be looked at in whatever pass there is, or no longer."""
        self._riding = wanted
        if self._work_loop is not None:
            riders = self._work_loop.dispatch.chain.riders
            (riders.add if wanted else riders.discard)(self)

    # Expiring

    def fileno(self) -> int:
        return self.callout_entry.fileno()

    def on_ready(self) -> bool:
        # Not drained here, where the action would wait for it: most actions arm the timer again, which drains it.
        self._unread = True
        return True

    def look_and_deliver(self, queue: Collection[object], waiting: Collection[object], most: int) -> int:
        self._unread = True
        if self.check_for_work():
            self.signal_work_available()
        return 1

    def check_for_work(self) -> bool:
        try:
            if not self._is_due():
                return False
            arming, loop = self._armings, self._work_loop
            if self._own_timeout:
                self.timeout()
            else:
                self._call_action()
            if self._armings == arming and self._work_loop is loop:  # whatever an override of timeout() did
                self._deadline_ns = 0
            return self._is_due()  # armed again, and passed over while the action ran
        finally:
            if self._unread:
                self._unread = False
                self.callout_entry.drain()

    def _is_due(self) -> bool:
        deadline_ns = self._deadline_ns
        return 0 < deadline_ns <= self.callout_entry.now_ns() and self._can_fire()

    def _can_fire(self) -> bool:
        armed = self._deadline_ns > 0 and self._work_loop is not None
        return armed and self._enabled and not self._in_action and self._action is not None

    def timeout(self) -> None:
        """The deadline has passed: call the action, under the gate. Override it to do something else on expiry.

        Called by hand it fires before its time, if it is on a loop, armed and enabled, and not in its action just then.

        Context: work-loop thread, gate held, when called by the loop; any thread, takes the gate, when by hand.
        IOKit: IOTimerEventSource::timeout.
        """
        with self._gate():
            if self._can_fire():
                self._call_action()

    def _call_action(self) -> None:
        action = self._action
        if action is None:
            return
        self._deadline_ns = 0  # spent, before the action may arm it again
        if self._riding:
            self._ride_along(False)
        self._in_action = True
        try:
            action(self)
            self._errors_in_a_row = 0
        finally:
            self._in_action = False

    # Beginning and end

    def set_timeout_func(self) -> None:
        """Make `callout_entry`; called by the constructor, and when the timer changes to its other clock.

        Override it to expire by other means than a timerfd: whatever has the methods of `Callout`.

        IOKit: IOTimerEventSource::setTimeoutFunc.
        """
        self.callout_entry = Callout(continuous=self._continuous)

    def set_work_loop(self, work_loop: Any) -> None:
        super().set_work_loop(work_loop)
        if work_loop is not None and self._enabled:
            self._arm()

    def free(self) -> None:
        """Close the descriptor. IOKit: IOTimerEventSource::free."""
        self._deadline_ns = 0
        self._unread = False
        self.callout_entry.close()

    def _abandon(self) -> None:
        super()._abandon()
        self.free()
