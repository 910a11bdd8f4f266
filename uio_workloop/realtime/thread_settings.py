"""What is asked for one thread: policy, processors, timer slack.

Each is asked for on that thread, and can be put back from any. Where the kernel would grant a part, nothing is taken.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from threading import get_native_id
from typing import Final, Literal

from uio_workloop._linux import scheduling
from uio_workloop.realtime.grant import RealtimeGrant

Policy = Literal["fifo", "rr", "other"]

POLICIES: Final[dict[Policy, int]] = {"fifo": os.SCHED_FIFO, "rr": os.SCHED_RR, "other": os.SCHED_OTHER}
INTERRUPT_THREADS: Final = 50  # the FIFO priority of the kernel's. Source: sched_set_fifo(), kernel/sched/syscalls.c


class ThreadPolicy:
    """Scheduling policy and priority.

    What the thread starts does not inherit it, neither threads nor programs: somebody else's busy code at a real-time
    priority can stop a machine. Source: SCHED_RESET_ON_FORK in sched(7).
    """

    def __init__(self, policy: Policy, priority: int) -> None:
        self.asked = f"policy {policy}" + (f" at priority {priority}" if priority else "")
        self._policy = POLICIES[policy] | os.SCHED_RESET_ON_FORK
        self._priority = priority
        self._thread = get_native_id()
        self._before = scheduling.policy_of(self._thread)

    def ask(self, whose: str) -> RealtimeGrant:
        try:
            scheduling.set_policy(self._thread, self._policy, self._priority)
        except OSError as error:
            return RealtimeGrant(whose, self.asked, False, self._way_out(error))
        if self._priority > INTERRUPT_THREADS:
            return RealtimeGrant(
                whose, self.asked, True, "its interrupts come from kernel threads at 50, which it can keep waiting"
            )
        return RealtimeGrant(whose, self.asked, True)

    def _way_out(self, error: OSError) -> str:
        if not isinstance(error, PermissionError):
            return f"the kernel says {error.strerror}"
        if scheduling.has_capability(scheduling.CAP_SYS_NICE):
            return (
                "its control group has no real-time runtime; give it some in cpu.rt_runtime_us, or use the root group"
            )
        allowed, could_be_allowed = resource.getrlimit(resource.RLIMIT_RTPRIO)
        limit = f"RLIMIT_RTPRIO allows priorities up to {allowed}" if allowed else "RLIMIT_RTPRIO allows no priority"
        if could_be_allowed == resource.RLIM_INFINITY or could_be_allowed >= self._priority:
            return (
                f"{limit}, but may be raised to that: ulimit -r {self._priority} in the shell that starts the program"
            )
        return (
            f"{limit} and CAP_SYS_NICE is missing; LimitRTPRIO={self._priority} in the systemd service, or rtprio "
            f"{self._priority} for a group of yours in /etc/security/limits.conf, or run as root"
        )

    def undo(self) -> None:
        policy, priority = self._before
        try:
            scheduling.set_policy(self._thread, policy, priority)
        except PermissionError:  # only CAP_SYS_NICE takes the flag away; without a priority it means nothing
            scheduling.set_policy(self._thread, policy | os.SCHED_RESET_ON_FORK, priority)


class Processors:
    """The processors it may run on; what it starts inherits them."""

    def __init__(self, cpus: Iterable[int]) -> None:
        self._cpus = frozenset(cpus)
        self.asked = f"processors {_listed(self._cpus)}"
        self._thread = get_native_id()
        self._before = os.sched_getaffinity(self._thread)

    def ask(self, whose: str) -> RealtimeGrant:
        try:
            os.sched_setaffinity(self._thread, self._cpus)
        except OSError:  # EINVAL: none of them
            got: set[int] = set()
        else:
            got = os.sched_getaffinity(self._thread)  # the kernel leaves out what is not to be had
        if got == self._cpus:
            return RealtimeGrant(whose, self.asked, True)
        self.undo()
        missing = f"{_listed(self._cpus - got)} of them are not there, or not in its cpuset"
        return RealtimeGrant(whose, self.asked, False, f"{missing}; it has {_listed(self._before)}")

    def undo(self) -> None:
        os.sched_setaffinity(self._thread, self._before)


class TimerSlack:
    """How late waits may end. Under a real-time policy the kernel takes 0 whatever is asked, and remembers nothing."""

    def __init__(self, slack_ns: int) -> None:
        self.asked = f"a timer slack of {slack_ns} ns"
        self._slack_ns = slack_ns
        self._thread = get_native_id()
        self._before = scheduling.timer_slack_ns()

    def ask(self, whose: str) -> RealtimeGrant:
        scheduling.set_timer_slack_ns(self._slack_ns)
        return RealtimeGrant(whose, self.asked, True)

    def undo(self) -> None:
        if self._thread == get_native_id():
            scheduling.set_timer_slack_ns(self._before)
        else:
            scheduling.set_timer_slack_of(self._thread, self._before)


def _listed(cpus: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(cpus)))
