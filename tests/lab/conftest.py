"""Tests of real interrupts. They run in the lab's virtual machine; elsewhere they are skipped, or fail if asked to.

`show` prints what a test saw at the end of the run, so that figures can be read and not only believed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest
from lab_devices import Dummy

from uio_workloop import PciDevice, Trigger
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


def load_dummy(**parameters: object) -> None:
    subprocess.run(["modprobe", "-r", "uio_dummy"], check=True, capture_output=True)
    arguments = [f"{name}={value}" for name, value in parameters.items()]
    subprocess.run(["modprobe", "uio_dummy", *arguments], check=True, capture_output=True)


MakeDummy = Callable[..., Dummy]


@pytest.fixture
def make_dummy() -> Iterator[MakeDummy]:
    """Load uio_dummy anew with these parameters and open its first device."""
    opened: list[Dummy] = []

    def make(*, trigger: Trigger = Trigger.LEVEL, irqcontrol: bool = True, first_event: int = 0) -> Dummy:
        load_dummy(trigger=trigger.value, irqcontrol=int(irqcontrol), first_event=first_event, devices=2)
        opened.append(Dummy(0))
        return opened[-1]

    yield make
    for each in opened:
        each.close()
    load_dummy()


@pytest.fixture
def cards() -> Iterator[list[PciDevice]]:
    """The two edu cards, open."""
    opened = [PciDevice.find(address) for address in guest.edu_addresses()]
    yield opened
    for each in opened:
        each.close()
