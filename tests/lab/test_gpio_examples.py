"""The rotary encoder, turned."""

from __future__ import annotations

import os
import signal

import pytest
from lab_devices import interrupt_threads
from programs import Program

from uio_workloop.testing.lab import guest

A, B = 10, 11
TURN = [(A, False), (B, False), (A, True), (B, True)]


@pytest.fixture
def encoder():
    had = os.sched_getaffinity(0)
    for line in (A, B):
        guest.set_gpio(line, True)
    with Program("examples/rotary_encoder.py", f"gpio:lab/{A}", f"gpio:lab/{B}") as program:
        chip = guest.gpio_chip().name
        assert program.line() == f"watching {chip}:{A} and {chip}:{B}"
        for thread in interrupt_threads("uio_work"):  # see Toggle: no two edges become one
            os.sched_setaffinity(thread, {0})
        os.sched_setaffinity(0, {0})
        yield program
    os.sched_setaffinity(0, had)


def turn(detents: int, bounces: int = 0) -> None:
    """Turn it one way, or with a number below 0 the other; every contact bounces so often."""
    one_way = TURN if detents > 0 else [(line, not high) for line, high in reversed(TURN)]
    for line, high in one_way * abs(detents):
        for _ in range(bounces):
            guest.set_gpio(line, high)
            guest.set_gpio(line, not high)
        guest.set_gpio(line, high)


def wait_for_detent(program: Program, detent: int) -> None:
    said = []
    while not said or said[-1] != f"detent {detent}":
        said.append(program.line())
        assert said[-1], f"it ended, and had said {said}"


def test_an_encoder_is_turned_to_and_fro(encoder, show):
    position = 0
    for detents in (1, 3, -6, 5, -7, 7):
        turn(detents)
        position += detents
        wait_for_detent(encoder, position)
    (summary,) = encoder.interrupt()
    assert summary == "0 edges lost"
    show(f"rotary encoder: to and fro, at detent {position} as turned")


def test_bouncing_contacts_are_no_turns(encoder):
    for position in range(1, 6):
        turn(1, bounces=2)
        wait_for_detent(encoder, position)
    turn(-5)
    wait_for_detent(encoder, 0)


def test_turns_while_the_program_was_stopped_are_counted_in_their_direction(encoder, show):
    encoder.send(signal.SIGSTOP)
    turn(-5)
    turn(2)
    encoder.send(signal.SIGCONT)
    wait_for_detent(encoder, -3)
    (summary,) = encoder.interrupt()
    assert summary == "0 edges lost"
    show("rotary encoder: -5 and +2 detents while the program was stopped, counted as -3")
