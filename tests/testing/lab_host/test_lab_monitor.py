"""QMP requests of the guest, paired with QEMU's answers."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest
from helpers import DEADLINE_S, Background

from uio_workloop.testing.lab import guest, monitor
from uio_workloop.testing.lab.channels import CONSOLE, CONTROL, MONITOR, PORTS, QMP, Channel
from uio_workloop.testing.lab.conversation import Conversation
from uio_workloop.testing.lab.monitor import REQUEST_TIMEOUT_S, MonitorRelay


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


# A card that is not let go of


NEXT = {"execute": "query-status", "arguments": {}, "id": "2"}


@pytest.fixture
def patient(ends):
    """Greeted, and the time is what `ends.now_s` says."""
    ends.now_s = 100.0
    ends.relay = MonitorRelay(ends.qemu.append, ends.guest.append, lambda: ends.now_s)
    ends.greet()
    ends.qemu.clear()
    return ends


def test_a_removal_that_never_happens_ends_in_an_error_and_the_next_request_has_its_turn(patient):
    patient.relay.from_guest(REMOVAL)
    patient.relay.from_qemu({"return": {}, "id": "1"})
    patient.relay.from_guest(NEXT)
    assert patient.relay.remaining_s == REQUEST_TIMEOUT_S
    patient.now_s += REQUEST_TIMEOUT_S - 0.1
    patient.relay.expire()
    assert patient.guest == []

    patient.now_s += 0.2
    patient.relay.expire()

    assert patient.guest == [{"error": {"desc": "no DEVICE_DELETED from QEMU within 45 s"}, "id": "1"}]
    assert patient.qemu[-1] == NEXT
    patient.relay.from_qemu({"return": {"running": True}, "id": "2"})
    assert patient.guest[-1] == {"return": {"running": True}, "id": "2"}
    assert patient.relay.remaining_s == math.inf


def test_a_request_that_qemu_does_not_answer_ends_in_an_error(patient):
    patient.relay.from_guest(NEXT)
    patient.now_s += REQUEST_TIMEOUT_S
    patient.relay.expire()
    assert patient.guest == [{"error": {"desc": "no answer from QEMU within 45 s"}, "id": "2"}]


def test_an_answer_that_comes_too_late_is_not_taken_for_that_of_the_next_request(patient):
    patient.relay.from_guest(REMOVAL)
    patient.now_s += REQUEST_TIMEOUT_S
    patient.relay.expire()
    patient.relay.from_guest(NEXT)
    patient.relay.from_qemu({"return": {}, "id": "1"})
    patient.relay.from_qemu({"event": "DEVICE_DELETED", "data": {"device": "edu1", "path": "/b"}})
    assert len(patient.guest) == 1


def test_each_request_has_its_own_time(patient):
    patient.relay.from_guest(REMOVAL)
    patient.relay.from_guest(NEXT)
    patient.now_s += REQUEST_TIMEOUT_S - 1
    patient.relay.from_qemu({"error": {"desc": "Device 'edu1' not found"}, "id": "1"})
    assert patient.relay.remaining_s == REQUEST_TIMEOUT_S


def test_the_guest_waits_longer_than_the_host():
    assert guest.ANSWER_TIMEOUT_S > REQUEST_TIMEOUT_S


def test_the_host_gives_up_in_time_also_while_nobody_says_a_word(monkeypatch):
    monkeypatch.setattr(monitor, "REQUEST_TIMEOUT_S", 0.01)
    channels = {name: Channel(name) for name in (*PORTS, QMP, CONSOLE)}
    qemu, port = channels[QMP].guest_end, channels[MONITOR].guest_end
    conversation = Conversation(SimpleNamespace(channels=channels, hear=None), "marker")
    host = Background(conversation.wait_for_greeting, DEADLINE_S)
    with qemu.makefile("rw") as qemu_end, port.makefile("rw") as guest_end:
        say(qemu_end, {"QMP": {}})
        assert hear(qemu_end)["execute"] == "qmp_capabilities"
        say(qemu_end, {"return": {}, "id": "greeting"})
        say(guest_end, REMOVAL)
        assert hear(qemu_end)["id"] == "1"
        say(qemu_end, {"return": {}, "id": "1"})
        assert "no DEVICE_DELETED" in hear(guest_end)["error"]["desc"]
        monkeypatch.setattr(monitor, "REQUEST_TIMEOUT_S", DEADLINE_S)
        say(guest_end, NEXT)
        assert hear(qemu_end) == NEXT
        say(qemu_end, {"return": {}, "id": "2"})
        assert hear(guest_end) == {"return": {}, "id": "2"}
    with channels[CONTROL].guest_end.makefile("w") as control:
        say(control, {"event": "hello"})
    assert host.result()
    for each in channels.values():
        each.close()


def say(stream, message):
    stream.write(json.dumps(message) + "\n")
    stream.flush()


def hear(stream):
    return json.loads(stream.readline())
