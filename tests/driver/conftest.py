"""Drivers in a world of devices that can be changed at will."""

from __future__ import annotations

import pytest
from pretend_world import World

from uio_workloop.driver import driver_host


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(driver_host, "list_devices", world.list_devices)
    monkeypatch.setattr(driver_host, "devices_at", world.devices_at)
    return world
