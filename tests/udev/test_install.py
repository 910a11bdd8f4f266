"""`make install-udev` and `make uninstall-udev`, into a directory that stands for /."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALLED = (
    "usr/lib/systemd/system/uio-workloop@.service",
    "usr/lib/sysusers.d/uio-workloop.conf",
    "usr/lib/udev/rules.d/70-uio-workloop.rules",
)
RULES = INSTALLED[2]


def make(verb: str, destdir: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the installer as the Makefile does."""
    command = [sys.executable, ROOT / "udev/install.py", verb, "--prefix", "/usr", "--destdir", str(destdir), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def files_in(directory: Path) -> tuple[str, ...]:
    return tuple(sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()))


def test_the_preview_shows_every_file_with_its_text_and_changes_nothing(tmp_path):
    shown = make("install", tmp_path, "--python", "/opt/python3").stdout
    for name in INSTALLED:
        assert f"{tmp_path}/{name}: to be made" in shown
    assert "+ExecStart=/opt/python3 -X faulthandler -m uio_workloop run %i" in shown
    assert "Nothing was changed. To do it, as root: make install-udev APPLY=yes" in shown
    assert list(tmp_path.iterdir()) == []


def test_installed_are_three_files_that_everybody_may_read_and_no_command_is_run_in_a_destdir(tmp_path):
    done = make("install", tmp_path, "--apply")
    assert (done.returncode, files_in(tmp_path)) == (0, INSTALLED)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in INSTALLED} == {0o644}
    assert "then:" not in done.stdout
    assert "running:" not in done.stdout


def test_a_changed_file_is_shown_as_a_difference_and_the_others_as_they_should_be(tmp_path):
    make("install", tmp_path, "--apply")
    rules = tmp_path / RULES
    text = rules.read_text()
    rules.write_text(text.replace('GROUP="uio"', 'GROUP="mine"'))
    shown = make("install", tmp_path, "--apply").stdout
    assert '-SUBSYSTEM=="uio", GROUP="mine", MODE="0660"\n' in shown
    assert '+SUBSYSTEM=="uio", GROUP="uio", MODE="0660"\n' in shown
    assert shown.count("as it should be") == 2
    assert rules.read_text() == text


def test_uninstalling_shows_first_and_then_removes_what_was_installed(tmp_path):
    make("install", tmp_path, "--apply")
    assert "to be removed" in make("uninstall", tmp_path).stdout
    assert files_in(tmp_path) == INSTALLED
    assert make("uninstall", tmp_path, "--apply").returncode == 0
    assert files_in(tmp_path) == ()
    assert make("uninstall", tmp_path, "--apply").stdout.count("is not there") == 3


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_if_one_file_cannot_be_put_in_place_all_are_as_they_were(verb, tmp_path):
    make("install", tmp_path, "--apply")
    for name in INSTALLED[1:]:
        (tmp_path / name).write_text("mine")
    last = tmp_path / INSTALLED[0]
    last.unlink()
    last.mkdir()  # in the way: neither replaced nor removed
    done = make(verb, tmp_path, "--apply")
    assert done.returncode == 1
    assert f"cannot {verb}: " in done.stderr
    assert "nothing was changed" in done.stderr
    assert files_in(tmp_path) == INSTALLED[1:]
    assert {(tmp_path / name).read_text() for name in INSTALLED[1:]} == {"mine"}


def test_a_python_that_the_service_cannot_reach_is_pointed_out(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    command = [sys.executable, ROOT / "udev/install.py", "install", "--python"]
    shown = [
        subprocess.run([*command, python], capture_output=True, text=True, check=True).stdout
        for python in ("/tmp/venv/bin/python", f"/nowhere{closed}/python", os.path.realpath("/bin/sh"))
    ]
    assert "mind: the service has a /tmp of its own" in shown[0]
    assert "mind: there is no /nowhere" in shown[1]
    assert "mind:" not in shown[2]
