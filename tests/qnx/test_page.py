"""The page for those who know QNX: no name on it that does not exist, and none left out."""

from __future__ import annotations

import doctest
import os
import re
import threading
from collections.abc import Iterator

import pytest
from contracts import QNX
from helpers import DEADLINE_S, Background, LoggedInterrupt
from qnx_rig import await_end

from uio_workloop import Trigger, qnx
from uio_workloop.qnx import dispatcher as dispatching

PAGE = QNX.page
GUIDE = PAGE.with_name("guide.md")
HEADER = "| QNX symbol | Python name | difference |"


def rows() -> Iterator[list[str]]:
    """Of the tables of symbols."""
    in_table = False
    for line in PAGE.read_text().splitlines():
        if in_table and line.startswith("| "):
            yield [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
        in_table = line == HEADER or (in_table and line.startswith("|"))


ROWS = list(rows())
SYMBOLS = """
InterruptAttach InterruptAttach_r InterruptAttachArray InterruptAttachArray_r InterruptAttachEvent
InterruptAttachEvent_r InterruptAttachEventPriority InterruptAttachThread InterruptCharacteristic InterruptDetach
InterruptDetach_r InterruptDisable InterruptEnable InterruptHookIdle InterruptHookTrace InterruptLock InterruptMask
InterruptUnlock InterruptUnmask InterruptWait InterruptWait_r TimerTimeout ThreadCtl(_NTO_TCTL_IO) intrspin intrspin_t
procmgr_ability sigwaitinfo _pulse ChannelCreate ChannelCreatePulsePool ChannelDestroy ConnectAttach ConnectDetach
MsgReceive MsgReceivePulse MsgSendPulse SIGEV_NONE SIGEV_INTR SIGEV_PULSE SIGEV_SIGNAL SIGEV_SIGNAL_CODE
SIGEV_SIGNAL_THREAD SIGEV_SEM SIGEV_THREAD SIGEV_MEMORY SIGEV_UNBLOCK SIGEV_NONE_INIT SIGEV_INTR_INIT SIGEV_PULSE_INIT
SIGEV_SIGNAL_INIT SIGEV_SIGNAL_CODE_INIT SIGEV_SIGNAL_VALUE_INIT SIGEV_SIGNAL_THREAD_INIT SIGEV_SEM_INIT
SIGEV_THREAD_INIT SIGEV_MEMORY_INIT SIGEV_UNBLOCK_INIT SIGEV_FLAG_NOQUEUE SIGEV_FLAG_UPDATEABLE SIGEV_FLAG_HANDLE
SIGEV_FLAG_CRITICAL SIGEV_FLAG_OVERDRIVE SIGEV_MEM_ASSIGN SIGEV_MEM_ADD SIGEV_MEM_SUB SIGEV_MEM_BITSET
SIGEV_MEM_BITCLR SIGEV_MEM_BITTOGGLE SIGEV_PULSE_PRIO_INHERIT SI_MINAVAIL SI_MAXAVAIL _PULSE_CODE_MINAVAIL
_PULSE_CODE_MAXAVAIL _NTO_INTR_FLAGS_END _NTO_INTR_FLAGS_PROCESS _NTO_INTR_FLAGS_TRK_MSK _NTO_INTR_FLAGS_NO_UNMASK
_NTO_INTR_FLAGS_EXCLUSIVE _NTO_INTR_FLAGS_ARRAY _NTO_INTR_FLAGS_FPU _NTO_INTR_FLAGS_CPU_LOCAL
_NTO_INTR_FLAGS_EVENT_PRIORITY _NTO_INTR_WAIT_FLAGS_FAST _NTO_INTR_WAIT_FLAGS_UNMASK _NTO_TIMEOUT_INTR
_NTO_TIMEOUT_RECEIVE TimerCreate timer_create MsgDeliverEvent MsgRegisterEvent mmap_device_memory in8 in16 in32 out8
out16 out32 ThreadCtl(_NTO_TCTL_RUNMASK) SchedSet
"""
NOT_ON_THE_PAGE = {
    "Event": "what the kinds have in common",
    "Handler": "a type",
    "Intr": "a type",
    "InterruptInfo": "what interrupt_info returns",
    "SignalInfo": "what SignalReceiver returns",
}


def python_names() -> set[str]:
    return {name for row in ROWS for name in re.findall(r"`([\w.]+)`", row[1])}


@pytest.mark.parametrize("name", sorted(python_names()))
def test_a_name_on_the_page_exists(name):
    found: object = qnx
    for part in name.split("."):
        found = getattr(found, part)
    assert isinstance(found, int) or found.__doc__


def test_every_public_name_is_on_the_page_or_needs_no_row():
    on_it = {name.partition(".")[0] for name in python_names()}
    assert on_it | set(NOT_ON_THE_PAGE) == set(qnx.__all__)
    assert on_it & set(NOT_ON_THE_PAGE) == set()


def test_every_symbol_of_qnx_has_one_row_and_no_row_is_of_a_symbol_that_is_forgotten_here():
    on_it = [symbol for row in ROWS for symbol in re.findall(r"`(?:struct )?([^`]+)`", row[0])]
    assert sorted(on_it) == sorted(SYMBOLS.split())


def test_every_row_has_three_cells():
    assert {len(row) for row in ROWS} == {3}


# The code on the page


class OverError(Exception):
    """Ends a thread that would go on for ever."""


class Card(LoggedInterrupt):
    """A card with one register that has the cause, and one that clears it."""

    def __init__(self) -> None:
        super().__init__(Trigger.LEVEL)
        self.causes = 0

    def bar(self, number: int) -> Card:
        return self

    def raise_cause(self, cause: int) -> None:
        self.causes |= cause
        self.cause()

    def read32(self, offset: int) -> int:
        self.log.append(f"read {offset:#x}")
        return self.causes

    def write32(self, offset: int, value: int) -> None:
        self.log.append(f"write {offset:#x} {value}")
        self.causes &= ~value


def await_attachment() -> None:
    """Until the thread has attached."""
    while (dispatcher := dispatching.current()) is None or not dispatcher.attachments:
        os.sched_yield()


def test_the_interrupt_thread_on_the_page_serves_clears_reads_back_unmasks_and_works():
    page: dict[str, object] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0], page)
    ready = threading.Semaphore(0)

    def work(cause: int) -> None:
        card.log.append(f"work {cause}")
        ready.release()
        if cause == 4:
            raise OverError

    with Card() as card:
        thread = Background(page["interrupt_thread"], card, work)
        await_attachment()
        for cause in (1, 4):
            card.log.clear()
            card.raise_cause(cause)
            assert ready.acquire(timeout=DEADLINE_S)
            served = ["read 0x24", f"write 0x64 {cause}", "read 0x24", "unmask", f"work {cause}"]
            assert [each for each in card.log if each != "mask"] == served
        with pytest.raises(OverError):
            thread.result()
        await_end()


def test_masks_by_numbers_are_those_on_the_page(capsys):
    (session,) = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL)
    test = doctest.DocTestParser().get_doctest(session, {}, "docs/qnx.md", None, None)
    outcome = doctest.DocTestRunner(verbose=False).run(test, clear_globs=False)
    for each in ("line", "channel"):
        test.globs[each].close()
    await_end()
    assert (outcome.failed, capsys.readouterr().out) == (0, "")
    assert outcome.attempted > 10


def test_the_interrupt_thread_of_the_guide_has_its_causes_served_under_the_gate_and_ends_when_it_is_detached(work_loop):
    guide: dict[str, object] = {}
    (code,) = re.findall(r"```python\n(from uio_workloop.qnx .*?)```", GUIDE.read_text(), re.DOTALL)
    exec(code, guide)
    served: list[tuple[int, bool]] = []
    ready = threading.Semaphore(0)

    def on_cause(cause: int) -> None:
        served.append((cause, work_loop.gate.held))
        ready.release()

    with Card() as card:
        thread = Background(guide["interrupt_thread"], card, work_loop, on_cause)
        await_attachment()
        for cause in (1, 4):
            card.raise_cause(cause)
            assert ready.acquire(timeout=DEADLINE_S)
        (id,) = dispatching.current().attachments  # noqa: A001 - QNX's word
        qnx.interrupt_detach(id)
        with pytest.raises(ProcessLookupError):
            thread.result()
        await_end()
    assert served == [(1, True), (4, True)]
