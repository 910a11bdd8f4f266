"""What the guest is told, checked by having a real shell read it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from uio_workloop.testing.lab.command_script import command_script, covered_directories, guest_environment

SHOW = """
import json, os, sys
print(json.dumps([[os.fsencode(argument).hex() for argument in sys.argv[1:]], os.getcwd(), dict(os.environ)]))
"""


def run_script(script: bytes) -> tuple[list[bytes], str, dict[str, str]]:
    done = subprocess.run(["/bin/sh"], input=script, env={"TERM": "kernel's"}, capture_output=True, check=True)
    arguments, directory, environment = json.loads(done.stdout)
    return [bytes.fromhex(argument) for argument in arguments], directory, environment


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "a b",
        "it's",
        '"quoted"',
        "new\nline",
        "$HOME",
        "`id`",
        "*",
        "\\",
        "--kernel",
        "é",
        "\udcff",
        "#",
        "~",
    ],
)
def test_arguments_arrive_as_they_are(argument, tmp_path):
    script = command_script([sys.executable, "-c", SHOW, argument, "last"], str(tmp_path), {})

    assert run_script(script)[0] == [os.fsencode(argument), b"last"]


def test_the_command_runs_in_the_callers_directory(tmp_path):
    directory = tmp_path / "with space 'n quotes"
    directory.mkdir()

    assert run_script(command_script([sys.executable, "-c", SHOW], str(directory), {}))[1] == str(directory)


def test_only_the_given_environment_is_set(tmp_path):
    script = command_script([sys.executable, "-c", SHOW], str(tmp_path), {"LANG": "C.UTF-8", "CI": "a 'b' $c"})

    environment = run_script(script)[2]

    assert environment["CI"] == "a 'b' $c"
    assert "TERM" not in environment


def test_the_shell_becomes_the_command(tmp_path):
    script = command_script(["sh", "-c", "kill -9 $$"], str(tmp_path), {})

    done = subprocess.run(["/bin/sh"], input=script, check=False)

    assert done.returncode == -9


def test_the_environment_is_a_safe_subset_with_the_callers_python_first():
    passed = guest_environment(
        {"PATH": "/usr/bin", "CI": "1", "PYTHONPATH": "/x", "UIO_WORKLOOP_X": "y", "SECRET_TOKEN": "no"},
        "/opt/python/bin/python3",
    )

    assert "SECRET_TOKEN" not in passed
    assert (passed["CI"], passed["PYTHONPATH"], passed["UIO_WORKLOOP_X"]) == ("1", "/x", "y")
    assert passed["PATH"].split(":")[:2] == ["/opt/python/bin", "/usr/bin"]
    assert passed["UIO_WORKLOOP_LAB"] == "1"


def test_a_tree_under_tmp_is_put_back_once(tmp_path, monkeypatch):
    monkeypatch.setattr("uio_workloop.testing.lab.command_script.COVERED", (str(tmp_path),))
    for name in ("tree/tests", "tree beside", "other"):
        (tmp_path / name).mkdir(parents=True)
    wanted = [f"{tmp_path}/{name}" for name in ("tree/tests", "tree", "tree beside", "nothing")]

    assert sorted(covered_directories([*wanted, "/usr", ""])) == [
        f"{tmp_path}/tree",
        f"{tmp_path}/tree beside",
    ]
