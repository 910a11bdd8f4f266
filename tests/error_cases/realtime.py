"""What a RealtimeProfile refuses, and what it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uio_workloop
from error_cases.case import Case


@contextmanager
def closed_profile() -> Iterator[dict[str, Any]]:
    closed = uio_workloop.RealtimeProfile()
    closed.close()
    yield {**vars(uio_workloop), "closed": closed}


def each(error: str, *lines: str) -> list[Case]:
    return [Case(line, error, closed_profile) for line in lines]


CASES = {
    "Real time": [
        *each(
            "BadArgumentError", 'RealtimeProfile("FIFO")', 'RealtimeProfile("fifo", 100)', "RealtimeProfile(priority=5)"
        ),
        *each("BadArgumentError", "RealtimeProfile(cpus=[])", "RealtimeProfile(timer_slack_ns=0)"),
        *each("BadArgumentError", "RealtimeProfile(cpu_latency_ns=-1)", "RealtimeProfile(switch_interval=50_000)"),
        *each("BadArgumentError", "WorkLoop(thread_setup=40)"),
        *each("ClosedError", "closed.apply()"),
        *each("RealtimeError", "WorkLoop(thread_setup=RealtimeProfile(cpus=[1023], required=True).apply)"),
    ],
}
