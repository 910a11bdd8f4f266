"""Eight threads do everything at once to two loops for a minute, and no promise is broken.

For another duration: UIO_WORKLOOP_STRESS_SECONDS=600.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest
from clients import Client, Stress
from interrupt_subjects import InterruptSubject
from subjects import Subject, TimerSubject, await_delivery
from watchdog import STUCK_S, StuckError, watch

SECONDS = float(os.environ.get("UIO_WORKLOOP_STRESS_SECONDS", "60"))
THREADS = 8
LINE_FIGURES = ["caused", "delivered", "rejected"]
TIMER_FIGURES = ["armed", "fired", "overtaken"]
OTHER_FIGURES = [
    "sleepers awakened",
    "sleepers timed out",
    "commands run",
    "commands given up",
    "commands thrown out",
    "attempts refused",
    "deadlocks broken",
    "errors in actions",
]


@pytest.mark.timeout(SECONDS + 5 * STUCK_S)
def test_eight_threads_for_a_minute_break_no_promise(show):
    stress = Stress()
    with ExitStack() as at_the_end:
        at_the_end.callback(stress.close)
        try:
            done = watch(SECONDS, {f"client {number}": Client(stress, number) for number in range(THREADS)})
        except StuckError:
            at_the_end.pop_all()  # closing would only be stuck, too
            raise
        settled = settle(stress)

    everybody = [subject for place in stress.places for subject in place.everybody]
    lines = [subject for subject in everybody if isinstance(subject, InterruptSubject)]
    timers = [subject for subject in everybody if isinstance(subject, TimerSubject)]
    caused, delivered, rejected = (sum(getattr(line, what) for line in lines) for what in LINE_FIGURES)
    unheard = sum(line.caused - line.delivered - line.rejected for line in lines if line not in settled)
    armed, fired, overtaken = (sum(getattr(timer, what) for timer in timers) for what in TIMER_FIGURES)
    counts = stress.counts
    assert stress.turnstile.complaints == []
    assert caused == delivered + rejected + unheard
    assert armed == fired + overtaken
    assert counts["woken"] == counts["sleepers awakened"]
    assert counts["visits"] == stress.visits.total()
    assert min(done[kind] for kind in Client(stress, 0).kinds) > 0, f"not everything was done: {done}"

    show(f"{THREADS} threads, {SECONDS:g} s, {done.total():,} operations on 2 loops and {len(everybody):,} sources:")
    show("    " + ", ".join(f"{kind} {times:,}" for kind, times in done.most_common()))
    show(f"    interrupts: {caused:,} caused = {delivered:,} delivered + {rejected:,} rejected by filters")
    show(f"        + {unheard:,} on sources closed before they could be")
    show(f"    timers: {armed:,} armings = {fired:,} fired + {overtaken:,} cancelled or armed anew before")
    show(f"    promises of silence checked: {counts['promises']:,}")
    show("    " + ", ".join(f"{what} {counts[what]:,}" for what in OTHER_FIGURES))


def settle(stress: Stress) -> list[Subject]:
    """Whatever is open is put to use and delivers what it still has."""
    subjects = [place.subject for place in stress.places if not place.subject.closed]
    await_delivery(stress.turnstile, subjects)  # of those in use already, before a second enable() may help them
    for subject in subjects:
        if subject.loop is None:
            subject.add(stress.loops[0])
        subject.enable()
    await_delivery(stress.turnstile, subjects)
    return subjects
