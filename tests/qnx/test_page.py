"""The page for those who know QNX: no name on it that does not exist, and none left out."""

from __future__ import annotations

import re

import pytest
from contracts import QNX

from uio_workloop import qnx

ROWS = [
    [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
    for line in QNX.page.read_text().splitlines()
    if line.startswith(("| `", "| none"))
]
CALLS = [
    "InterruptAttach",
    "InterruptAttachArray",
    "InterruptAttachEvent",
    "InterruptDetach",
    "InterruptDisable",
    "InterruptEnable",
    "InterruptLock",
    "InterruptMask",
    "InterruptUnlock",
    "InterruptUnmask",
    "InterruptWait",
    "TimerTimeout",
    "ChannelCreate",
    "ConnectAttach",
    "MsgSendPulse",
    "MsgReceivePulse",
    "SIGEV_NONE",
    "SIGEV_INTR",
    "SIGEV_PULSE",
    "SIGEV_SIGNAL",
    "SIGEV_SIGNAL_CODE",
    "SIGEV_SIGNAL_THREAD",
    "SIGEV_SEM",
    "SIGEV_THREAD",
    "SIGEV_MEMORY",
    "SIGEV_UNBLOCK",
    "_NTO_INTR_FLAGS_END",
    "_NTO_INTR_FLAGS_PROCESS",
    "_NTO_INTR_FLAGS_TRK_MSK",
    "_NTO_INTR_FLAGS_NO_UNMASK",
    "_NTO_INTR_FLAGS_EXCLUSIVE",
]
NOT_ON_THE_PAGE = {
    "Event": "what the kinds have in common",
    "Handler": "a type",
    "Intr": "a type",
    "InterruptInfo": "what interrupt_info returns",
    "MemOp": "a part of SigevMemory",
    "PULSE_CODE_MAXAVAIL": "a number",
    "PULSE_CODE_MINAVAIL": "a number",
    "PULSE_PRIO_INHERIT": "a number",
    "SI_MAXAVAIL": "a number",
    "SI_MINAVAIL": "a number",
    "SignalInfo": "what SignalReceiver returns",
    "TimeoutState": "a part of timer_timeout",
}


def python_names() -> set[str]:
    return {name for row in ROWS for name in re.findall(r"`([\w.]+)`", row[1])}


@pytest.mark.parametrize("name", sorted(python_names()))
def test_a_name_on_the_page_exists_and_is_documented(name):
    found: object = qnx
    for part in name.split("."):
        found = getattr(found, part)
    assert found.__doc__


def test_every_public_name_is_on_the_page_or_needs_no_row():
    on_it = {name.partition(".")[0] for name in python_names()}
    assert on_it | set(NOT_ON_THE_PAGE) == set(qnx.__all__)
    assert on_it & set(NOT_ON_THE_PAGE) == set()


@pytest.mark.parametrize("symbol", CALLS)
def test_every_symbol_of_qnx_has_a_row(symbol):
    assert any(f"`{symbol}`" in row[0] for row in ROWS)


def test_every_row_has_three_cells():
    assert {len(row) for row in ROWS} == {3}
