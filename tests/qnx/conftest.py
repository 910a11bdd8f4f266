"""Attachments that end with the test, and what they are tried on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Hashable, Iterator

import pytest
from helpers import Stage
from qnx_rig import Attached, await_end

from uio_workloop import SoftwareInterrupt, Trigger
from uio_workloop.qnx import interrupt
from uio_workloop.qnx.intr import Identity


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


@pytest.fixture
def told() -> list[object]:
    """What a test was told, in order."""
    return []


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Where a handler waits for the test; it goes on at the end, whatever happens."""
    stage = Stage()
    yield stage
    stage.release()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let every name mean what this is given: an object to open, once; at `node`, or at one that is called so."""

    def let_it_mean(device: SoftwareInterrupt, node: Hashable = None) -> None:
        def identify(intr: Hashable) -> Identity:
            return Identity(("uio", node or intr), lambda: (device, device.close))

        monkeypatch.setattr(interrupt, "identify", identify)

    return let_it_mean


@pytest.fixture
def restored_handler() -> Iterator[None]:
    """That of SIGUSR1 is a test's own until it ends."""
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)
