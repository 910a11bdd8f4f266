"""The kernel's own news of devices, made by writing to a file of sysfs; the loopback interface is on every machine."""

from __future__ import annotations

import os
import socket
from concurrent.futures import Future

import pytest
from helpers import DEADLINE_S

from uio_workloop import DeviceDescription, HotplugEventSource, TimerEventSource, WorkLoop
from uio_workloop.sources.hotplug_event_source import AT_ONCE
from uio_workloop.testing import fence
from uio_workloop.testing.leaks import open_descriptors

LOOPBACK = "/sys/devices/virtual/net/lo"


class News(list):
    """An action that keeps what it is told of the loopback interface."""

    def __call__(self, sender: HotplugEventSource, what: str, device: DeviceDescription | None) -> None:
        if device is None or device.sys_path == LOOPBACK:
            self.append((what, device and device.name, sender.work_loop.in_gate(), sender.on_thread()))


def hear_of_two(source: HotplugEventSource, work_loop: WorkLoop) -> None:
    """Let "add" and "change" be there before the loop first looks, and the loop be done with them."""
    with work_loop.gate:
        work_loop.add_event_source(source)
        announce("add")
        announce("change")
    fence(work_loop)
    fence(work_loop)


def announce(what: str) -> None:
    """Have the kernel say so of the loopback interface, as it would of a device that really changes."""
    with open(f"{LOOPBACK}/uevent", "w") as file:
        file.write(what)


@pytest.fixture
def news():
    return News()


@pytest.fixture
def source(news):
    if not os.access(f"{LOOPBACK}/uevent", os.W_OK) or os.path.exists("/run/udev/control"):
        pytest.skip("needs root, to have the kernel announce something, and no udevd in between; the lab has both")
    with HotplugEventSource(news) as source:
        yield source


def test_what_happens_is_told_in_order_on_the_loops_thread_with_the_gate_held(source, news, work_loop):
    work_loop.add_event_source(source)
    for what in ("add", "bind", "change", "unbind", "remove"):
        announce(what)
    fence(work_loop)
    fence(work_loop)  # events may come in more than one pass
    assert news == [(what, "lo", True, True) for what in ("add", "bind", "change", "unbind", "remove")]


def test_what_happened_before_it_was_on_a_loop_is_told_too(source, news, work_loop):
    announce("change")
    work_loop.add_event_source(source)
    fence(work_loop)
    assert [what for what, *_ in news] == ["change"]


def test_a_description_has_the_properties_the_kernel_sent_and_knows_whether_the_device_is_there(source, work_loop):
    told = []
    source.set_action(lambda sender, what, device: told.append(device))
    work_loop.add_event_source(source)
    announce("remove")
    fence(work_loop)
    (device,) = (each for each in told if each.sys_path == LOOPBACK)
    assert (device.subsystem, device.node, device.properties["INTERFACE"]) == ("net", None, "lo")
    assert device.present  # whatever was announced


def test_while_it_is_disabled_it_is_silent_and_keeps_what_happens(source, news, work_loop):
    work_loop.add_event_source(source)
    source.disable()
    announce("change")
    fence(work_loop)
    assert news == []
    source.enable()
    fence(work_loop)
    assert [what for what, *_ in news] == ["change"]


def test_disabled_by_its_action_it_keeps_what_it_has_read_already(source, news, work_loop):
    def once(sender, what, device):
        news(sender, what, device)
        sender.disable()

    source.set_action(once)
    hear_of_two(source, work_loop)
    assert [what for what, *_ in news] == ["add"]
    source.enable()
    fence(work_loop)
    assert [what for what, *_ in news] == ["add", "change"]


def test_when_the_kernel_drops_events_the_action_is_told_so_once_and_goes_on(source, news, work_loop):
    with socket.socket(fileno=os.dup(source.fileno())) as its_socket:
        its_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the least the kernel grants
    for _ in range(100):
        announce("change")
    work_loop.add_event_source(source)
    fence(work_loop)
    assert [what for what, *_ in news].count("overflow") == 1
    assert len(news) < 100
    announce("add")
    fence(work_loop)
    assert news[-1] == ("add", "lo", True, True)


def test_what_happens_while_it_is_told_of_dropped_events_is_not_dropped(source, news, work_loop):
    """The kernel drops everything from the first event that does not fit until all that do are read."""

    def look_around(sender, what, device):
        news(sender, what, device)
        if what == "overflow":
            announce("bind")

    source.set_action(look_around)
    with socket.socket(fileno=os.dup(source.fileno())) as its_socket:
        its_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 200_000)  # what a user gets who is not root
    for _ in range(1000):
        announce("change")
    work_loop.add_event_source(source)
    while "bind" not in [what for what, *_ in news]:
        fence(work_loop, int(DEADLINE_S * 1e9))
    told = [what for what, *_ in news]
    assert (told.count("overflow"), told.index("overflow") > AT_ONCE, len(told) < 1000) == (1, True, True)


def test_more_events_than_fit_in_a_pass_do_not_keep_others_waiting(source, news, work_loop):
    told_before = Future()
    timer = TimerEventSource(lambda sender: told_before.set_result(len(news)))
    with work_loop.gate:
        work_loop.add_event_source(source)
        work_loop.add_event_source(timer)
        for _ in range(100):
            announce("change")
        timer.set_timeout_ns(0)
    assert told_before.result(DEADLINE_S) <= AT_ONCE
    while len(news) < 100:
        fence(work_loop, int(DEADLINE_S * 1e9))
    assert {what for what, *_ in news} == {"change"}


def test_an_action_that_raises_now_and_then_is_called_all_the_same(source, news, work_loop):
    """Ten errors in a row would disable it."""

    def failing(sender, what, device):
        news(sender, what, device)
        if what == "add":
            raise ZeroDivisionError

    source.set_action(failing)
    work_loop.add_event_source(source)
    for _ in range(12):
        announce("add")
        announce("change")
    while len(news) < 24:
        fence(work_loop, int(DEADLINE_S * 1e9))
    assert source.enabled


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # that is the point
def test_the_child_of_a_fork_has_no_socket_to_hear_with(source, work_loop):
    work_loop.add_event_source(source)
    descriptor = source.fileno()
    child = os.fork()
    if not child:
        os._exit(0 if descriptor not in open_descriptors() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_an_action_that_raises_loses_only_its_own_event(source, news, work_loop, caplog):
    def failing(sender, what, device):
        source.set_action(news)
        raise ZeroDivisionError

    source.set_action(failing)
    hear_of_two(source, work_loop)
    assert [what for what, *_ in news] == ["change"]
    assert caplog.messages == ["HotplugEventSource: the action raised"]


def test_it_can_be_closed_twice_and_leaves_no_descriptor(source, work_loop):
    work_loop.add_event_source(source)
    source.close()
    source.close()
    announce("change")
    fence(work_loop)
