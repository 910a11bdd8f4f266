"""The tests of the IOKit contract: fixtures for devices of every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rigs import Rig, dummy_rig, edu_rig, gpio_rig, software_rig

from uio_workloop import SoftwareInterrupt, Trigger
from uio_workloop.testing.lab import guest

MakeRig = Callable[[pytest.FixtureRequest], Rig]


def software(trigger: Trigger) -> MakeRig:
    def make(request: pytest.FixtureRequest) -> Rig:
        line = SoftwareInterrupt(trigger, name=f"software {trigger.value}")
        request.addfinalizer(line.close)
        return software_rig(line)

    return make


def dummy(trigger: Trigger, *, irqcontrol: bool) -> MakeRig:
    def make(request: pytest.FixtureRequest) -> Rig:
        make_dummy: Any = request.getfixturevalue("make_dummy")
        return dummy_rig(make_dummy(trigger=trigger, irqcontrol=irqcontrol), trigger, irqcontrol=irqcontrol)

    return make


ON_THE_HOST: dict[str, MakeRig] = {
    "software edge": software(Trigger.EDGE),
    "software level": software(Trigger.LEVEL),
}
IN_THE_LAB: dict[str, MakeRig] = {
    "uio_dummy edge": dummy(Trigger.EDGE, irqcontrol=True),
    "uio_dummy edge, no irqcontrol": dummy(Trigger.EDGE, irqcontrol=False),
    "uio_dummy level": dummy(Trigger.LEVEL, irqcontrol=True),
    "edu card": lambda request: edu_rig(request.getfixturevalue("cards")[0]),
    "gpio-sim": lambda request: gpio_rig(request.getfixturevalue("gpio_line")),
}
HERE = IN_THE_LAB if guest.in_lab() else ON_THE_HOST
LEVEL = [name for name in HERE if "level" in name or "edu" in name]
EDGE = [name for name in HERE if name not in LEVEL]


@pytest.fixture(params=HERE)
def rig(request: pytest.FixtureRequest) -> Rig:
    """Every device there is here."""
    return HERE[request.param](request)


@pytest.fixture(params=LEVEL)
def level_rig(request: pytest.FixtureRequest) -> Rig:
    """Every device with a level-triggered line."""
    return HERE[request.param](request)


@pytest.fixture(params=EDGE)
def edge_rig(request: pytest.FixtureRequest) -> Rig:
    """Every device with an edge-triggered line."""
    return HERE[request.param](request)


class LoggedInterrupt(SoftwareInterrupt):
    """A software interrupt whose line writes down what is done to it, in order."""

    def __init__(self, trigger: Trigger) -> None:
        self.log: list[str] = []
        super().__init__(trigger, name=f"logged {trigger.value}")

    def mask(self) -> None:
        self.log.append("mask")
        super().mask()

    def unmask(self) -> None:
        self.log.append("unmask")
        super().unmask()


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
