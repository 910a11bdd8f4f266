"""Every test is checked for threads and descriptors it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest_plugins = ["uio_workloop.testing.fixtures"]


@pytest.fixture(autouse=True)
def nothing_is_left_behind(no_leaks: None) -> Iterator[None]:
    yield
