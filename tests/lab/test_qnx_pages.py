"""The interrupt threads of docs/qnx.md and docs/guide.md, as they stand there, on a real card."""

from __future__ import annotations

import os
import queue
import re
from pathlib import Path
from typing import Any

import pytest
from contracts import QNX
from helpers import DEADLINE_S, Background

from uio_workloop import WorkLoop
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.qnx import interrupt_detach

RAISE = 0x60
INTERRUPTS = 200


def interrupt_thread(page: Path) -> Any:
    names: dict[str, Any] = {}
    (code,) = re.findall(r"```python\n(from uio_workloop.qnx .*?)```", page.read_text(), re.DOTALL)
    exec(code, names)
    return names["interrupt_thread"]


def serve_all(card, thread, causes):
    """Raise one cause after the other, and have the thread end."""
    while (dispatcher := dispatching.current()) is None or not dispatcher.attachments:
        os.sched_yield()
    registers = card.bar(0)
    for cause in range(1, INTERRUPTS + 1):
        registers.write32(RAISE, cause)
        assert causes.get(timeout=DEADLINE_S) == cause
    (id,) = dispatching.current().attachments  # noqa: A001 - QNX's word
    interrupt_detach(id)
    with pytest.raises(ProcessLookupError):
        thread.result()
    assert causes.empty()


def test_the_interrupt_thread_of_the_qnx_page_serves_every_interrupt_of_a_card(cards):
    causes: queue.SimpleQueue[int] = queue.SimpleQueue()
    thread = Background(interrupt_thread(QNX.page), cards[0], causes.put)
    serve_all(cards[0], thread, causes)


def test_the_interrupt_thread_of_the_guide_serves_every_interrupt_of_a_card(cards):
    causes: queue.SimpleQueue[int] = queue.SimpleQueue()
    with WorkLoop("drivers") as loop:
        thread = Background(interrupt_thread(QNX.page.with_name("guide.md")), cards[0], loop, causes.put)
        serve_all(cards[0], thread, causes)
