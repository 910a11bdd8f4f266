"""Tests of real interrupts. They run in the lab's virtual machine; elsewhere they are skipped, or fail if asked to.

`show` prints what a test saw at the end of the run, so that figures can be read and not only believed.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from uio_workloop.testing.lab import guest

SHOWN = pytest.StashKey[list[str]]()
RUN_IT = "run them with: make test"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SHOWN] = []


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not guest.in_lab():
        if os.environ.get("UIO_WORKLOOP_REQUIRE_LAB"):
            pytest.fail(f"the lab's tests were asked for outside the lab; {RUN_IT}")
        pytest.skip(f"needs the lab's virtual machine; {RUN_IT}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[SHOWN]:
        terminalreporter.section("seen in the lab")
        for line in config.stash[SHOWN]:
            terminalreporter.line(line)


@pytest.fixture
def show(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line at the end of the run."""
    return request.config.stash[SHOWN].append
