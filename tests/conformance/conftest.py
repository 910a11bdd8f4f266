"""The tests of the IOKit contract: software lines that keep a log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers import LoggedInterrupt

from uio_workloop import Trigger


@pytest.fixture(params=Trigger, ids=lambda trigger: trigger.value)
def logged(request: pytest.FixtureRequest) -> Iterator[LoggedInterrupt]:
    """A software line of either trigger that keeps a log."""
    with LoggedInterrupt(request.param) as line:
        yield line


@pytest.fixture
def logged_level() -> Iterator[LoggedInterrupt]:
    with LoggedInterrupt(Trigger.LEVEL) as line:
        yield line


@pytest.fixture
def logged_edge() -> Iterator[LoggedInterrupt]:
    with LoggedInterrupt(Trigger.EDGE) as line:
        yield line
