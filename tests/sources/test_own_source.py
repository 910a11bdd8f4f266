"""The source of one's own in the guide: the code on the page is the code that runs here."""

from __future__ import annotations

import os
import re
from collections import deque
from pathlib import Path

import pytest

from uio_workloop import DeviceGoneError, EventSource
from uio_workloop.testing import fence

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


@pytest.fixture
def line_source():
    (code,) = re.findall(r"```python\n(class LineSource.*?)```", GUIDE.read_text(), re.DOTALL)
    names = {"EventSource": EventSource, "DeviceGoneError": DeviceGoneError, "deque": deque, "os": os}
    exec(code, names)
    return names["LineSource"]


def test_it_delivers_lines_is_silent_while_disabled_and_ends_with_its_writer(line_source, work_loop):
    lines: list[bytes] = []
    read_fd, write_fd = os.pipe()
    source = line_source(read_fd, lambda sender, line: lines.append(line))
    work_loop.add_event_source(source)

    os.write(write_fd, b"one\ntwo\n")
    fence(work_loop)
    fence(work_loop)  # the second line comes in the next pass
    source.disable()
    os.write(write_fd, b"three\n")
    fence(work_loop)
    assert lines == [b"one", b"two"]

    source.enable()
    fence(work_loop)
    os.close(write_fd)
    while not source.closed:
        fence(work_loop)
    assert lines == [b"one", b"two", b"three"]
    assert source.terminated
