"""Drivers that misbehave and devices that leave at the worst moment: the others go on, and nothing is left behind."""

from __future__ import annotations

import threading

import pytest
from helpers import DEADLINE_S, Background, Stage, on_loop
from pretend_world import Failing, Plain, probing, tell

from uio_workloop import (
    Deadline,
    DeviceGoneError,
    DriverHost,
    InterruptEventSource,
    MatchRule,
    PciId,
    UdevProperty,
)
from uio_workloop.clock import SECOND_NS
from uio_workloop.driver.lifecycle import State
from uio_workloop.testing import fence

OTHER = PciId("1234:11e8") & UdevProperty("ID_PATH", "pci-0000:00:05.0")


@pytest.fixture
def both(world):
    """Two cards: things go wrong on the first, and the second has to have its driver all the same."""
    return world.add(4), world.add(5)


def running(host):
    return [driver.description.name for driver in host.drivers]


# Scores


@pytest.mark.parametrize("score", [0, -3])
def test_any_score_is_a_yes(world, score):
    world.add()
    with DriverHost([probing(score)]) as host:
        assert len(host.drivers) == 1


@pytest.mark.parametrize("score", ["high", 1.5, float("nan"), True])
def test_what_is_no_score_is_reported_and_counts_as_a_no(world, work_loop, caplog, score):
    world.add()
    with DriverHost([probing(score), Plain], loop=work_loop) as host:
        assert [type(driver) for driver in host.drivers] == [Plain]
        assert len(work_loop.event_sources) == 4  # two of the host, the driver's gate and interrupt
    assert any(each.startswith(f"Scores{score} could not look at 0000:00:04.0: probe()") for each in caplog.messages)


def test_a_driver_that_cannot_be_made_is_reported_and_counts_as_a_no(world, caplog):
    class Demanding(Plain):
        def __init__(self) -> None:
            raise ZeroDivisionError("a bug in a constructor")

    world.add()
    with DriverHost([Demanding, Plain]) as host:
        assert [type(driver) for driver in host.drivers] == [Plain]
    assert "Demanding could not look at 0000:00:04.0" in caplog.messages


def test_a_rule_of_ones_own_that_raises_hurts_no_other_device(both, caplog):
    class Picky(MatchRule):
        def refusal(self, device):
            if device == both[0]:
                raise ZeroDivisionError("a bug in a rule")

    with DriverHost([type("Ruled", (Plain,), {"match": Picky()})]) as host:
        assert running(host) == ["0000:00:05.0"]
    assert "a bug in a rule" in caplog.messages


def test_a_device_that_cannot_be_opened_for_an_unforeseen_reason_hurts_no_other(world, both, monkeypatch, caplog):
    def open_it(device):
        if device == both[0]:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "an odd name")
        return usual(device)

    usual = type(both[0]).open
    monkeypatch.setattr(type(both[0]), "open", open_it)
    with DriverHost([Plain]) as host:
        assert running(host) == ["0000:00:05.0"]
    assert any("an odd name" in each for each in caplog.messages)


# Leaving


def gone():
    raise DeviceGoneError("0000:00:04.0 has left")


def in_probe(leave):
    return {"probe": lambda self, device: gone() if leave() else 1}


def after_probe(leave):
    return {"probe": lambda self, device: leave() or 1}


def in_start_which_notices(leave):
    def start(self, device):
        Plain.start(self, device)
        if leave():
            gone()

    return {"start": start}


def in_start_which_does_not(leave):
    def start(self, device):
        leave()
        Plain.start(self, device)

    return {"start": start}


at_each_step = pytest.mark.parametrize(
    "step", [in_probe, after_probe, in_start_which_notices, in_start_which_does_not], ids=lambda step: step.__name__
)


@at_each_step
def test_a_device_that_leaves_while_it_is_given_away_leaves_nothing_behind(world, work_loop, caplog, step):
    def leave():
        return world.devices.pop(leaving.sys_path, None) is leaving

    leaving = world.add()
    unlucky = type("Unlucky", (Plain,), step(leave))
    with DriverHost([unlucky, Plain], loop=work_loop) as host:
        assert host.drivers == ()
        assert len(work_loop.event_sources) == 2  # the host's own
        assert all(each._fd < 0 for each in world.opened)
        assert len(world.opened) <= 2  # to probe and to start; nobody else tries
        assert [each for each in caplog.records if each.levelname == "ERROR"] == []


@at_each_step
def test_one_that_is_back_before_that_is_noticed_gets_a_driver_when_it_is_told_of(world, step):
    def come_back():
        if again:
            return False
        again.append(world.add())
        return True

    again = []
    world.add()
    with DriverHost([type("Unlucky", (Plain,), step(come_back))]) as host:
        assert host.drivers == ()
        tell(host, "bind", again[0])
        (driver,) = host.drivers
        assert driver.description is again[0]


def test_a_driver_whose_device_left_while_it_slept_in_start_is_stopped_when_it_wakes(world, work_loop):
    asleep = Stage()

    class Sleeper(Plain):
        def start(self, device) -> None:
            super().start(device)
            asleep._reached.set()
            self.loop.gate.sleep("start", Deadline.after(int(DEADLINE_S * SECOND_NS)))
            lives.append(self.life)

    lives = []
    device = world.add()
    host = DriverHost([Sleeper], loop=work_loop)
    starting = Background(host.start)
    asleep.await_reached()
    world.remove(device)
    tell(host, "remove", device)
    work_loop.gate.wakeup("start")
    starting.result()
    assert (host.drivers, lives) == ((), [["start", "stop"]])
    host.close()


def test_of_two_events_that_tell_of_a_departure_one_stops_the_driver(world):
    device = world.add()
    with DriverHost([Plain]) as host:
        (driver,) = host.drivers
        world.remove(device)
        driver.device.leave()
        tell(host, "unbind", device)
        tell(host, "remove", device)
        fence(host.loop)
    assert driver.life == ["start", "stop"]


# Stopping


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_a_stop_that_raises_what_ends_programs_does_not_keep_the_device(world, work_loop, caplog, error):
    def stop(self):
        raise error

    quitting = type("Quitting", (Plain,), {"stop": stop})
    device = world.add()
    host = DriverHost([quitting], loop=work_loop)
    host.start()
    world.remove(device)
    with pytest.raises(type(error)):
        tell(host, "remove", device)
    assert all(each._fd < 0 for each in world.opened)
    tell(host, "bind", world.add())
    assert running(host) == ["0000:00:04.0"]
    with pytest.raises(type(error)):
        host.close()
    assert work_loop.event_sources == ()


def test_a_driver_that_fails_to_stop_does_not_keep_the_others_from_stopping(both, work_loop):
    def stop(self):
        raise SystemExit(3)

    quitting = type("Quitting", (Plain,), {"match": OTHER, "stop": stop})
    host = DriverHost([quitting, Plain], loop=work_loop)
    host.start()
    plain = next(each for each in host.drivers if type(each) is Plain)
    assert len(host.drivers) == 2
    with pytest.raises(SystemExit):
        host.close()
    assert plain.life == ["start", "stop"]
    assert work_loop.event_sources == ()


# The host and its loop


def test_a_host_can_be_closed_by_an_action_of_a_driver(world):
    class Closing(Plain):
        def start(self, device) -> None:
            super().start(device)
            self.source.set_action(self.on_interrupt)

        def on_interrupt(self, sender: InterruptEventSource, count: int) -> None:
            host.close()
            closed.set()

    closed = threading.Event()
    world.add()
    with DriverHost([Closing]) as host:
        (driver,) = host.drivers
        driver.device.cause()
        assert closed.wait(DEADLINE_S)
    assert (driver.life, driver.state, host.drivers) == (["start", "stop"], State.GONE, ())
    assert host.loop.closed
    host.loop.thread.join(DEADLINE_S)
    assert not host.loop.thread.is_alive()


def test_a_host_can_be_closed_by_a_driver_that_starts(both, work_loop):
    class Closing(Plain):
        def start(self, device) -> None:
            super().start(device)
            drivers.append(self)
            host.close()

    drivers = []
    host = DriverHost([Closing], loop=work_loop)
    host.start()
    assert [driver.life for driver in drivers] == [["start", "stop"]]
    assert work_loop.event_sources == ()


def test_a_host_can_be_closed_by_a_driver_that_stops(both, work_loop):
    class Closing(Plain):
        def stop(self) -> None:
            super().stop()
            host.close()

    with DriverHost([Closing], loop=work_loop) as host:
        drivers = host.drivers
    assert [driver.life for driver in drivers] == [["start", "stop"]] * 2
    assert work_loop.event_sources == ()


def test_a_loop_that_is_closed_under_a_host_leaves_it_the_drivers_to_stop(both, world):
    from uio_workloop import WorkLoop

    loop = WorkLoop()
    with DriverHost([Plain], loop=loop) as host:
        drivers = host.drivers
        loop.close()
    assert [driver.life for driver in drivers] == [["start", "stop"]] * 2
    assert all(each._fd < 0 for each in world.opened)


def test_what_comes_after_the_host_is_closed_is_not_started(world, work_loop):
    with DriverHost([Plain], loop=work_loop) as host:
        pass
    host._on_hotplug(None, "bind", world.add())
    assert host.drivers == ()


def test_a_driver_that_fails_and_never_gives_up_does_not_stop_the_host_from_listening(world, work_loop):
    """Ten errors in a row disable a source; these are no errors of the host's source."""
    with DriverHost([Failing], loop=work_loop) as host:
        device = world.add()
        for _ in range(20):
            on_loop(work_loop, host._on_hotplug, host._hotplug, "change", device)
        assert host._hotplug.enabled


def test_a_thousand_events_of_devices_that_are_nobodys_change_nothing(world):
    device = world.add()
    with DriverHost([Plain]) as host:
        (driver,) = host.drivers
        strangers = [world.add(6, properties={"PCI_ID": "8086:100E"}) for _ in range(10)]
        for _ in range(100):
            for each in strangers:
                tell(host, "change", each)
        tell(host, "change", device)
        assert host.drivers == (driver,)
    assert driver.life == ["start", "stop"]


def test_clients_are_told_that_a_driver_is_gone(world):
    device = world.add()
    with DriverHost([Plain]) as host:
        (driver,) = host.drivers
        world.remove(device)
        tell(host, "remove", device)
        with pytest.raises(DeviceGoneError):
            driver.command_gate.run_action(driver.note, "client")
