"""Drivers follow their devices, and end well."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest
from helpers import DEADLINE_S, Background, Stage
from pretend_world import Failing, Plain, tell

from uio_workloop import (
    Deadline,
    DeviceGoneError,
    DriverHost,
    LifecycleError,
    TimerEventSource,
)
from uio_workloop.clock import SECOND_NS
from uio_workloop.driver.lifecycle import State
from uio_workloop.testing import fence

# Coming and going


def test_a_device_that_comes_gets_a_driver_and_one_that_leaves_loses_it(world):
    with DriverHost([Plain]) as host:
        device = world.add()
        tell(host, "bind", device)
        (driver,) = host.drivers
        world.remove(device)
        tell(host, "remove", device)
        assert host.drivers == ()
    assert driver.life == ["start", "stop"]


def test_a_device_that_comes_back_gets_a_new_driver(world):
    first = world.add()
    with DriverHost([Plain]) as host:
        (former,) = host.drivers
        world.remove(first)
        tell(host, "unbind", first)
        tell(host, "bind", world.add())
        (present,) = host.drivers
        assert present is not former
        assert (former.life, present.life) == (["start", "stop"], ["start"])


def test_one_that_came_back_before_anybody_looked_gets_a_new_driver_too(world):
    world.add()
    with DriverHost([Plain]) as host:
        (former,) = host.drivers
        tell(host, "bind", world.add())  # its departure was never told
        (present,) = host.drivers
        assert (former.life, present.life) == (["start", "stop"], ["start"])


def test_old_news_change_nothing(world):
    device = world.add()
    with DriverHost([Plain]) as host:
        for what in ("remove", "unbind", "add", "bind", "change"):
            tell(host, what, device)
        (driver,) = host.drivers
        assert driver.life == ["start"]


def test_after_an_overflow_everything_is_looked_at_anew(world, caplog):
    left = world.add(4)
    with DriverHost([Plain]) as host:
        (former,) = host.drivers
        world.remove(left)
        world.add(5)
        tell(host, "overflow", None)
        assert [driver.description.name for driver in host.drivers] == ["0000:00:05.0"]
        assert former.life == ["start", "stop"]
    assert "devices came and went faster than could be followed: looking at all of them anew" in caplog.messages


def test_devices_that_left_together_lose_their_drivers_in_reverse_order(world):
    for slot in (4, 5, 6):
        world.add(slot)
    order = []
    with DriverHost([Plain]) as host:
        for driver in host.drivers:
            driver.stop = lambda name=driver.description.name: order.append(name)
        world.devices.clear()
        tell(host, "overflow", None)
        assert order == ["0000:00:06.0", "0000:00:05.0", "0000:00:04.0"]


def test_a_device_still_being_bound_is_waited_for(world, monkeypatch):
    monkeypatch.setattr("uio_workloop.driver.driver_host.waits_for_its_driver", lambda device: True)
    with DriverHost([Plain]) as host:
        device = world.add()
        tell(host, "add", device)
        assert host.drivers == ()
        tell(host, "bind", device)
        assert len(host.drivers) == 1


def test_one_that_was_bound_in_time_is_not_looked_at_a_second_time(world, monkeypatch, caplog):
    monkeypatch.setattr("uio_workloop.driver.driver_host.waits_for_its_driver", lambda device: True)
    with DriverHost([Failing]) as host:
        device = world.add()
        tell(host, "add", device)
        tell(host, "bind", device)
        host.loop.run_action(host._on_no_bind, None)
    assert caplog.messages == ["Failing could not start on 0000:00:04.0: the card answers 0xffffffff"]


def test_news_of_another_device_do_not_end_the_wait(world, monkeypatch):
    monkeypatch.setattr("uio_workloop.driver.driver_host.waits_for_its_driver", lambda device: True)
    with DriverHost([Plain]) as host:
        device = world.add()
        tell(host, "add", device)
        tell(host, "bind", replace(device, sys_path=device.sys_path[:-1]))  # a name that begins alike
        assert host.drivers == ()
        host.loop.run_action(host._on_no_bind, None)
        assert len(host.drivers) == 1


def test_a_device_that_is_never_bound_is_not_waited_for_forever(world, monkeypatch):
    monkeypatch.setattr("uio_workloop.driver.driver_host.waits_for_its_driver", lambda device: True)
    monkeypatch.setattr("uio_workloop.driver.driver_host.BIND_FOLLOWS_MS", 0)
    with DriverHost([Plain]) as host:
        tell(host, "add", world.add())
        fence(host.loop)
        assert len(host.drivers) == 1


def test_a_driver_is_stopped_as_soon_as_its_interrupt_source_finds_the_device_gone(world):
    device = world.add()
    with DriverHost([Plain]) as host:
        (driver,) = host.drivers
        world.remove(device)
        driver.device.leave()
        fence(host.loop)
        assert (host.drivers, driver.life) == ((), ["start", "stop"])


def test_what_a_driver_does_itself_about_a_departure_is_left_to_it(world):
    class Own(Plain):
        def start(self, device) -> None:
            super().start(device)
            self.source.on_terminated = lambda sender: self.note("terminated")

    device = world.add()
    with DriverHost([Own]) as host:
        (driver,) = host.drivers
        world.remove(device)
        driver.device.leave()
        fence(host.loop)
        assert driver.life == ["start", "terminated"]
        tell(host, "remove", device)
    assert driver.life == ["start", "terminated", "stop"]


def test_a_stop_that_finds_the_device_gone_is_not_reported(world, caplog):
    def stop(self):
        raise DeviceGoneError("0000:00:04.0 has left")

    world.add()
    with DriverHost([type("Gone", (Plain,), {"stop": stop})]):
        pass
    assert caplog.messages == []


def test_a_stop_that_fails_is_reported_and_everything_is_released_all_the_same(world, work_loop, caplog):
    def stop(self):
        raise ValueError("no answer")

    world.add()
    with DriverHost([type("Stubborn", (Plain,), {"stop": stop})], loop=work_loop):
        pass
    assert caplog.messages == ["Stubborn on 0000:00:04.0: stop() raised; it is stopped all the same"]
    assert work_loop.event_sources == ()


def test_a_host_that_is_closed_while_a_driver_starts_stops_it_after_that(world, work_loop):
    sleeping = Stage()

    class Sleeper(Plain):
        def start(self, device) -> None:
            super().start(device)
            sleeping._reached.set()
            self.loop.gate.sleep("start", Deadline.after(int(DEADLINE_S * SECOND_NS)))

    world.add()
    host = DriverHost([Sleeper], loop=work_loop)
    starting = Background(host.start)
    sleeping.await_reached()
    host.close()
    (attachment,) = host._attached.values()
    assert attachment.state is State.STARTING
    work_loop.gate.wakeup("start")
    starting.result()
    assert attachment.driver.life == ["start", "stop"]
    assert work_loop.event_sources == ()


# Telling


def test_whoever_wants_to_know_is_told_of_every_start_and_stop(world, caplog):
    device = world.add()
    heard = []
    with DriverHost([Plain]) as host:
        host.on_change = lambda host: heard.append(len(host.drivers))
        world.remove(device)
        tell(host, "remove", device)
        tell(host, "bind", world.add())
    assert heard == [0, 1, 0]


def test_one_who_wants_to_know_and_cannot_bear_it_changes_nothing(world, caplog):
    def faint(host):
        raise ValueError("not again")

    with DriverHost([Plain]) as host:
        host.on_change = faint
        tell(host, "bind", world.add())
        assert len(host.drivers) == 1
    assert [each.partition(" of ")[0] for each in caplog.messages] == ["on_change"] * 2


# Acquiring


def test_what_a_driver_acquires_is_left_in_reverse_order_the_device_last(world, work_loop):
    order = []

    class Resource:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            return self.name

        def __exit__(self, *exc_info):
            order.append((self.name, device._fd >= 0))

    class Collector(Plain):
        def start(self, device) -> None:
            super().start(device)
            assert [self.acquire(Resource(name)) for name in "ab"] == ["a", "b"]

    world.add()
    with DriverHost([Collector], loop=work_loop) as host:
        (driver,) = host.drivers
        device = driver.device
    assert order == [("b", True), ("a", True)]
    assert device._fd < 0


def test_a_driver_that_failed_to_start_acquires_nothing_more(world):
    class Late(Failing):
        def start(self, device) -> None:
            failed.append(self)
            super().start(device)

    failed = []
    world.add()
    with DriverHost([Late]), pytest.raises(LifecycleError, match="cannot acquire something for Late: it is gone"):
        failed[0].acquire(nullcontext())


def test_acquiring_is_for_drivers_that_start_or_run(world):
    world.add()
    with (
        TimerEventSource() as early,
        pytest.raises(LifecycleError, match="cannot add a source for Plain: it is attached; do it in start"),
    ):
        Plain().add(early)
    with DriverHost([Plain]) as host:
        (driver,) = host.drivers
        timer = driver.add(TimerEventSource())
    assert timer.closed
    with pytest.raises(LifecycleError, match="cannot acquire something for Plain: it is gone"):
        driver.acquire(nullcontext())
