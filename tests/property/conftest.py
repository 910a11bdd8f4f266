"""Random work for the work loop, checked against a model and under load."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def heading() -> str:
    return "property and stress"


@pytest.fixture(autouse=True)
def threads_take_turns_often() -> Iterator[None]:
    """Switch threads every 50 us instead of every 5 ms, so that they meet in more places."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(50e-6)
    yield
    sys.setswitchinterval(usual)
