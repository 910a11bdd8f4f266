"""Every test is checked for threads and descriptors it leaves behind; figures it shows are printed at the end.

`show` prints what a test saw at the end of the run, so that figures can be read and not only believed. A folder whose
figures deserve a heading of their own overrides `heading`.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator

import pytest
from helpers import Departing

from uio_workloop import SoftwareInterrupt

pytest_plugins = ["uio_workloop.testing.fixtures", "contracts", "lab_fixtures", "rig_fixtures"]

SENT_TO_THE_PROCESS = {signal.SIGIO, *range(signal.SIGRTMIN, signal.SIGRTMAX + 1)}
SHOWN = pytest.StashKey[dict[str, list[str]]]()  # lines by heading


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SHOWN] = {}
    # Whoever starts the tests in the background of a script has Ctrl-C ignored, and every child of theirs with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # What tests send to the process goes to any thread that does not block it, also to those that libraries start.
    signal.pthread_sigmask(signal.SIG_BLOCK, SENT_TO_THE_PROCESS)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for heading, lines in config.stash[SHOWN].items():
        if lines:
            terminalreporter.section(heading)
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(no_leaks: None) -> None:
    """The fixture asked for does the work."""


@pytest.fixture
def threads_take_turns_often() -> Iterator[None]:
    """Switch threads every 50 us instead of every 5 ms, so that they meet in more places."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(50e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def lines() -> Iterator[list[SoftwareInterrupt]]:
    """Four edge-triggered interrupts to cause."""
    made = [SoftwareInterrupt(name=f"line {number}") for number in range(4)]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def departing() -> Iterator[Departing]:
    """A line whose device can leave."""
    with Departing() as line:
        yield line


@pytest.fixture
def heading() -> str:
    """What `show` prints its lines under."""
    return "figures"


@pytest.fixture
def show(request: pytest.FixtureRequest, heading: str) -> Callable[[str], None]:
    """Print a line at the end of the run."""
    return request.config.stash[SHOWN].setdefault(heading, []).append
