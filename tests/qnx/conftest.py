"""The tests of uio_workloop.qnx count what they show of its contract."""

from __future__ import annotations

import pytest
import qnx_contract


def pytest_configure(config: pytest.Config) -> None:
    qnx_contract.configure(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    qnx_contract.note(item, report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    qnx_contract.summarize(terminalreporter, config)
