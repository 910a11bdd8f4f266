"""The source of one's own in the guide, which is the one of the example: the code on the page is the code that runs."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from uio_workloop import DeviceGoneError, EventSource
from uio_workloop.testing import fence

ROOT = Path(__file__).parents[2]


def on_the_page() -> str:
    (code,) = re.findall(r"```python\n(class LineSource.*?)```", (ROOT / "docs/guide.md").read_text(), re.DOTALL)
    return code


@pytest.fixture
def line_source():
    names = {
        "Callable": Callable,
        "DeviceGoneError": DeviceGoneError,
        "EventSource": EventSource,
        "deque": deque,
        "os": os,
    }
    exec(on_the_page(), names)
    return names["LineSource"]


def test_the_page_and_the_example_have_the_same_class():
    assert on_the_page() in (ROOT / "examples/own_source.py").read_text()


def test_it_delivers_lines_is_silent_while_disabled_and_ends_with_its_writer(line_source, work_loop):
    lines: list[bytes] = []
    read_fd, write_fd = os.pipe()
    source = line_source(read_fd, lambda sender, line: lines.append(line))
    work_loop.add_event_source(source)

    os.write(write_fd, b"one\ntwo\nth")
    fence(work_loop)
    assert lines == [b"one", b"two"]

    source.disable()
    os.write(write_fd, b"ree\n")
    fence(work_loop)
    assert lines == [b"one", b"two"]

    source.enable()
    os.close(write_fd)
    while not source.closed:
        fence(work_loop)
    assert lines == [b"one", b"two", b"three"]
    assert source.terminated
