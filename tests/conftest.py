"""Every test is checked for threads and descriptors it leaves behind."""

from __future__ import annotations

import pytest

pytest_plugins = ["uio_workloop.testing.fixtures", "iokit_contract", "lab_fixtures"]


@pytest.fixture(autouse=True)
def nothing_is_left_behind(no_leaks: None) -> None:
    """The fixture asked for does the work."""
