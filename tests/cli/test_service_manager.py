"""Datagrams to a service manager, which is a socket of ours."""

from __future__ import annotations

import os
import socket

import pytest

from uio_workloop.cli.service_manager import ServiceManager
from uio_workloop.clock import SECOND_NS


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def test_what_is_to_be_told_is_one_datagram(manager):
    ServiceManager({"NOTIFY_SOCKET": manager.getsockname()}).notify("READY=1", "STATUS=Running µ")
    assert manager.recv(1000).decode() == "READY=1\nSTATUS=Running µ"


def test_a_socket_may_have_an_abstract_name():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0uio_workloop test {os.getpid()}")
        ServiceManager({"NOTIFY_SOCKET": f"@uio_workloop test {os.getpid()}"}).notify("READY=1")
        assert listening.recv(1000, socket.MSG_DONTWAIT) == b"READY=1"


def test_without_a_manager_nothing_is_said_or_asked_for(caplog):
    nobody = ServiceManager({})
    nobody.notify("READY=1")
    assert (nobody.watchdog_ns, caplog.messages) == (0, [])


def test_a_manager_that_is_gone_is_logged_and_no_more(tmp_path, caplog):
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).notify("READY=1")
    assert "cannot tell the service manager READY=1" in caplog.text


@pytest.mark.parametrize(
    "address", ["nowhere", "@", "@nobody is here", "/" + 200 * "x", "/dev/null", "vsock:2:1234", "\udcff"]
)
def test_an_address_that_is_none_is_logged_and_no_more(address, caplog):
    ServiceManager({"NOTIFY_SOCKET": address}).notify("READY=1")
    assert "cannot tell the service manager READY=1" in caplog.text


def test_a_manager_that_does_not_listen_does_not_block_us(manager, caplog):
    ours = ServiceManager({"NOTIFY_SOCKET": manager.getsockname()})
    for _ in range(10_000):
        ours.notify("WATCHDOG=1")
        if caplog.messages:
            break
    assert "cannot tell the service manager WATCHDOG=1" in caplog.text


@pytest.mark.parametrize(
    ("environment", "watchdog_ns"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 3 * SECOND_NS),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3 * SECOND_NS),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "us"}, 0),
        ({"WATCHDOG_PID": str(os.getpid())}, 0),
        ({"WATCHDOG_USEC": "-1"}, 0),
        ({"WATCHDOG_USEC": "often"}, 0),
    ],
)
def test_the_watchdog_is_fed_only_if_it_is_ours(environment, watchdog_ns):
    assert ServiceManager(environment).watchdog_ns == watchdog_ns
