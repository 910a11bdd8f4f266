"""Attachments that end with the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from qnx_rig import Attached, await_end

from uio_workloop import SoftwareInterrupt, Trigger


@pytest.fixture
def attached(nothing_is_left_behind: None) -> Iterator[Attached]:
    """Attach with it what is to be detached when the test ends."""
    attached = Attached()
    yield attached
    attached.detach_all()
    await_end()


@pytest.fixture(params=list(Trigger), ids=lambda trigger: trigger.value)
def soft(request: pytest.FixtureRequest, nothing_is_left_behind: None) -> Iterator[SoftwareInterrupt]:
    """A software interrupt of either trigger, for what no device matters to; `rig` is every device there is here."""
    with SoftwareInterrupt(request.param, name="soft") as line:
        yield line
