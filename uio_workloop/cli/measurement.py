"""The demo's job: a work loop with an interrupt and a periodic timer, and what there is to measure about them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Self

from uio_workloop import (
    Deadline,
    DeviceGoneError,
    Distribution,
    EventSource,
    Histogram,
    InterruptEventSource,
    TimerEventSource,
    Trigger,
    WorkLoop,
)
from uio_workloop.cli.subjects import Subject
from uio_workloop.clock import MILLISECOND_NS, SECOND_NS, monotonic_ns

TICK_NS: Final = 10 * MILLISECOND_NS
SETTLE_NS: Final = 2 * SECOND_NS  # the loop needs microseconds for what is under way
DELIVERED: Final = "everything is delivered"  # what the gate is slept on for


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was measured up to an instant."""

    device: str
    elapsed_ns: int
    interrupts: int  # the sum of the counts given to the action
    action_calls: int
    coalesced: int
    lost: int  # as the kernel reports it
    raised: int | None  # by the device, if it counts
    missing: int | None  # accepted and never delivered; negative: too many; None: not known, or not yet
    latency: Distribution | None  # raised to action; None where nobody knows when it was raised
    timer_error: Distribution
    device_left: bool

    @property
    def rate_per_s(self) -> int:
        return self.interrupts * SECOND_NS // max(1, self.elapsed_ns)


class Measurement:
    """Measures a subject from `start` to `stop`.

    Args:
        subject: started and stopped by us, closed by the caller.
        on_end: called on the loop's thread, gate held, when there is nothing more to measure: the device has left, or
            the job broke.
        thread_setup: of the loop's thread, as `WorkLoop` takes it.

    Context: the main thread, except `snapshot`: any thread, no gate.
    """

    def __init__(
        self, subject: Subject, on_end: Callable[[], object], thread_setup: Callable[[], object] | None = None
    ) -> None:
        self._subject = subject
        self._on_end = on_end
        self._latency = Histogram()
        self._timer_error = Histogram()
        self._delivered = 0
        self._awaited: int | None = None
        self._missing: int | None = None
        self._started_ns = self._stopped_ns = 0
        self._tick_at_ns = 0
        self._failure: BaseException | None = None
        self._device_left = False
        with ExitStack() as acquired:
            self._loop = acquired.enter_context(WorkLoop("demo", on_error=self._on_error, thread_setup=thread_setup))
            self._interrupt = acquired.enter_context(InterruptEventSource(subject.provider, self._on_interrupt))
            self._interrupt.on_terminated = self._on_terminated
            self._timer = acquired.enter_context(TimerEventSource(self._on_tick))
            self._loop.add_event_source(self._interrupt)
            self._loop.add_event_source(self._timer)
            acquired.callback(subject.stop)
            self._held = acquired.pop_all()

    @property
    def trigger(self) -> Trigger:
        """How the subject's line signals."""
        return self._interrupt.trigger

    def start(self) -> None:
        """Begin to measure.

        Raises:
            DeviceError: the device cannot be made to interrupt.
        """
        with self._loop.gate:  # so that no timer of the subject's causes an interrupt before we can hear it
            self._started_ns = monotonic_ns()
            self._tick_at_ns = self._started_ns + TICK_NS
            self._timer.wake_at_time_ns(self._tick_at_ns)
            self._subject.start(self._loop)
            self._interrupt.enable()

    def stop(self) -> Snapshot:
        """Have the subject interrupt no more, let the loop deliver what is under way, and take the final count.

        Raises:
            Whatever broke the job, unless that was the device leaving.
        """
        self._stopped_ns = monotonic_ns()
        try:
            self._subject.stop()
            with self._loop.gate:
                self._timer.cancel_timeout()
                if not self._device_left:
                    self._missing = self._settle()
                final = self.snapshot()
        except DeviceGoneError:
            self._device_left = True
            final = self.snapshot()
        if self._failure is not None:
            raise self._failure
        return final

    def snapshot(self) -> Snapshot:
        statistics = self._interrupt.statistics
        latency = self._latency.snapshot()
        return Snapshot(
            device=self._subject.name,
            elapsed_ns=self._elapsed_ns(),
            interrupts=self._delivered,
            action_calls=statistics.action_calls,
            coalesced=max(0, self._delivered - statistics.action_calls),
            lost=statistics.lost,
            raised=self._subject.raised,
            missing=self._missing,
            latency=latency if latency.count else None,
            timer_error=self._timer_error.snapshot(),
            device_left=self._device_left,
        )

    def _elapsed_ns(self) -> int:
        if not self._started_ns:
            return 0
        return (self._stopped_ns or monotonic_ns()) - self._started_ns

    def close(self) -> None:
        """Stop the subject and close the loop. Twice is fine."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # Actions: work-loop thread, gate held

    def _on_interrupt(self, sender: InterruptEventSource, count: int) -> None:
        now_ns = monotonic_ns()
        self._delivered += count
        raised_ns = self._subject.take_stamp(self._delivered)
        if raised_ns is not None and raised_ns <= now_ns:  # later: raised while we were on our way to look
            self._latency.record(now_ns - raised_ns)
        self._subject.acknowledge()
        if self._awaited is not None and self._delivered >= self._awaited:
            self._loop.gate.wakeup(DELIVERED)

    def _on_tick(self, timer: TimerEventSource) -> None:
        late_ns = monotonic_ns() - self._tick_at_ns
        self._timer_error.record(late_ns)
        self._tick_at_ns += TICK_NS * (1 + late_ns // TICK_NS)  # ticks that were missed are not made up for
        timer.wake_at_time_ns(self._tick_at_ns)

    def _on_terminated(self, sender: EventSource) -> None:
        self._device_left = True
        self._end()

    def _on_error(self, source: EventSource, error: BaseException) -> None:
        source.disable()
        if isinstance(error, DeviceGoneError):  # a register was quicker to say so than the interrupt
            self._device_left = True
        elif self._failure is None:
            self._failure = error
        self._end()

    def _end(self) -> None:
        self._loop.gate.wakeup(DELIVERED)
        self._on_end()

    # The final count

    def _settle(self) -> int | None:
        """Sleep on the gate until all that was raised before is delivered, and say what is missing."""
        deadline = Deadline.after(SETTLE_NS)
        behind = self._outstanding()
        if behind is None:
            return None
        self._awaited = self._delivered + behind
        while self._delivered < self._awaited and not deadline.expired and not self._ended:
            self._loop.gate.sleep(DELIVERED, deadline)
        short = self._awaited - self._delivered
        return short if short > 0 else min(0, self._outstanding() or 0)

    def _outstanding(self) -> int | None:
        return self._subject.outstanding(self._delivered + self._interrupt.statistics.lost)

    @property
    def _ended(self) -> bool:
        return self._device_left or self._failure is not None
