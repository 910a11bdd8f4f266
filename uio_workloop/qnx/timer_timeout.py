"""A timeout for the next call that blocks, armed before it."""

from __future__ import annotations

import enum
import errno

from uio_workloop.qnx.thread_record import my_record


class TimeoutState(enum.IntFlag):
    """What the timeout is to end; the numbers are ours.

    QNX: _NTO_TIMEOUT_INTR, _NTO_TIMEOUT_RECEIVE.
    """

    INTR = enum.auto()
    RECEIVE = enum.auto()


def timer_timeout(states: TimeoutState, seconds: float) -> None:
    """Arm a timeout for the next call of this package in this thread, if it waits in one of these states.

    Any call ends it, whether it waits or not; so arm it right before, each time. `timeout=` of the call itself is
    simpler, and goes first.

    Args:
        states: INTR: `interrupt_wait`; RECEIVE: `Channel.receive_pulse`.
        seconds: 0 only looks.

    Context: any thread.
    Raises:
        OSError: EINVAL, no such state or time.
    QNX: TimerTimeout, with SIGEV_UNBLOCK.
    """
    if not states or int(states) & ~int(TimeoutState.INTR | TimeoutState.RECEIVE):
        raise OSError(errno.EINVAL, f"there is no state {states!r} to end: it is TimeoutState.INTR, RECEIVE, or both")
    if not seconds >= 0:
        raise OSError(errno.EINVAL, f"cannot end a wait after {seconds} s: it is 0 or more")
    my_record().armed = (states, seconds)


def disarm() -> None:
    """The thread has made a call, which ends whatever is armed."""
    my_record().armed = None


def timeout_of(state: TimeoutState, timeout: float | None) -> float | None:
    """The timeout of a call that waits: its own, else the one that is armed, which this ends."""
    record = my_record()
    armed, record.armed = record.armed, None
    if timeout is None and armed is not None and armed[0] & state:
        return armed[1]
    return timeout
