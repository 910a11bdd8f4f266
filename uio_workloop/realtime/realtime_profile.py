"""A loop's thread that the kernel prefers to others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, Protocol, Self

from uio_workloop._linux import scheduling
from uio_workloop.errors import BadArgumentError, ClosedError, RealtimeError
from uio_workloop.realtime.grant import RealtimeGrant, RealtimeReport
from uio_workloop.realtime.process_settings import CpuLatency, LockedMemory, SwitchInterval
from uio_workloop.realtime.thread_settings import POLICIES, Policy, Processors, ThreadPolicy, TimerSlack

DEFAULT_PRIORITY: Final = 40
"""Above everything ordinary, below the kernel's interrupt threads, which have 50."""

log = logging.getLogger("uio_workloop")


class Setting(Protocol):
    asked: str

    def ask(self, whose: str) -> RealtimeGrant: ...
    def undo(self) -> None: ...


class Applied:
    """What one thread, or the process, has got."""

    def __init__(self, whose: str, settings: Iterable[Setting], is_there: Callable[[], bool] = lambda: True) -> None:
        self.whose = whose
        self.is_there = is_there
        self.grants: list[RealtimeGrant] = []
        self._in_force: list[Setting] = []
        try:
            for each in settings:
                grant = each.ask(whose)
                self.grants.append(grant)
                if grant.granted:
                    self._in_force.append(each)
        except BaseException:  # what nobody foresaw; half of it must not stay
            self.undo()
            raise

    def undo(self) -> None:
        """In reverse: who leaves a real-time policy gets the kernel's default of timer slack."""
        while self._in_force and self.is_there():
            setting = self._in_force.pop()
            try:
                with suppress(ProcessLookupError):  # the thread ended just now
                    setting.undo()
            except OSError as error:
                log.warning("%s keeps %s until it ends: %s", self.whose, setting.asked, error.strerror)


class RealtimeProfile:
    """What a work loop asks of the kernel so that its actions begin sooner; undone by `close()`.

        with RealtimeProfile("fifo", switch_interval=50e-6) as realtime, WorkLoop(thread_setup=realtime.apply) as loop:
            print(realtime.report())

    Policy, processors and timer slack are for each thread that calls `apply`; the rest is for the process, from
    `with` or the first `apply` on. What is not granted is logged, with the way to get it, and everything else is in
    force all the same; `report()` says it again. With `required` it is an error instead.

    Args:
        policy: "fifo", "rr", or "other", which is the ordinary one; None leaves it as it is.
        priority: 1 to 99 for "fifo" and "rr"; without one, 40. The kernel's interrupt threads have 50: a loop above
            them can keep its own interrupts waiting.
        cpus: the processors to run on.
        lock_memory: nothing is swapped out, and everything is present before it is needed. Costs memory: all that is
            mapped, 8 MiB of stack for each thread among it.
        timer_slack_ns: how late the kernel may let a wait end, 1 or more. It matters to waits for the interpreter and
            to `time.sleep`, not to timers of the loop, which have none; under a real-time policy nothing has.
        switch_interval: in seconds, as `sys.setswitchinterval` takes it: how long a busy thread of this program keeps
            the interpreter from the loop's. Of profiles that overlap, the smallest counts.
        cpu_latency_ns: how long a processor may need to wake up; 0 keeps all of them awake, and warm.
        required: what is not granted raises `RealtimeError`, and nothing stays in force.

    Raises:
        BadArgumentError: a value that no kernel can grant.
    Source: sched(7), mlockall(2), PR_SET_TIMERSLACK(2const), kernel/power/qos.c.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        priority: int | None = None,
        *,
        cpus: Iterable[int] | None = None,
        lock_memory: bool = False,
        timer_slack_ns: int | None = None,
        switch_interval: float | None = None,
        cpu_latency_ns: int | None = None,
        required: bool = False,
    ) -> None:
        self._policy = policy
        self._priority = _checked_priority(policy, priority)
        self._cpus = None if cpus is None else _checked_cpus(cpus)
        self._lock_memory = lock_memory
        self._timer_slack_ns = _checked("timer_slack_ns", timer_slack_ns, 1, "the kernel takes 0 for its default")
        self._switch_interval = _checked_interval(switch_interval)
        self._cpu_latency_ns = _checked("cpu_latency_ns", cpu_latency_ns, 0, "0 allows no sleep that takes time to end")
        self._required = required
        self._closed = False
        self._lock = threading.RLock()
        self._process: Applied | None = None
        self._threads: dict[int, Applied] = {}

    def apply(self) -> None:
        """Ask for everything, on behalf of the calling thread; on one that has it already, nothing happens.

        Context: any thread, for itself; as `thread_setup` of a `WorkLoop`, the loop's.
        Raises:
            RealtimeError: something was not granted, and it is required; nothing of this call stays in force.
            ClosedError: the profile was closed.
        """
        with self._lock:
            had_process = self._process is not None
            self._apply_to_process()
            self._threads = {number: each for number, each in self._threads.items() if each.is_there()}
            number = threading.get_native_id()
            if number in self._threads:
                return
            try:
                self._threads[number] = self._granted(self._to_this_thread())
            except RealtimeError:
                if not had_process:
                    self._give_back_process()
                raise

    def _apply_to_process(self) -> None:
        if self._closed:
            raise ClosedError("cannot apply a RealtimeProfile that is closed; make a new one")
        if self._process is None:
            self._process = self._granted(Applied("the process", self._process_settings()))

    def _granted(self, applied: Applied) -> Applied:
        refused = [each for each in applied.grants if not each.granted]
        if refused and self._required:
            applied.undo()
            raise RealtimeError("; ".join(each.refusal for each in refused))
        for each in refused:
            log.warning("%s", each.refusal)
        return applied

    def _give_back_process(self) -> None:
        if self._process is not None:
            self._process.undo()
            self._process = None

    def _process_settings(self) -> Iterable[Setting]:
        if self._lock_memory:
            yield LockedMemory()
        if self._switch_interval is not None:
            yield SwitchInterval(self._switch_interval)
        if self._cpu_latency_ns is not None:
            yield CpuLatency(self._cpu_latency_ns)

    def _to_this_thread(self) -> Applied:
        thread, number = threading.current_thread(), threading.get_native_id()
        return Applied(
            f"thread {thread.name!r}",
            self._thread_settings(),
            # The kernel gives numbers of ended threads to others.
            lambda: thread.is_alive() and scheduling.is_thread_of_ours(number),
        )

    def _thread_settings(self) -> Iterable[Setting]:
        if self._cpus is not None:
            yield Processors(self._cpus)
        if self._timer_slack_ns is not None:
            yield TimerSlack(self._timer_slack_ns)  # before the policy: under a real-time one there is none to read
        if self._policy is not None:
            yield ThreadPolicy(self._policy, self._priority)

    def report(self) -> RealtimeReport:
        """What was asked for, what was granted, and what to do about the rest. Context: any thread."""
        with self._lock:
            everybody: Sequence[Applied | None] = (self._process, *self._threads.values())
            return RealtimeReport(tuple(grant for each in everybody if each is not None for grant in each.grants))

    def close(self) -> None:
        """Put everything back to what it was, on threads that still run and for the process. Twice is fine.

        Without CAP_SYS_NICE the timer slack of another thread stays until that thread ends.

        Context: any thread.
        """
        with self._lock:
            self._closed = True
            for each in self._threads.values():
                each.undo()
            self._threads.clear()
            self._give_back_process()

    def __enter__(self) -> Self:
        with self._lock:
            self._apply_to_process()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _checked_priority(policy: object, priority: int | None) -> int:
    if policy is not None and policy not in POLICIES:
        raise BadArgumentError(f"a RealtimeProfile cannot have policy {policy!r}: it is 'fifo', 'rr', 'other' or None")
    if policy in (None, "other"):
        if priority not in (None, 0):
            raise BadArgumentError(f"priority {priority!r} goes with policy 'fifo' or 'rr', not with {policy!r}")
        return 0
    if priority is None:
        return DEFAULT_PRIORITY
    if not isinstance(priority, int) or not 1 <= priority <= 99:
        raise BadArgumentError(f"a RealtimeProfile cannot have priority {priority!r}: it is a whole number, 1 to 99")
    return priority


def _checked_cpus(cpus: Iterable[int]) -> frozenset[int]:
    wanted = frozenset(cpus)
    if not wanted or not all(isinstance(each, int) and each >= 0 for each in wanted):
        raise BadArgumentError(
            f"a RealtimeProfile cannot have cpus {sorted(wanted, key=str)}: they are numbers, 0 or more"
        )
    return wanted


def _checked(name: str, value: int | None, least: int, why: str) -> int | None:
    if value is not None and (not isinstance(value, int) or value < least):
        raise BadArgumentError(f"a RealtimeProfile cannot have {name} {value!r}: {least} or more; {why}")
    return value


def _checked_interval(interval_s: float | None) -> float | None:
    if interval_s is not None and not (isinstance(interval_s, int | float) and 1e-6 <= interval_s <= 1):
        raise BadArgumentError(
            f"a RealtimeProfile cannot have switch_interval {interval_s!r}: it is in seconds, 0.000001 to 1"
        )
    return interval_s
