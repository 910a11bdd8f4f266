"""Clients of a driver that stops: every one of them is told, wherever he was just then."""

from __future__ import annotations

import threading

import pytest
from helpers import DEADLINE_S, Background
from pretend_world import Failing, Plain, tell

from uio_workloop import AbortedError, ClosedError, CommandGate, Deadline, DeviceGoneError, DriverHost, WaitResult
from uio_workloop.clock import SECOND_NS
from uio_workloop.testing import fence


class Answering(Plain):
    """Has clients that wait for an answer."""

    def start(self, device) -> None:
        super().start(device)
        self.asleep = threading.Event()
        self.answer = None

    def ask(self, deadline: Deadline | None = None) -> object:
        while self.answer is None:
            self.asleep.set()
            if self.command_gate.command_sleep("answer", deadline) is WaitResult.TIMED_OUT:
                return "no answer"
        return self.answer

    def say(self, answer: object) -> None:
        self.answer = answer
        self.command_gate.command_wakeup("answer")


def sleeping_client(driver: Answering) -> Background:
    client = Background(driver.command_gate.run_action, driver.ask)
    assert driver.asleep.wait(DEADLINE_S)
    driver.loop.run_action(lambda: None)  # it has let go of the gate
    return client


def leave(world, host: DriverHost) -> None:
    (device,) = world.devices.values()
    world.remove(device)
    tell(host, "remove", device)


@pytest.fixture
def host(world):
    world.add()
    with DriverHost([Answering]) as host:
        yield host


def test_a_client_sleeps_until_the_driver_has_what_he_waits_for(host):
    (driver,) = host.drivers
    client = sleeping_client(driver)
    driver.command_gate.run_action(driver.say, 42)
    assert client.result() == 42


def test_a_client_that_waits_long_enough_goes_on(host):
    (driver,) = host.drivers
    assert driver.command_gate.run_action(driver.ask, Deadline.after(1)) == "no answer"


def test_a_client_asleep_is_told_that_the_device_has_left(world, host):
    (driver,) = host.drivers
    client = sleeping_client(driver)
    leave(world, host)
    with pytest.raises(DeviceGoneError, match=r"Answering on 0000:00:04.0 has stopped: its device has left"):
        client.result()


def test_a_departure_that_only_the_interrupt_source_has_noticed_is_one(host):
    (driver,) = host.drivers
    client = sleeping_client(driver)
    driver.device.leave()
    with pytest.raises(DeviceGoneError, match="its device has left"):
        client.result()


def test_a_client_asleep_is_told_that_the_driver_was_stopped(host):
    client = sleeping_client(host.drivers[0])
    host.close()
    with pytest.raises(AbortedError, match=r"Answering on 0000:00:04.0 has stopped$"):
        client.result()


def test_a_client_asleep_when_somebody_closes_the_loop_is_told_so(world, work_loop):
    world.add()
    with DriverHost([Answering], loop=work_loop) as host:
        client = sleeping_client(host.drivers[0])
        work_loop.close()
        with pytest.raises(AbortedError, match=r"the work loop of Answering on 0000:00:04.0 was closed"):
            client.result()


def test_a_client_that_came_while_the_driver_failed_is_told_so(world, work_loop):
    class HalfWay(Answering):
        def start(self, device) -> None:
            super().start(device)
            clients.append(Background(self.command_gate.run_action, self.ask))
            while not self.asleep.is_set():
                self.loop.gate.sleep("a client", Deadline.after(SECOND_NS // 1000))
            raise Failing.error

    clients = []
    world.add()
    with DriverHost([HalfWay], loop=work_loop), pytest.raises(AbortedError, match="has stopped"):
        clients[0].result()


def test_a_client_that_waits_for_the_gate_or_comes_later_is_told_that_the_device_has_left(world, host):
    (driver,) = host.drivers
    driver.command_gate.disable()
    waiting = Background(driver.command_gate.run_action, driver.note, "client")
    while not driver.command_gate._stalled:
        fence(host.loop)
    leave(world, host)
    for late in (waiting.result, lambda: driver.command_gate.run_action(driver.note, "client")):
        with pytest.raises(DeviceGoneError, match="its device has left"):
            late()
    with pytest.raises(DeviceGoneError, match="its device has left"):
        driver.command_gate.attempt_action(driver.note, "client")
    assert driver.life == ["start", "stop"]


def test_a_client_that_comes_later_is_told_that_the_driver_was_stopped(host):
    (driver,) = host.drivers
    host.close()
    with pytest.raises(ClosedError, match=r"Answering on 0000:00:04.0 has stopped$"):
        driver.command_gate.run_action(driver.note, "client")


def test_while_a_driver_stops_no_client_comes_in(world, work_loop):
    class Lingering(Plain):
        def stop(self) -> None:
            super().stop()
            clients.append(Background(self.command_gate.run_action, self.note, "client"))
            while not self.command_gate._stalled:
                self.loop.gate.sleep("a client", Deadline.after(SECOND_NS // 1000))

    clients = []
    world.add()
    with DriverHost([Lingering], loop=work_loop) as host:
        (driver,) = host.drivers
    with pytest.raises(AbortedError, match="has stopped"):
        clients[0].result()
    assert driver.life == ["start", "stop"]


def test_the_gate_of_a_driver_is_a_command_gate_that_belongs_to_it(host):
    (driver,) = host.drivers
    assert isinstance(driver.command_gate, CommandGate)
    assert driver.command_gate.owner is driver
