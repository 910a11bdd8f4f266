"""Runs in a guest of its own and has it sleep for a while: what two timers made of that, as one line of JSON.

On waking the guest is cut off from the host's files: QEMU's 9p server was reset with everything else. What is not in
memory by then can never be read, and closing a file of the host's waits for ever. So all pages are locked beforehand,
every path of the code is walked once, and this program does not end: the guest ends around it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time

from uio_workloop import TimerEventSource, WorkLoop

TIMEOUT_MS = 3000
ASLEEP_S = 5  # by the real-time clock, which has whole seconds: 4 at least, if falling asleep is quick
MCL_CURRENT, MCL_FUTURE = 1, 2


def clocks() -> dict[str, int]:
    return {
        "monotonic_ns": time.clock_gettime_ns(time.CLOCK_MONOTONIC),
        "boottime_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    }


class Timer:
    """A timer, and what the clocks said when it fired last."""

    def __init__(self, loop: WorkLoop, *, continuous: bool) -> None:
        self._continuous = continuous
        self._fired = threading.Event()
        self._at: dict[str, int] = {}
        self._source = TimerEventSource(self._on_timeout)
        loop.add_event_source(self._source)

    def _on_timeout(self, sender: TimerEventSource) -> None:
        self._at = clocks()
        self._fired.set()

    def arm(self, delay_ms: int) -> None:
        self._fired.clear()
        self._source.set_timeout_ms(delay_ms, continuous=self._continuous)

    def fired_at(self) -> dict[str, int]:
        self._fired.wait()
        return self._at


def write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def sleep() -> None:
    write("/sys/power/mem_sleep", "deep")
    write("/sys/class/rtc/rtc0/wakealarm", f"+{ASLEEP_S}")
    write("/sys/power/state", "mem")  # returns when the machine is awake again


if ctypes.CDLL(None, use_errno=True).mlockall(MCL_CURRENT | MCL_FUTURE) != 0:
    sys.exit(f"mlockall: {os.strerror(ctypes.get_errno())}")
loop = WorkLoop()
timers = {"monotonic": Timer(loop, continuous=False), "boottime": Timer(loop, continuous=True)}
for timer in timers.values():
    timer.arm(1)
    json.dumps(timer.fired_at())

armed = clocks()
for timer in timers.values():
    timer.arm(TIMEOUT_MS)
sleep()
awake = clocks()
fired = {name: timer.fired_at() for name, timer in timers.items()}
print(json.dumps({"timeout_ns": TIMEOUT_MS * 1_000_000, "armed": armed, "awake": awake, "fired": fired}), flush=True)
signal.pause()
