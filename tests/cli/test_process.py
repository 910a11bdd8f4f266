"""python -m uio_workloop as a process: signals, terminals, what is not installed."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

DEADLINE_S = 30.0
WITHOUT = "import runpy, sys; sys.modules[{!r}] = None; runpy.run_module('uio_workloop', run_name='__main__')"


@contextmanager
def demo(*arguments, **options):
    process = subprocess.Popen([sys.executable, "-m", "uio_workloop", "demo", *arguments], **options)
    with process:
        try:
            yield process
        finally:
            process.kill()


def await_listening(process):
    """Until the process catches SIGTERM: run_until_signal took SIGINT over before."""
    end = time.monotonic() + DEADLINE_S
    while not caught_signals(process.pid) >> (signal.SIGTERM - 1) & 1:
        assert process.poll() is None, "it has ended already"
        assert time.monotonic() < end, "it does not listen to signals"
        os.sched_yield()


def caught_signals(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("SigCgt:")[2].split()[0], 16)


def run_in_terminal(*arguments, **environment):
    """What the demo writes to a terminal, and its exit status."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", **environment}
    with demo(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        written = b"".join(iter(lambda: read_until_closed(ours), b""))
        os.close(ours)
        return written.decode(), process.wait(DEADLINE_S)


def read_until_closed(fd):
    try:
        return os.read(fd, 4096)
    except OSError:  # EIO: the other side has gone
        return b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo_early_and_well(number):
    with demo("--seconds", "3600", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        await_listening(process)
        process.send_signal(number)
        out, err = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0
    assert out.startswith("uio_workloop demo: software interrupt, ")
    assert err.split()[-5:] == ["s,", "Ctrl-C", "ends", "it", "early"]  # the line at the beginning, and nothing else


@pytest.mark.parametrize("module", ["click", "rich"])
def test_without_its_libraries_one_sentence_says_how_to_get_them(module):
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(module)], capture_output=True, text=True, timeout=DEADLINE_S
    )

    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert f"needs {module}" in result.stderr
    assert "pip install 'uio-workloop[cli]'" in result.stderr


def test_importing_the_package_does_not_load_the_command_line():
    code = "import sys, uio_workloop; sys.exit('uio_workloop.cli' in sys.modules or 'click' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], timeout=DEADLINE_S).returncode == 0


def test_in_a_terminal_the_picture_is_redrawn_in_place_and_stays():
    written, status = run_in_terminal("--seconds", "0.6")

    assert status == 0
    assert written.count("uio_workloop demo · ") >= 3
    assert "\x1b[1A" in written
    assert "Every interrupt was delivered." in written.rpartition("╯")[2]
    assert written.rfind("\x1b[?25h") > written.rfind("\x1b[?25l")  # the cursor is back


def test_no_color_is_respected():
    coloured, _ = run_in_terminal("--seconds", "0.1", NO_COLOR="")
    plain, _ = run_in_terminal("--seconds", "0.1", NO_COLOR="1")

    assert "\x1b[36m" in coloured
    assert "\x1b[36m" not in plain


def test_a_terminal_that_cannot_move_its_cursor_gets_the_plain_summary():
    written, status = run_in_terminal("--seconds", "0.1", TERM="dumb")

    assert (status, "\x1b" in written) == (0, False)
    assert "Every interrupt was delivered." in written
