"""Edges of a GPIO line, debounced here instead of by the kernel."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

from uio_workloop._linux import timerfd
from uio_workloop.clock import monotonic_ns
from uio_workloop.interrupts.claim import Claim
from uio_workloop.interrupts.debouncer import Debouncer
from uio_workloop.interrupts.gpio_edges import EdgeRecord
from uio_workloop.interrupts.gpio_interrupt import GpioInterrupt


class DebouncedGpioInterrupt(GpioInterrupt):
    """The changes of a line that last, told when they have.

    The kernel queues every raw edge; `lost` is about those, and since it keeps the newest, the level that stays is told
    all the same. A timer is ready when the line was quiet long enough. Both are polled through one epoll descriptor,
    which hides the hang-up of a chip that leaves: a disabled source hears of that when it is enabled.

    Args:
        fd: of the line request, for both edges, non-blocking; lent by the line.
        period_ns: how long the line has to be quiet.
        wanted: the changes that interrupt: true is rising.
        read_level: asks the line.
        record: where changes are kept one by one.

    Source: epoll(7): an epoll descriptor polls readable when one in it is ready.
    """

    def __init__(
        self,
        fd: int,
        name: str,
        claim: Claim,
        *,
        period_ns: int,
        wanted: frozenset[bool],
        read_level: Callable[[], bool],
        record: EdgeRecord | None,
    ) -> None:
        super().__init__(fd, name, claim)
        self._wanted = wanted
        self._read_level = read_level
        self._record = record
        self._debouncer = Debouncer(period_ns, False)
        self._armed_ns: int | None = None
        self._timer_fd = timerfd.create(time.CLOCK_MONOTONIC)
        self._epoll = select.epoll()
        self._epoll.register(fd, select.EPOLLIN)
        self._epoll.register(self._timer_fd, select.EPOLLIN)

    def configure(self, period_ns: int, wanted: frozenset[bool]) -> None:
        """From the next edge on. Context: any thread."""
        self._debouncer.period_ns = period_ns
        self._wanted = wanted

    def forget(self) -> None:
        # Drained first: an edge after that is queued, and agrees with the level or follows it.
        self._read()
        self.lost = 0
        self._debouncer = Debouncer(self._debouncer.period_ns, self._read_level())
        self._arm(None)
        if self._record is not None:
            self._record.clear()

    def fileno(self) -> int:
        return self._epoll.fileno()

    def drain(self) -> int:
        now_ns = monotonic_ns()  # before the read, so that no edge until now is still unread
        debouncer = self._debouncer
        changes = [debouncer.edge(edge, gap=gap) for edge, gap in self._read()]
        changes.append(debouncer.settle(now_ns))
        self._arm(debouncer.deadline_ns)
        told = [change for change in changes if change is not None and change.rising in self._wanted]
        if told:
            self._timestamp_ns = told[-1].timestamp_ns
            if self._record is not None:
                self._record.extend(told)
        return len(told)

    def close(self) -> None:
        self._epoll.close()
        os.close(self._timer_fd)

    def _arm(self, at_ns: int | None) -> None:
        if at_ns == self._armed_ns:
            return
        if at_ns is None:
            timerfd.disarm(self._timer_fd)
        else:
            timerfd.arm_at(self._timer_fd, at_ns)
        self._armed_ns = at_ns
