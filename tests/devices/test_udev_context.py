"""libudev is found once, used by one thread at a time, and survives a fork."""

from __future__ import annotations

import os

import pytest
from helpers import Background, Stage

from uio_workloop import PciDevice, UioDevice
from uio_workloop.devices import discovery
from uio_workloop.devices.udev_context import udev_context


def test_whoever_looks_for_devices_does_so_in_the_same_context(monkeypatch):
    import pyudev

    with udev_context() as known:
        pass
    monkeypatch.setattr(pyudev, "Context", None)  # another would be a TypeError
    UioDevice.list()
    PciDevice.list()
    discovery.list_devices()
    with udev_context() as context:
        assert context is known


def test_one_thread_at_a_time_looks_something_up():
    stage, order = Stage(), []

    def look_up() -> None:
        with udev_context():
            stage.hold()
            order.append("the first is done")

    def look_up_too() -> None:
        stage.release()
        with udev_context():
            order.append("the second begins")

    first = Background(look_up)
    stage.await_reached()
    second = Background(look_up_too)
    first.result()
    second.result()
    assert order == ["the first is done", "the second begins"]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # that is the point
def test_a_child_can_look_for_devices_whatever_its_parent_was_at():
    stage = Stage()

    def look_up() -> None:
        with udev_context():
            stage.hold()

    looking = Background(look_up)
    stage.await_reached()
    child = os.fork()
    if not child:
        try:
            UioDevice.list()
        finally:
            os._exit(0)
    waiting = Background(os.waitpid, child, 0)
    assert waiting.result() == (child, 0)
    stage.release()
    looking.result()
