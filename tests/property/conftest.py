"""Random work for the work loop, checked against a model and under load."""

from __future__ import annotations

import pytest


@pytest.fixture
def heading() -> str:
    return "property and stress"


@pytest.fixture(autouse=True)
def threads_meet_everywhere(threads_take_turns_often: None) -> None:
    """The fixture asked for does the work."""
