"""Devices x drivers: who gets what, and what becomes of those that fail."""

from __future__ import annotations

import logging

import pytest
from pretend_world import Failing, Plain, probing, tell

from uio_workloop import (
    BadArgumentError,
    ClosedError,
    Driver,
    DriverError,
    DriverHost,
    InterruptEventSource,
    LifecycleError,
    PrivilegeError,
    SoftwareInterrupt,
    UdevProperty,
    UioName,
    WorkLoop,
)
from uio_workloop.driver.lifecycle import State
from uio_workloop.testing import fence

# What is there


def test_a_driver_starts_on_each_device_that_matches(world):
    world.add(4)
    world.add(5, properties={"PCI_ID": "8086:100E"})
    world.add(6)
    with DriverHost([Plain]) as host:
        assert [driver.description.name for driver in host.drivers] == ["0000:00:04.0", "0000:00:06.0"]
        assert [driver.life for driver in host.drivers] == [["start"], ["start"]]


def test_a_driver_has_loop_gate_and_log_and_is_called_with_the_gate_held(world, caplog):
    world.add()
    with DriverHost([Plain]) as host, caplog.at_level(logging.INFO):
        (driver,) = host.drivers
        driver.log.info("hello %d", 3)
        assert driver.loop is host.loop
        assert driver.command_gate.run_action(driver.loop.in_gate)
        driver.device.cause()
        fence(host.loop)
    assert driver.life == ["start", "interrupt", "stop"]
    assert all(driver.gate_held)
    assert (caplog.records[0].name, caplog.messages[0]) == (Plain.__module__, "0000:00:04.0: hello 3")


def test_all_are_stopped_in_reverse_order_and_leave_nothing_behind(world, work_loop):
    for slot in (4, 5, 6):
        world.add(slot)
    order = []
    with DriverHost([Plain], loop=work_loop) as host:
        for driver in host.drivers:
            driver.stop = lambda name=driver.description.name: order.append(name)
    assert order == ["0000:00:06.0", "0000:00:05.0", "0000:00:04.0"]
    assert (host.drivers, work_loop.event_sources, work_loop.closed) == ((), (), False)


def test_without_a_loop_the_host_has_one_of_its_own_and_ends_it(world):
    with DriverHost([Plain]) as host:
        loop = host.loop
    assert loop.closed
    assert not loop.thread.is_alive()


def test_closing_twice_stops_once(world):
    world.add()
    with DriverHost([Plain]) as host:
        (driver,) = host.drivers
        host.close()
        host.close()
    assert driver.life == ["start", "stop"]
    assert driver.state is State.GONE


# Competition


def test_the_highest_score_gets_the_device(world):
    world.add()
    with DriverHost([probing(5), probing(None), probing(7), probing(-1)]) as host:
        assert [type(driver).__name__ for driver in host.drivers] == ["Scores7"]


def test_the_rule_that_asks_for_more_wins_and_the_first_of_equals(world):
    narrow = type("Narrow", (Plain,), {"match": Plain.match & UdevProperty("ID_PATH", "pci-0000:00:04.0")})
    same = type("Same", (Plain,), {})
    world.add(4)
    world.add(5)
    with DriverHost([Plain, same, narrow]) as host:
        assert [type(driver) for driver in host.drivers] == [narrow, Plain]


def test_a_device_everybody_declines_is_left_alone(world, work_loop):
    world.add()
    with DriverHost([probing(None)], loop=work_loop) as host:
        assert host.drivers == ()
        assert len(work_loop.event_sources) == 2  # the host's own


def test_a_probe_that_raises_is_reported_and_counts_as_a_no(world, caplog):
    class Curious(Plain):
        def probe(self, device):
            raise ZeroDivisionError

    world.add()
    with DriverHost([Curious, Plain]) as host:
        assert [type(driver) for driver in host.drivers] == [Plain]
    assert "Curious could not look at 0000:00:04.0" in caplog.messages


# Failing


def test_a_driver_that_fails_is_reported_and_hurts_nobody(world, work_loop, caplog):
    once = type("Once", (Failing,), {"match": UdevProperty("ID_PATH", "pci-0000:00:04.0")})
    world.add(4)
    world.add(5)
    with DriverHost([once, type("Other", (Plain,), {"match": UdevProperty("ID_PATH", "pci-0000:00:05.0")})]) as host:
        assert [driver.description.name for driver in host.drivers] == ["0000:00:05.0"]
        assert len(host.loop.event_sources) == 4  # two of the host, the other's gate and interrupt
    (record,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    assert record.message == "Once could not start on 0000:00:04.0: the card answers 0xffffffff"
    assert record.exc_info[1] is Failing.error  # not foreseen, so with its traceback


def test_when_the_best_fails_the_next_best_gets_a_device_without_traces(world):
    world.add()
    with DriverHost([probing(9, Failing), probing(1), probing(8, Failing)]) as host:
        (driver,) = host.drivers
        assert type(driver).__name__ == "Scores1"
        assert driver.device is world.opened[-1]
        driver.device.cause()
        fence(host.loop)
        assert driver.life == ["start", "interrupt"]


@pytest.mark.parametrize("error", [DriverError("the firmware is older than 3.1"), PrivilegeError("no permission")])
def test_an_error_with_a_sentence_of_its_own_is_told_without_traceback(world, caplog, error):
    world.add()
    with DriverHost([type("Picky", (Failing,), {"error": error})]):
        pass
    (record,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    assert record.message == f"Picky could not start on 0000:00:04.0: {error}"
    assert record.exc_info is None


def test_a_driver_that_failed_is_tried_again_when_something_changes(world):
    class OnlyTheFirst(Plain):
        starts = 0

        def start(self, device) -> None:
            type(self).starts += 1
            if self.starts == 1:
                raise DriverError("not now")
            super().start(device)

    device = world.add()
    with DriverHost([OnlyTheFirst]) as host:
        assert host.drivers == ()
        tell(host, "change", device)
        assert len(host.drivers) == 1


def test_a_device_that_cannot_be_opened_is_reported_and_tried_again_when_it_changes(world, caplog):
    device = world.add()
    world.refusal = PrivilegeError("cannot open /dev/uio0: join group uio")
    with DriverHost([Plain]) as host:
        assert caplog.messages == ["cannot open /dev/uio0: join group uio"]
        world.refusal = None
        tell(host, "change", device)
        assert len(host.drivers) == 1


def test_a_card_without_uio_driver_is_mentioned_and_gets_its_driver_once_it_is_bound(world, caplog):
    caplog.set_level(logging.INFO)
    world.add(node=None)
    with DriverHost([Plain]) as host:
        (sentence,) = caplog.messages
        assert sentence.startswith("0000:00:04.0 is for Plain, but is on no driver; give it to UIO as root: modprobe ")
        tell(host, "bind", world.add())
        assert len(host.drivers) == 1


def test_a_start_that_is_interrupted_leaves_nothing_behind(world, work_loop):
    stopped = []
    first = type("First", (Plain,), {"stop": lambda self: stopped.append("first")})
    world.add(4)
    world.add(5)
    impatient = type(
        "Impatient",
        (Failing,),
        {"error": KeyboardInterrupt(), "match": Plain.match & UdevProperty("ID_PATH", "pci-0000:00:05.0")},
    )
    with pytest.raises(KeyboardInterrupt), DriverHost([first, impatient], loop=work_loop):
        pass
    assert (stopped, work_loop.event_sources) == (["first"], ())


def test_a_driver_that_calls_exit_on_the_loops_thread_does_not_end_it(world, work_loop, caplog):
    quitting = type("Quitting", (Failing,), {"error": SystemExit(3)})
    device = None
    with DriverHost([quitting, Plain], loop=work_loop) as host, SoftwareInterrupt() as errand:
        device = world.add()
        source = InterruptEventSource(errand, lambda sender, count: host._on_hotplug(None, "bind", device))
        work_loop.add_event_source(source)
        source.enable()
        errand.cause()
        fence(work_loop)
        assert [type(driver) for driver in host.drivers] == [Plain]
        source.close()


# Misuse


@pytest.mark.parametrize(
    ("driver", "sentence"),
    [
        (Plain(), "is no driver: give a subclass of Driver"),
        (DriverHost, "is no driver"),
        (type("Aimless", (Driver,), {"start": lambda self, device: None}), "Aimless does not say what it is for"),
        (type("Wrong", (Plain,), {"match": "1234:11e8"}), "match of Wrong is '1234:11e8', which is no rule"),
        (type("Idle", (Driver,), {"match": UioName("x")}), r"Idle cannot be started: it has no start\(\)"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_starts(driver, sentence):
    with pytest.raises(BadArgumentError, match=sentence):
        DriverHost([driver])


def test_a_host_is_started_once_and_has_its_loop_from_then_on(world):
    host = DriverHost([Plain])
    with pytest.raises(LifecycleError, match="has its loop from start"):
        _ = host.loop
    host.close()
    with host, pytest.raises(LifecycleError, match="is started once"):
        host.start()


def test_on_a_loop_that_is_closed_nothing_is_started(world):
    world.add()
    loop = WorkLoop()
    loop.close()
    with pytest.raises(ClosedError), DriverHost([Plain], loop=loop):
        pass
    assert world.opened == []
