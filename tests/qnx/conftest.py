"""The tests of uio_workloop.qnx count what they show of its contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import qnx_contract
from qnx_rig import Attached, await_end

from uio_workloop import SoftwareInterrupt, Trigger


def pytest_configure(config: pytest.Config) -> None:
    qnx_contract.configure(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    qnx_contract.note(item, report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    qnx_contract.summarize(terminalreporter, config)


@pytest.fixture
def attached(nothing_is_left_behind: None) -> Iterator[Attached]:
    """Attach with it what is to be detached when the test ends."""
    attached = Attached()
    yield attached
    attached.detach_all()
    await_end()


@pytest.fixture(params=list(Trigger), ids=lambda trigger: trigger.value)
def soft(request: pytest.FixtureRequest, nothing_is_left_behind: None) -> Iterator[SoftwareInterrupt]:
    """An interrupt to cause, of either trigger: to QNX they are alike."""
    with SoftwareInterrupt(request.param, name="soft") as line:
        yield line
