"""The examples that need no hardware, run as their first lines say."""

from __future__ import annotations

import subprocess
import sys

from programs import DEADLINE_S, ROOT, Program


def test_the_ports_of_a_shared_line_each_answer_their_own_interrupts():
    with Program("examples/shared_line.py") as program:
        assert [program.line() for _ in range(8)] == ["port 1", "port 2"] * 4
        *_, summary = program.interrupt()
    assert summary.endswith(" interrupts, 0 of them nobody's")


def test_a_source_of_ones_own_delivers_what_another_program_writes_and_ends_with_it():
    with Program("examples/own_source.py", sys.executable, "-c", r"print('one\ntwo')") as program:
        lines = program.rest()
    assert lines == [
        "it says: one",
        "it says: two",
        "LineSource: the writer has left; the source is terminated",
        "it has ended",
    ]


def test_without_a_program_to_listen_to_the_example_says_how_it_is_used():
    command = [sys.executable, "examples/own_source.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr.splitlines()[2]) == (
        1,
        "python examples/own_source.py PROGRAM [ARGUMENT...]    ends with the program, or by Ctrl-C",
    )


def test_the_interrupt_thread_of_qnx_serves_ten_thousand_interrupts_of_an_imitated_card():
    with Program("examples/qnx_interrupt_thread.py") as program:
        assert program.rest() == ["10000 interrupts raised, 10000 served, 0 spurious"]
