"""What a type checker knows of a declared layout."""

from __future__ import annotations

import re
from pathlib import Path

import mypy.api
import pytest

LAYOUT = """
from enum import IntEnum
from uio_workloop import PciDevice, Register, RegisterBlock

class Mode(IntEnum):
    SLOW, FAST = 1, 2

class Card(RegisterBlock, size=0x10):
    control = Register(0x00)
    mode = control.bits(0, 1, Mode)
    speed = control.bits(8, 15)
    on = control.bit(31)

card = Card(PciDevice.find("1234:11e8").bar(0))
"""
RIGHT = """
reveal_type(card.control)
reveal_type(card.mode)
reveal_type(card.speed)
reveal_type(card.on)
reveal_type(Card.control)
reveal_type(Card.mode)
reveal_type(Card.mode.of(0))
reveal_type(card.wait_until(Card.on, True, 0))
card.control = Card.mode.place(Mode.FAST) | Card.on.place(True)
card.modify(mode=Mode.SLOW, on=False)
"""
REVEALED = ["int", "Mode", "int", "bool", "Register", "Field[Mode]", "Mode", "int"]
WRONG = """
card.on = True
card.control = "1"
card.contorl = 1
Card.mode.place(3)
card.wait_until(Card.mode, False, 0)
card.clear("on")
"""


@pytest.fixture
def mypy_says(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])  # its configuration is there

    def check(program: str) -> list[str]:
        file = tmp_path / "driver.py"
        file.write_text(LAYOUT + program)
        report, complaints, _ = mypy.api.run(
            ["--strict", "--no-error-summary", "--cache-dir", str(tmp_path), str(file)]
        )
        assert not complaints
        return [line for line in report.splitlines() if "driver.py" in line]

    return check


def test_registers_and_fields_have_the_types_of_their_declaration(mypy_says):
    revealed = [re.fullmatch(r'.*note: Revealed type is "(.*)"', line) for line in mypy_says(RIGHT)]
    assert [re.sub(r"\b(\w+\.)+", "", match[1]) for match in revealed if match] == REVEALED
    assert all(revealed)


def test_wrong_uses_are_found(mypy_says):
    first = (LAYOUT + WRONG).splitlines().index("card.on = True") + 1
    wrong = {int(re.search(r"driver\.py:(\d+): error", line)[1]) for line in mypy_says(WRONG) if ": error" in line}
    assert wrong == set(range(first, first + len(WRONG.split("\n")) - 2))
