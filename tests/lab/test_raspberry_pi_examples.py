"""The examples for the Raspberry Pi, on simulated chips that are called as the header's are."""

from __future__ import annotations

import re

import pytest
from lab_devices import gpio_chip, pull
from programs import Program

from uio_workloop import TimerEventSource, WorkLoop

BUTTON, PPS = "examples/raspberry_pi_button.py", "examples/raspberry_pi_pps.py"


def press_and_release(program: Program, chip: str, offset: int) -> str:
    assert program.line() == f"watching {chip}:{offset}"
    pull(chip, offset, False)
    assert program.line() == "pressed"
    pull(chip, offset, True)
    return program.line()


def test_the_button_is_found_by_the_name_of_its_line_wherever_that_is(show):
    with gpio_chip("pinctrl-of-tomorrow", GPIO17=3) as chip:
        pull(chip, 3, True)
        with Program(BUTTON) as program:
            released = press_and_release(program, chip, 3)
            program.interrupt()
    assert released.startswith("released after ")
    show(f"Raspberry Pi's button: {released}")


@pytest.mark.parametrize("label", ["pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"])
def test_where_lines_have_no_names_the_button_is_found_by_the_label_of_its_chip(label):
    with gpio_chip(label, lines=28) as chip:
        pull(chip, 17, True)
        with Program(BUTTON) as program:
            assert press_and_release(program, chip, 17).startswith("released after ")
            program.interrupt()


def test_the_seconds_between_pulses_are_counted(show):
    def pulse(sender: TimerEventSource) -> None:
        for high in (True, False):
            pull(chip, 1, high)
        sender.set_timeout_ms(1000)

    with gpio_chip("pinctrl-rp1", GPIO18=1) as chip, Program(PPS) as program, WorkLoop() as loop:
        assert program.line() == f"watching {chip}:1"
        timer = TimerEventSource(pulse)
        loop.add_event_source(timer)
        timer.set_timeout_ms(0)
        said = [program.line() for _ in range(3)]
        loop.run_action(timer.cancel_timeout)
        *_, summary = program.interrupt()
    show(f"pulses: {said[-1]}; {summary}")
    measured = [re.fullmatch(r"(\d+) s and -?\d+ ns, (\d+) pulses missed", line) for line in said]
    assert all(line and int(line[1]) == int(line[2]) + 1 for line in measured)
    assert summary.startswith("jitter p50 ")
