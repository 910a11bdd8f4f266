"""GPIO lines that are set up anew while edges come in, and that bounce at random."""

from __future__ import annotations

import itertools
import random
import threading

import pytest
from helpers import Background, attach
from lab_devices import LINE, Toggle

from uio_workloop import GpioLine
from uio_workloop.testing import fence

BURSTS, BURST = 20, 16  # what the kernel keeps of a line

pytestmark = [pytest.mark.timeout(180), pytest.mark.usefixtures("own_affinity")]


class Changer:
    """Gives a line one setting after the other, on a thread of its own, until told to stop."""

    def __init__(self, line: GpioLine, attribute: str, settings: tuple[object, ...]) -> None:
        self.changes = 0
        self._stop = threading.Event()
        self._thread = Background(self._run, line, attribute, settings)

    def _run(self, line: GpioLine, attribute: str, settings: tuple[object, ...]) -> None:
        for setting in itertools.cycle(settings):
            if self._stop.is_set():
                return
            setattr(line, attribute, setting)
            self.changes += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.result()


def test_no_edge_is_lost_at_the_moment_in_which_a_line_is_set_up_anew(work_loop, seen, show):
    with GpioLine.find(f"gpio:lab/{LINE}", keep_edges=BURSTS * BURST) as line:
        source = attach(work_loop, line, seen)
        changer = Changer(line, "bias", ("disable", "default"))
        toggle = Toggle()
        for _ in range(BURSTS):
            toggle(BURST)
            seen.wait_for(lambda calls: sum(call.count for call in calls) + source.statistics.lost == toggle.made)
        changer.stop()
        fence(work_loop)
        with work_loop.gate:
            edges = line.take_edges()
    outcome = f"{toggle.made:,} edges made, {seen.total:,} read, {source.statistics.lost} lost"
    show(f"bias set {changer.changes:,} times meanwhile: {outcome}")
    assert changer.changes > BURSTS
    assert (seen.total, source.statistics.lost) == (toggle.made, 0)
    assert [edge.rising for edge in edges] == [True, False] * (toggle.made // 2)
    assert [edge.timestamp_ns for edge in edges] == sorted(edge.timestamp_ns for edge in edges)


@pytest.mark.parametrize("debounce", ["kernel", "software"])
@pytest.mark.parametrize("seed", range(3))
def test_however_a_line_bounces_the_level_that_stays_is_told_last(work_loop, seen, debounce, seed, show):
    chance = random.Random(seed)
    with GpioLine.find(f"gpio:lab/{LINE}", debounce_us=20_000, debounce=debounce, keep_edges=4096) as line:
        attach(work_loop, line, seen)
        toggle, told = Toggle(), [False]

        def settled(calls) -> bool:
            told.extend(edge.rising for edge in line.take_edges())  # no gate: this holds the recorder's lock
            return told[-1] is toggle.high

        for _ in range(12):
            for _ in range(chance.randint(1, 4)):
                toggle(chance.randint(1, 40))
                if chance.random() < 0.5:
                    line.debounce_us = chance.choice([5_000, 20_000, 30_000])
            seen.wait_for(settled)
    show(f"debounce {debounce}, seed {seed}: {toggle.made} raw edges, {len(told) - 1} changes told")
    assert all(first is not second for first, second in itertools.pairwise(told))
