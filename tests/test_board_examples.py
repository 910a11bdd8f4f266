"""What can be said of the examples for boards without a board."""

from __future__ import annotations

import ast

import pytest
from programs import ROOT

FOR_BOARDS = ("raspberry_pi_button", "raspberry_pi_pps", "beaglebone_pru")
ON_PLATFORM_DEVICES = ("hpet_alarm", "pl031_alarm")


@pytest.mark.parametrize("name", FOR_BOARDS)
def test_what_was_not_run_on_its_board_says_so_in_its_first_line(name):
    assert (ROOT / f"examples/{name}.py").read_text().splitlines()[0].endswith("Not run on the board.")


@pytest.mark.parametrize("name", FOR_BOARDS + ON_PLATFORM_DEVICES)
def test_each_is_short_and_on_the_page_about_boards(name):
    assert (ROOT / f"examples/{name}.py").read_text().count("\n") <= 60
    assert f"(../examples/{name}.py)" in (ROOT / "docs/boards.md").read_text()


def test_a_pulse_is_one_close_to_a_whole_number_of_seconds():
    module = ast.parse((ROOT / "examples/raspberry_pi_pps.py").read_text())
    module.body = [each for each in module.body if isinstance(each, ast.FunctionDef)]
    names: dict = {"SECOND_NS": 1_000_000_000}
    exec(compile(module, "raspberry_pi_pps.py", "exec"), names)

    assert names["measured"](7, 1_000_000_107) == (1, 100)
    assert names["measured"](7, 2_999_999_907) == (3, -100)
    assert names["measured"](7, 100_000_007) == (0, 100_000_000)
