"""Proof of absence: what has not happened by the end of a pass will not happen for what came before it."""

from __future__ import annotations

import threading

from uio_workloop.clock import SECOND_NS
from uio_workloop.errors import DeadlineExceededError
from uio_workloop.interrupts.software_interrupt import SoftwareInterrupt
from uio_workloop.loop.work_loop import WorkLoop
from uio_workloop.sources.interrupt_event_source import InterruptEventSource

GENEROUS_NS = 10 * SECOND_NS


def fence(work_loop: WorkLoop, timeout_ns: int = GENEROUS_NS) -> None:
    """Return when the loop has completed a pass that began after the call.

    A source of the fence's own is appended to the chain and made ready, so every source that was ready before is
    served before it.

    Context: any thread but the loop's, gate open.
    Raises:
        DeadlineExceededError: the loop did not come round.
    """
    passed = threading.Event()
    with (
        SoftwareInterrupt(name="fence") as line,
        InterruptEventSource(line, lambda sender, count: passed.set()) as source,
    ):
        work_loop.add_event_source(source)
        source.enable()
        line.cause()
        if not passed.wait(timeout_ns / SECOND_NS):
            raise DeadlineExceededError(f"{work_loop!r} did not complete a pass in {timeout_ns / SECOND_NS:g} s")
