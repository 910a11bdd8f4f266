"""A driver as a service: what its manager hears, and that a stuck loop is a dead service."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import pytest
from lab_devices import write
from programs import ROOT

from uio_workloop.testing.lab import guest

DRIVER = """
import os, threading
from uio_workloop import Driver, PciId, TimerEventSource, UdevProperty

class Sticky(Driver):
    match = PciId("1234:11e8") & UdevProperty("PCI_SLOT_NAME", "{address}")

    def start(self, device):
        self.timer = self.add(TimerEventSource(self.on_tick))
        self.timer.set_timeout_ms(0)

    def on_tick(self, sender):
        if os.path.exists("{folder}/stick"):
            print("stuck", flush=True)
            threading.Event().wait()
        sender.set_timeout_ms(10)
"""
PERIOD_S = 1.0
PATIENCE_S = 120.0  # an emulated machine whose host is busy takes its time to start a program

pytestmark = pytest.mark.timeout(3 * PATIENCE_S)


@pytest.fixture
def card() -> str:
    return guest.edu_addresses()[1]


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + str(tmp_path))
        listening.settimeout(PATIENCE_S)
        yield listening


@pytest.fixture
def service(tmp_path, card, manager):
    (tmp_path / "sticky.py").write_text(DRIVER.format(address=card, folder=tmp_path))
    watched = {"NOTIFY_SOCKET": f"@{tmp_path}", "WATCHDOG_USEC": str(int(PERIOD_S * 1e6))}
    command = [sys.executable, "-m", "uio_workloop", "run", f"{tmp_path}/sticky.py:Sticky"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**os.environ, **watched}, cwd=ROOT, text=True, **pipes) as process:
        yield process
        process.kill()


def news_of(manager: socket.socket) -> str:
    """The next it says, but for signs of life."""
    return next(said for said in iter(lambda: manager.recv(1000).decode(), None) if said != "WATCHDOG=1")


def test_the_manager_hears_of_its_beginning_of_every_change_and_of_its_end(service, manager, card):
    driven, waiting = f"STATUS=Running Sticky on {card}", "STATUS=Waiting for a device for Sticky"
    assert news_of(manager) == f"READY=1\n{driven}"
    assert manager.recv(1000) == b"WATCHDOG=1"
    write("/sys/bus/pci/drivers/uio_pci_generic/unbind", card)
    assert news_of(manager) == waiting
    guest.bind_to_uio(card)
    assert news_of(manager) == driven
    service.send_signal(signal.SIGTERM)
    assert [news_of(manager), news_of(manager)] == ["STOPPING=1", waiting]
    assert service.wait(PATIENCE_S) == 0


def test_a_driver_whose_action_never_ends_is_a_dead_service(service, manager, tmp_path, show):
    assert news_of(manager).startswith("READY=1")
    for _ in range(3):
        assert manager.recv(1000) == b"WATCHDOG=1"
    (tmp_path / "stick").touch()
    assert service.stdout.readline() == "stuck\n"
    said_before(manager)
    manager.settimeout(2 * PERIOD_S)
    with pytest.raises(TimeoutError):
        manager.recv(1000)
    assert service.poll() is None
    show(f"a driver stuck in its action: no sign of life for {2 * PERIOD_S:.0f} s, half of which is deadly")


def said_before(manager: socket.socket) -> None:
    """Read what was said until now."""
    manager.setblocking(False)
    with suppress(BlockingIOError):
        while manager.recv(1000):
            pass
