"""The examples and the demo, run as the README says."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from lab_devices import Dummy
from programs import DEADLINE_S, ROOT, Program

from uio_workloop import Trigger
from uio_workloop.testing.lab import guest


def test_edu_card_prints_every_interrupt():
    with Program("examples/edu_card.py") as program:
        assert [program.line() for _ in range(3)] == [f"{guest.edu_addresses()[0]} interrupted, status 0x1"] * 3
        *_, last = program.interrupt()
    interrupts, calls = (int(word) for word in last.split() if word.isdigit())
    assert interrupts == calls >= 3


@pytest.mark.timeout(180)
def test_the_interrupt_thread_of_qnx_loses_none_of_ten_thousand_interrupts_and_sees_no_other(show):
    with Program("examples/qnx_interrupt_thread.py", guest.edu_addresses()[0]) as program:
        (summary,) = program.rest(timeout_s=170)
    show(f"examples/qnx_interrupt_thread.py: {summary}")
    assert summary == "10000 interrupts raised, 10000 served, 0 spurious"


@pytest.mark.parametrize("trigger", Trigger)
def test_dummy_counter_counts_what_is_raised(make_dummy, trigger):
    dummy: Dummy = make_dummy(trigger=trigger)
    with Program("examples/dummy_counter.py", dummy.device.node) as program:
        assert program.line() == f"counting {dummy.device.node}"
        for n in range(1, 4):
            dummy.cause()
            assert program.line() == f"1 more, {n} in all"
        (summary,) = program.interrupt()
    assert summary.startswith("latency p50 ")


def test_gpio_button_tells_presses_from_bounces():
    guest.set_gpio(0, True)
    with Program("examples/gpio_button.py", f"{guest.gpio_chip().name}:0") as program:
        assert program.line() == f"watching {guest.gpio_chip().name}:0"
        for bounce in (False, True, False, True, False):
            guest.set_gpio(0, bounce)
        assert program.line() == "pressed"
        guest.set_gpio(0, True)
        assert program.line() == "released"
        (summary,) = program.interrupt()
    assert summary.endswith(" lost")


@pytest.mark.parametrize("device", ["/dev/uio0", "uio:uio_dummy.0", "1234:11e8"])
def test_the_demo_makes_devices_interrupt_and_delivers_all_of_it(device, show):
    command = [sys.executable, "-m", "uio_workloop", "demo", device, "--seconds", "1", "--json"]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False, cwd=ROOT)
    assert outcome.returncode == 0, outcome.stderr
    result = json.loads(outcome.stdout)
    show(f"demo {device}: {result['interrupts']} interrupts, {result['missing']} missing, {result['lost']} lost")
    assert result["interrupts"] > 0
    assert (result["missing"], result["lost"]) == (0, 0)


def test_the_demo_counts_edges_of_a_gpio_line(show):
    guest.set_gpio(3, False)
    device = f"{guest.gpio_chip().name}:3"
    with Program("-m", "uio_workloop", "demo", device, "--seconds", "2") as program:
        assert program.line().startswith("edges that come from outside")  # the line is open: edges are queued
        for high in (True, False, True):
            guest.set_gpio(3, high)
        summary = program.rest()
    (counted,) = (int(line.split()[-1]) for line in summary if line.startswith("interrupts "))
    show(f"demo {device}: {counted} interrupts")
    assert counted >= 1
