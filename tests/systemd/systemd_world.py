"""What the tests under systemd do to their guest."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120.0


def run(*command: str) -> str:
    """Run a command that has to succeed; what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def as_user(user: str, script: str, *, log_in: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a Python script as this user; who has not logged in since he joined a group is not in it."""
    return subprocess.run(python_of(user, script, log_in=log_in), capture_output=True, text=True, check=False, cwd="/")


def python_of(user: str, script: str, *, log_in: bool = True) -> list[str]:
    groups = "--init-groups" if log_in else "--clear-groups"
    environment = ["env", "PYTHONPATH=/opt/uio_workloop", "/opt/python/bin/python", "-c", script]
    return ["setpriv", "--reuid", user, "--regid", user, groups, *environment]


class Running:
    """A script that has said that it is ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def said(self) -> str:
        """What it has to say in the end."""
        output, errors = self._process.communicate(timeout=TIMEOUT_S)
        assert self._process.returncode == 0, errors
        return output.strip()


@contextmanager
def running_as(user: str, script: str) -> Iterator[Running]:
    """Run a Python script as this user, as a program beside this one."""
    with subprocess.Popen(python_of(user, script), stdout=PIPE, stderr=PIPE, text=True, bufsize=1, cwd="/") as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            first = process.stdout.readline()
            assert first == "ready\n", process.stderr.read()
            yield Running(process)
        finally:
            process.kill()


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


class Journal:
    """What is said of and by a unit from now on."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._fd = process.stdout.fileno()
        self._unread: list[str] = []
        self._begun = b""
        self.seen: list[str] = []

    def wait_for(self, *texts: str) -> str:
        """Read on until each of these texts was in a line of its own, in any order; the last of these lines."""
        missing = list(texts)
        while missing:
            line = self._next_line(missing)
            found = next((text for text in missing if text in line), None)
            if found is not None:
                missing.remove(found)
        return line

    def _next_line(self, missing: list[str]) -> str:
        end = time.monotonic() + TIMEOUT_S
        while not self._unread:
            if not select.select([self._fd], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError("\n".join([f"no {missing} within {TIMEOUT_S:.0f} s; seen:", *self.seen]))
            *lines, self._begun = (self._begun + os.read(self._fd, 1 << 16)).split(b"\n")
            self._unread += [line.decode() for line in lines]
        self.seen.append(self._unread.pop(0))
        return self.seen[-1]


@contextmanager
def journal_of(unit: str) -> Iterator[Journal]:
    """Follow the journal of a unit."""
    cursor = run("journalctl", "--lines=1", "--show-cursor", "--output=cat").rpartition("cursor: ")[2].strip()
    command = ["journalctl", "--follow", "--no-tail", f"--after-cursor={cursor}", "--output=cat", f"--unit={unit}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield Journal(process)
        finally:
            process.terminate()
