"""Tests of real interrupts. They run in the lab's virtual machine; elsewhere they are skipped, or fail if asked to."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from lab_devices import patient_kernel
from lab_drivers import LEAVING_SLOT, NEIGHBOURS_SLOT

from uio_workloop.testing.lab import guest
from uio_workloop.testing.lab.architecture import pci_address

RUN_IT = "run them with: make test"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not guest.in_lab():
        if os.environ.get("UIO_WORKLOOP_REQUIRE_LAB"):
            pytest.fail(f"the lab's tests were asked for outside the lab; {RUN_IT}")
        pytest.skip(f"needs the lab's virtual machine; {RUN_IT}")


@pytest.fixture
def heading() -> str:
    return "seen in the lab"


@pytest.fixture
def leaving_card() -> Iterator[str]:
    """A third card, to be unbound and unplugged; its address. A fourth shares its line, and stays.

    So the line is never without a handler. QEMU keeps an interrupt that comes just after the last handler has gone for
    the next, who cannot quiet it: the kernel gives up on such a line ("nobody cared").
    """
    with patient_kernel():
        guest.plug("edu", "neighbour", NEIGHBOURS_SLOT)
        yield guest.plug("edu", "leaving", LEAVING_SLOT)
    for each, slot in (("leaving", LEAVING_SLOT), ("neighbour", NEIGHBOURS_SLOT)):
        if os.path.exists(f"/sys/bus/pci/devices/{pci_address(slot)}"):  # else the test has failed in between
            guest.unplug(each)
