"""The two contracts there are: a plugin that has both printed at the end of a run."""

from __future__ import annotations

import pytest
from contract import Contract

IOKIT = Contract("IOKit", mark="statement", statements=range(1, 165), page="iokit.md")
QNX = Contract("QNX", mark="qnx", statements=range(1, 90), page="qnx.md")


def pytest_configure(config: pytest.Config) -> None:
    for each in (IOKIT, QNX):
        config.pluginmanager.register(each)
