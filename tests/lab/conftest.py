"""Tests of real interrupts. They run in the lab's virtual machine; elsewhere they are skipped, or fail if asked to."""

from __future__ import annotations

import os

import pytest

from uio_workloop.testing.lab import guest

RUN_IT = "run them with: make test"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not guest.in_lab():
        if os.environ.get("UIO_WORKLOOP_REQUIRE_LAB"):
            pytest.fail(f"the lab's tests were asked for outside the lab; {RUN_IT}")
        pytest.skip(f"needs the lab's virtual machine; {RUN_IT}")


@pytest.fixture
def heading() -> str:
    return "seen in the lab"
