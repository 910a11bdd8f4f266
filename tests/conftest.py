"""Every test is checked for threads and descriptors it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from uio_workloop import SoftwareInterrupt

pytest_plugins = ["uio_workloop.testing.fixtures", "iokit_contract", "lab_fixtures"]


@pytest.fixture(autouse=True)
def nothing_is_left_behind(no_leaks: None) -> None:
    """The fixture asked for does the work."""


@pytest.fixture
def lines() -> Iterator[list[SoftwareInterrupt]]:
    """Four edge-triggered interrupts to cause."""
    made = [SoftwareInterrupt(name=f"line {number}") for number in range(4)]
    yield made
    for each in made:
        each.close()
