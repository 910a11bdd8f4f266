"""Devices of every kind there is here, as fixtures: a plugin that multiplies the tests that ask for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from device_rigs import Rig, dummy_rig, edu_rig, gpio_rig, nothing, software_rig
from lab_devices import Dummy, load_dummy, rebind_dummy

from uio_workloop import SoftwareInterrupt, Trigger
from uio_workloop.testing.lab import guest


@dataclass(frozen=True, slots=True)
class Kind:
    """Devices of one kind: what is done for each test, and once for many."""

    trigger: Trigger
    make: Callable[[pytest.FixtureRequest], Rig]
    prepare: Callable[[], object] = nothing
    restore: Callable[[], object] = nothing


def software(trigger: Trigger) -> Kind:
    def make(request: pytest.FixtureRequest) -> Rig:
        line = SoftwareInterrupt(trigger, name=f"software {trigger.value}")
        request.addfinalizer(line.close)
        return software_rig(line)

    return Kind(trigger, make)


def dummy(trigger: Trigger, *, irqcontrol: bool) -> Kind:
    def make(request: pytest.FixtureRequest) -> Rig:
        rebind_dummy(0)  # whatever the test before left masked, asserted or latched; loading the module takes longer
        opened = Dummy(0)
        request.addfinalizer(opened.close)
        return dummy_rig(opened, trigger, irqcontrol=irqcontrol)

    return Kind(
        trigger, make, lambda: load_dummy(trigger=trigger.value, irqcontrol=int(irqcontrol), devices=2), load_dummy
    )


def edu(request: pytest.FixtureRequest) -> Rig:
    rig = edu_rig(request.getfixturevalue("cards")[0])
    rig.acknowledge()
    request.addfinalizer(rig.acknowledge)
    return rig


ON_THE_HOST = {"software edge": software(Trigger.EDGE), "software level": software(Trigger.LEVEL)}
IN_THE_LAB = {
    "uio_dummy edge": dummy(Trigger.EDGE, irqcontrol=True),
    "uio_dummy edge, no irqcontrol": dummy(Trigger.EDGE, irqcontrol=False),
    "uio_dummy level": dummy(Trigger.LEVEL, irqcontrol=True),
    "edu card": Kind(Trigger.LEVEL, edu),
    "gpio-sim": Kind(Trigger.EDGE, lambda request: gpio_rig(request.getfixturevalue("gpio_line"))),
}
HERE = IN_THE_LAB if guest.in_lab() else ON_THE_HOST
WANTED = {"rig": tuple(Trigger), "level_rig": (Trigger.LEVEL,), "edge_rig": (Trigger.EDGE,)}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Multiply a test by the kinds of devices it wants; pytest runs those of one kind in a row, whatever their file."""
    for fixture, triggers in WANTED.items():
        if fixture in metafunc.fixturenames:
            kinds = [name for name, kind in HERE.items() if kind.trigger in triggers]
            metafunc.parametrize("rig_kind", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def rig_kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    kind = HERE[request.param]
    kind.prepare()
    yield kind
    kind.restore()


@pytest.fixture
def rig(rig_kind: Kind, request: pytest.FixtureRequest) -> Rig:
    """Every device there is here."""
    return rig_kind.make(request)


@pytest.fixture
def level_rig(rig_kind: Kind, request: pytest.FixtureRequest) -> Rig:
    """Every device with a level-triggered line."""
    return rig_kind.make(request)


@pytest.fixture
def edge_rig(rig_kind: Kind, request: pytest.FixtureRequest) -> Rig:
    """Every device with an edge-triggered line."""
    return rig_kind.make(request)
