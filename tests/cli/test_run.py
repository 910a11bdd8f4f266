"""python -m uio_workloop run, as a person and as systemd start it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from programs import DEADLINE_S, ROOT
from test_process import await_listening

from uio_workloop.cli import run
from uio_workloop.cli.service_manager import ServiceManager
from uio_workloop.clock import SECOND_NS, monotonic_ns
from uio_workloop.testing import fence

NOBODYS = """
import signal, sys, threading
from uio_workloop import Driver, SoftwareInterrupt, InterruptEventSource, PciId, UdevProperty

class Waiting(Driver):
    match = PciId("ffff:ffff") & UdevProperty("NOBODY", "has this")

    def start(self, device):
        pass
"""
STUCK = """
class Stuck(Waiting):
    pass

def stick(host):
    threading.Event().wait()  # the loop's thread, for ever

from uio_workloop.cli import run

def get_stuck(manager_notify):
    def notify(self, *assignments):
        manager_notify(self, *assignments)
        if assignments == ("WATCHDOG=1",) and threading.current_thread() is not threading.main_thread():
            get_stuck.fed += 1
            if get_stuck.fed == 3:
                stick(None)
    return notify

get_stuck.fed = 0
run.ServiceManager.notify = get_stuck(run.ServiceManager.notify)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "nobodys_driver.py"
    path.write_text(NOBODYS)
    return path


@pytest.fixture
def manager(tmp_path):
    """A service manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(DEADLINE_S)
        yield listening


@contextmanager
def running(*arguments, **environment):
    process = subprocess.Popen(
        [sys.executable, "-m", "uio_workloop", "run", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def outcome(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "uio_workloop", "run", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        cwd=ROOT,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_waits_for_a_device_says_so_and_ends_well_at_a_signal(file, number):
    with running(f"{file}:Waiting") as process:
        line = process.stderr.readline()
        assert line == "Waiting: driving nothing yet; waiting. --list says which devices are wanted.\n"
        process.send_signal(number)
        assert process.communicate(timeout=DEADLINE_S) == ("", "")
    assert process.returncode == 0


def test_a_signal_that_comes_early_ends_it_well_too(file):
    with running(f"{file}:Waiting") as process:
        await_listening(process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0


def test_it_tells_the_service_manager_that_it_is_ready_how_it_is_and_that_it_ends(file, manager):
    with running(f"{file}:Waiting", NOTIFY_SOCKET=manager.getsockname()) as process:
        assert manager.recv(1000) == b"READY=1\nSTATUS=Waiting for a device for Waiting"
        process.send_signal(signal.SIGTERM)
        assert manager.recv(1000) == b"STOPPING=1"
        assert process.wait(DEADLINE_S) == 0


def test_the_watchdog_is_fed_again_and_again(file, manager):
    with running(f"{file}:Waiting", NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="20000"):
        manager.recv(1000)
        assert [manager.recv(1000) for _ in range(5)] == [b"WATCHDOG=1"] * 5


def test_the_watchdog_is_fed_at_twice_the_rate_it_asks_for(work_loop):
    host = SimpleNamespace(loop=work_loop)
    run._feed_watchdog(host, ServiceManager({"WATCHDOG_USEC": f"{3600 * 10**6}"}))
    fence(work_loop)  # fed once, and armed for the next time
    (timer,) = work_loop.event_sources
    assert 0 < timer.abstime - monotonic_ns() <= 1800 * SECOND_NS


def test_nobody_is_fed_who_does_not_ask(work_loop):
    run._feed_watchdog(SimpleNamespace(loop=work_loop), ServiceManager({}))
    assert work_loop.event_sources == ()


def test_a_loop_that_is_stuck_is_a_dead_service(file, manager):
    file.write_text(NOBODYS + STUCK)
    with running(f"{file}:Stuck", NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="20000") as process:
        manager.recv(1000)
        assert [manager.recv(1000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        manager.settimeout(0.5)  # 25 times what the manager would wait
        with pytest.raises(TimeoutError):
            manager.recv(1000)
        assert process.poll() is None


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nix", "Error: 'nix' names no driver: write MODULE:DRIVER, or path/to/file.py:DRIVER"),
        ("/nix.py:Nix", "Error: /nix.py does not exist; give the path of a Python file"),
        ("{file}:Nix", "Error: {file} has no Nix; its drivers: Waiting"),
        ("uio_workloop:Driver", "Error: Driver does not say what it is for: give it match = PciId(...) or the like"),
    ],
)
def test_what_cannot_be_run_gets_one_sentence_and_status_2(file, name, sentence):
    assert outcome(name.format(file=file)) == (2, "", sentence.format(file=file) + "\n")


def test_list_says_of_every_device_why_a_driver_is_not_for_it_and_starts_nothing(file):
    status, out, _ = outcome("--list", f"{file}:Waiting")
    assert status == 0
    verdicts = [line for line in out.splitlines() if line.startswith(" ")]
    assert verdicts or out == "There is no UIO device, PCI card or GPIO line here.\n"
    assert all(line.startswith("  Waiting: no, it") for line in verdicts)
