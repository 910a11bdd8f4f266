"""A driver that starts with its first device and stops with its last, as a real systemd has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from systemd_world import Journal, journal_of, run, write

from uio_workloop.testing.lab import guest
from uio_workloop.testing.lab.architecture import host_architecture

UNIT = "uio-workloop@edu_service:Edu.service"
THE_LINE = (
    'SUBSYSTEM=="pci", ATTR{vendor}=="0x1234", ATTR{device}=="0x11e8", ENV{UIO_WORKLOOP_DRIVER}="edu_service:Edu"\n'
)
HANG = "/run/uio-workloop-lab/hang"
CARD, OTHER = guest.edu_addresses()
INTERRUPTED = "{}: has interrupted"


@pytest.fixture
def journal(rule) -> Iterator[Journal]:
    """The journal of the service, which drives both cards: the one line was written, and udev told."""
    rule.write_text(THE_LINE)
    with journal_of(UNIT) as journal:
        run("udevadm", "control", "--reload")
        run("udevadm", "trigger", "--settle", "--subsystem-match=pci", "--subsystem-match=uio")
        journal.wait_for("Started", *map(INTERRUPTED.format, (CARD, OTHER)))
        yield journal
        rule.unlink()
        run("systemctl", "stop", UNIT)


def shown(*properties: str) -> list[str]:
    return [run("systemctl", "show", "--value", f"--property={each}", UNIT).strip() for each in properties]


def plug(card: str) -> None:
    guest.insert("edu", card, host_architecture().edu_slots[("edu0", "edu1").index(card)])


def test_one_line_starts_the_service_for_the_cards_that_are_there(journal, show):
    state, status = shown("ActiveState", "StatusText")
    show(f"two cards: {state}; {status}")
    assert state == "active"
    assert f"Edu on {CARD}" in status
    assert f"Edu on {OTHER}" in status
    pid = shown("MainPID")[0]
    assert run("stat", "-c", "%U", f"/proc/{pid}").strip() not in ("root", "UNKNOWN")


def test_it_stops_with_the_last_card_and_starts_with_the_first(journal, show):
    guest.unplug("edu1")
    journal.wait_for(f"Edu stopped on {OTHER}")
    assert shown("ActiveState") == ["active"]
    guest.unplug("edu0")
    journal.wait_for("Stopped")
    plug("edu1")
    journal.wait_for("Started", INTERRUPTED.format(OTHER))
    plug("edu0")
    journal.wait_for(INTERRUPTED.format(CARD))
    show(f"unplugged and plugged in again: {shown('StatusText')[0]}")


def test_a_stuck_loop_is_ended_by_the_watchdog_and_a_new_one_started(journal, show):
    write(HANG, "")
    try:
        journal.wait_for("Watchdog timeout", "in on_interrupt")
        where = next(line for line in journal.seen if "in on_interrupt" in line)
        show(f"the journal says where it was stuck: {where}")
    finally:
        run("rm", HANG)
    journal.wait_for("Started", INTERRUPTED.format(CARD), INTERRUPTED.format(OTHER))
    assert shown("NRestarts") == ["1"]


def test_a_driver_that_there_is_not_is_not_started_again_and_again(rule):
    rule.write_text('SUBSYSTEM=="uio", ATTR{name}=="uio_dummy.0", ENV{UIO_WORKLOOP_DRIVER}="no_such:Driver"\n')
    with journal_of("uio-workloop@no_such:Driver.service") as journal:
        run("udevadm", "control", "--reload")
        run("udevadm", "trigger", "--settle", "--subsystem-match=uio")
        journal.wait_for("there is no module no_such", "Failed to start")
    assert "auto-restart" not in run("systemctl", "show", "uio-workloop@no_such:Driver.service")
