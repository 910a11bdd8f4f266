"""Fixtures for pytest: `pytest_plugins = ["uio_workloop.testing.fixtures"]` in a conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from uio_workloop.interrupts.interrupt_line import Trigger
from uio_workloop.interrupts.software_interrupt import SoftwareInterrupt
from uio_workloop.loop.work_loop import WorkLoop
from uio_workloop.testing.leaks import check_for_leaks
from uio_workloop.testing.recorder import Recorder


@pytest.fixture
def work_loop() -> Iterator[WorkLoop]:
    """A running loop, closed after the test."""
    with WorkLoop("under test") as loop:
        yield loop


@pytest.fixture
def line() -> Iterator[SoftwareInterrupt]:
    """A level-triggered interrupt to cause."""
    with SoftwareInterrupt(Trigger.LEVEL, name="line") as interrupt:
        yield interrupt


@pytest.fixture
def edge_line() -> Iterator[SoftwareInterrupt]:
    """An edge-triggered interrupt to cause."""
    with SoftwareInterrupt(Trigger.EDGE, name="edge line") as interrupt:
        yield interrupt


@pytest.fixture
def seen() -> Recorder:
    """An action that remembers its calls."""
    return Recorder()


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fail the test that leaves a thread or a descriptor behind. Make it autouse in your conftest.py."""
    with check_for_leaks():
        yield
