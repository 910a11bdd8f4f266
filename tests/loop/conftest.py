"""What the tests of the loop share."""

from __future__ import annotations

import pytest

from uio_workloop import SoftwareInterrupt


@pytest.fixture
def lines():
    made = [SoftwareInterrupt(name=f"line {number}") for number in range(4)]
    yield made
    for each in made:
        each.close()
