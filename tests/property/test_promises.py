"""Random work for one work loop, by several threads, compared with a model after every step.

10,000 steps, the same in every run, so that a red run can be repeated. For more, and others every time:

    UIO_WORKLOOP_PROPERTY_STEPS=200000 python -m pytest tests/property/test_promises.py
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from client_rules import ClientRules
from concurrent_rules import ConcurrentRules
from hypothesis import HealthCheck, Phase, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.stateful import run_state_machine_as_test
from source_rules import SourceRules

from uio_workloop.clock import SECOND_NS, monotonic_ns

STEPS = int(os.environ.get("UIO_WORKLOOP_PROPERTY_STEPS", "10000"))
STEPS_EACH = 100
SETTINGS = settings(
    max_examples=STEPS * 14 // 10 // STEPS_EACH,  # some end early
    stateful_step_count=STEPS_EACH,
    derandomize="UIO_WORKLOOP_PROPERTY_STEPS" not in os.environ,
    phases=[Phase.generate, Phase.shrink],
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


class Promises(SourceRules, ConcurrentRules, ClientRules):
    """Everything that may be done, in any order."""


@pytest.fixture
def _hypothesis_leaves_no_files(tmp_path):
    set_hypothesis_home_dir(tmp_path)
    yield
    set_hypothesis_home_dir(None)


@pytest.mark.usefixtures("_hypothesis_leaves_no_files")
@pytest.mark.timeout(400 + STEPS // 50)  # seconds; hypothesis takes up to 300 of them to make a failure short
def test_whatever_several_threads_do_the_loop_keeps_its_promises(show, monkeypatch):
    monkeypatch.setattr(Promises, "seen", Counter())
    began_ns = monotonic_ns()

    run_state_machine_as_test(Promises, settings=SETTINGS)

    seen, seconds = Promises.seen, (monotonic_ns() - began_ns) / SECOND_NS
    assert seen["steps"] >= STEPS
    show(
        f"{seen['steps']:,} random steps in {seen['examples']} examples, {seconds:.1f} s: "
        f"{seen['caused']:,} interrupts caused, {seen['delivered']:,} delivered, "
        f"{seen['rejected']:,} rejected by filters, "
        f"{seen['caused'] - seen['delivered'] - seen['rejected']:,} on sources that were closed; "
        f"timers: {seen['armed']:,} armed, {seen['fired']:,} fired"
    )
