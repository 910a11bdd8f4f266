"""QMP requests of the guest, paired with QEMU's answers."""

from __future__ import annotations

from typing import Any

import pytest

from uio_workloop.testing.lab.monitor import MonitorRelay


class Ends:
    """Both ends of a relay, as lists of what was sent there."""

    def __init__(self) -> None:
        self.qemu: list[dict[str, Any]] = []
        self.guest: list[dict[str, Any]] = []
        self.relay = MonitorRelay(self.qemu.append, self.guest.append)

    def greet(self) -> None:
        self.relay.from_qemu({"QMP": {"version": {}}})
        self.relay.from_qemu({"return": {}, "id": "greeting"})


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def greeted(ends: Ends) -> Ends:
    ends.greet()
    ends.qemu.clear()
    return ends


def test_a_request_waits_for_the_greeting(ends):
    ends.relay.from_guest({"execute": "query-status", "arguments": {}, "id": "1"})
    assert ends.qemu == []

    ends.greet()

    assert [message["execute"] for message in ends.qemu] == ["qmp_capabilities", "query-status"]


def test_an_answer_goes_back_and_events_do_not(greeted):
    greeted.relay.from_guest({"execute": "query-status", "arguments": {}, "id": "1"})
    greeted.relay.from_qemu({"event": "RTC_CHANGE", "data": {}})
    greeted.relay.from_qemu({"return": {"running": True}, "id": "1"})

    assert greeted.guest == [{"return": {"running": True}, "id": "1"}]


def test_requests_are_given_to_qemu_one_at_a_time(greeted):
    for number in ("1", "2"):
        greeted.relay.from_guest({"execute": "query-status", "id": number})
    assert [message["id"] for message in greeted.qemu] == ["1"]

    greeted.relay.from_qemu({"return": {}, "id": "1"})

    assert [message["id"] for message in greeted.qemu] == ["1", "2"]


REMOVAL = {
    "execute": "device_del",
    "arguments": {"id": "edu1"},
    "id": "1",
    "await": {"event": "DEVICE_DELETED", "device": "edu1"},
}


def test_a_removal_is_answered_when_the_card_is_gone(greeted):
    greeted.relay.from_guest(REMOVAL)
    greeted.relay.from_qemu({"return": {}, "id": "1"})
    greeted.relay.from_qemu({"event": "DEVICE_DELETED", "data": {"device": "edu0", "path": "/a"}})
    assert greeted.guest == []

    greeted.relay.from_qemu({"event": "DEVICE_DELETED", "data": {"device": "edu1", "path": "/b"}})

    assert greeted.guest == [{"return": {}, "id": "1"}]


def test_the_event_may_come_before_the_answer(greeted):
    greeted.relay.from_guest(REMOVAL)
    greeted.relay.from_qemu({"event": "DEVICE_DELETED", "data": {"device": "edu1", "path": "/b"}})

    greeted.relay.from_qemu({"return": {}, "id": "1"})

    assert greeted.guest == [{"return": {}, "id": "1"}]


def test_a_refusal_waits_for_no_event(greeted):
    greeted.relay.from_guest(REMOVAL)

    greeted.relay.from_qemu({"error": {"desc": "Device 'edu1' not found"}, "id": "1"})

    assert greeted.guest == [{"error": {"desc": "Device 'edu1' not found"}, "id": "1"}]


def test_qemu_never_sees_our_own_key(greeted):
    greeted.relay.from_guest(REMOVAL)

    assert greeted.qemu == [{"execute": "device_del", "arguments": {"id": "edu1"}, "id": "1"}]
