"""The source of one's own in the guide, which is the one of the example: the code on the page is the code that runs."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import DEADLINE_S

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


def test_a_source_that_delivers_one_at_a_time_has_delivered_all_when_it_is_terminated(work_loop):
    class OneLineAtATime(EventSource):
        def __init__(self, fd, action):
            super().__init__(action)
            self.fd = fd
            self.lines = deque()
            os.set_blocking(fd, False)

        def fileno(self):
            return self.fd

        def on_ready(self):
            data = os.read(self.fd, 4096)
            if not data:
                raise DeviceGoneError("the writer has left")
            self.lines.extend(data.splitlines())
            return True

        def check_for_work(self):
            if self.lines:
                self.action(self, self.lines.popleft())
            return bool(self.lines)

        def free(self):
            os.close(self.fd)

    lines: list[bytes] = []
    gone = threading.Event()
    read_fd, write_fd = os.pipe()
    source = OneLineAtATime(read_fd, lambda sender, line: lines.append(line))
    source.on_terminated = lambda sender: gone.set()
    with work_loop.gate:  # everything has come and the writer has left before the loop looks
        work_loop.add_event_source(source)
        os.write(write_fd, b"1\n2\n3\n4\n")
        os.close(write_fd)

    assert gone.wait(DEADLINE_S)
    assert lines == [b"1", b"2", b"3", b"4"]
