"""Timers across a suspend, in a virtual machine that really sleeps: to RAM, woken by its real-time clock.

The guest cannot run more tests afterwards (guest_program.py says why), so it is one for itself, driven from here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BUSYBOX = "/run/uio-workloop-lab/busybox"  # in the guest's memory: it can end when the host's files are gone
SCRIPT = """
mkfifo /tmp/answer
python tests/suspend/guest_program.py >/tmp/answer 2>/tmp/complaints </dev/null &
read -r answer </tmp/answer && echo "$answer" && exit
cat /tmp/complaints >&2
exit 1
"""

pytestmark = pytest.mark.timeout(300)  # the first lab run of a machine downloads a kernel


@pytest.fixture(scope="module")
def night() -> dict[str, Any]:
    """What the clocks said when two timers were armed, when the machine woke and when each fired."""
    if not os.environ.get("UIO_WORKLOOP_REQUIRE_LAB"):
        pytest.skip("boots a virtual machine of its own; run it with: make test")
    command = [sys.executable, "-m", "uio_workloop.testing.lab", "--quiet", "--timeout", "90", "--"]
    done = subprocess.run(
        [*command, BUSYBOX, "sh", "-c", SCRIPT], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    answer["asleep_ns"] = elapsed(answer["awake"], answer, "boottime_ns") - elapsed(
        answer["awake"], answer, "monotonic_ns"
    )
    return answer


def elapsed(instant: dict[str, int], night: dict[str, Any], clock: str) -> int:
    """How long after the arming, by that clock."""
    return instant[clock] - night["armed"][clock]


def test_the_machine_slept_for_longer_than_the_timers_were_set_to(night):
    assert night["asleep_ns"] > night["timeout_ns"]


@pytest.mark.statement(148)
def test_a_timer_is_extended_by_the_time_the_machine_sleeps(night):
    fired = night["fired"]["monotonic"]
    assert elapsed(fired, night, "monotonic_ns") >= night["timeout_ns"]
    assert elapsed(fired, night, "boottime_ns") >= night["timeout_ns"] + night["asleep_ns"]


@pytest.mark.statement(148)
def test_a_continuous_timer_counts_the_time_asleep_and_fires_on_waking(night):
    fired = night["fired"]["boottime"]
    assert elapsed(fired, night, "boottime_ns") >= night["timeout_ns"]
    assert elapsed(fired, night, "monotonic_ns") < night["timeout_ns"]
