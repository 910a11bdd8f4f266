"""The verb, in this process: options, output, exit status."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from misbehaving import BrokenSubject, LeavingSubject, MiscountingSubject, SilentSubject

from uio_workloop import PrivilegeError, Trigger, __version__
from uio_workloop._linux import scheduling
from uio_workloop.cli import demo
from uio_workloop.cli.display import PlainView
from uio_workloop.cli.main import main
from uio_workloop.cli.subjects import SoftwareSubject


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def demo_of(monkeypatch):
    """Run the demo on a subject of the test's."""

    def run_on(subject, *options):
        monkeypatch.setattr(demo, "open_subject", lambda name: subject)
        return run("demo", "--seconds", "0.3", *options)

    return run_on


def test_a_short_run_ends_with_a_plain_summary():
    result = run("demo", "--seconds", "0.3")

    assert result.exit_code == 0
    assert result.stdout.startswith("uio_workloop demo: software interrupt, ")
    assert result.stdout.endswith("\n\nEvery interrupt was delivered.\n")
    assert [c for c in result.stdout if not c.isprintable() and c != "\n"] == []


def test_json_is_one_object_and_nothing_else():
    result = run("demo", "--seconds", "0.3", "--json")
    report = json.loads(result.stdout)

    assert (result.exit_code, result.stderr, report["missing"]) == (0, "", 0)
    assert report["interrupts"] == report["raised"] > 0
    assert report["elapsed_ns"] >= 300_000_000


def test_the_shortest_run_there_is_ends_well():
    assert run("demo", "--seconds", "1e-12").exit_code == 0


def test_ctrl_c_at_the_very_beginning_ends_it_as_well_as_later(monkeypatch):
    monkeypatch.setattr(PlainView, "begin", interrupt_from_the_keyboard)

    result = run("demo")

    assert result.exit_code == 0
    assert result.stdout.endswith("software interrupt raised no interrupt in 0 ns.\n")


def interrupt_from_the_keyboard(*arguments):
    raise KeyboardInterrupt


def test_an_unknown_device_is_one_sentence_and_status_2():
    result = run("demo", "/dev/nonesuch")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: there is no UIO device /dev/nonesuch")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_that_is_none_is_refused(seconds):
    result = run("demo", "--seconds", seconds)

    assert result.exit_code == 2
    assert "--seconds" in result.stderr


@pytest.mark.usefixtures("_short_patience")
def test_a_missing_interrupt_is_a_sentence_and_status_1(demo_of):
    result = demo_of(MiscountingSubject())

    assert result.exit_code == 1
    assert result.stderr.endswith("Error: 3 interrupts of software interrupt never reached the action.\n")
    assert "delivered" not in result.stdout


@pytest.mark.usefixtures("_short_patience")
def test_json_of_a_run_gone_wrong_is_still_json(demo_of):
    result = demo_of(MiscountingSubject(), "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["missing"] == 3


def test_a_device_that_leaves_is_a_sentence_and_status_1(demo_of):
    result = demo_of(LeavingSubject())

    assert result.exit_code == 1
    assert "interrupts" in result.stdout
    assert "Error: software interrupt has left after" in result.stderr


def test_a_silent_device_is_told_of_and_no_error(demo_of):
    result = demo_of(SilentSubject())

    assert result.exit_code == 0
    assert "software interrupt raised no interrupt in" in result.stdout


def test_a_refusal_at_the_start_is_status_2(demo_of, monkeypatch):
    subject = SoftwareSubject()
    monkeypatch.setattr(subject, "start", refuse)

    result = demo_of(subject)

    assert result.exit_code == 2
    assert result.stderr.endswith("Error: no permission; run as root\n")


def refuse(loop):
    raise PrivilegeError("no permission; run as root")


def test_a_bug_is_a_traceback_and_not_a_sentence(demo_of):
    assert isinstance(demo_of(BrokenSubject()).exception, ZeroDivisionError)


@pytest.mark.parametrize(("trigger", "warnings"), [(Trigger.LEVEL, 1), (Trigger.EDGE, 0)])
def test_a_level_line_that_nobody_acknowledges_is_warned_of(demo_of, trigger, warnings):
    subject = SoftwareSubject()
    subject.can_acknowledge = False
    subject.provider.trigger = trigger

    assert demo_of(subject).stderr.count("Warning: ") == warnings


def test_help_and_version():
    assert "demo" in run("--help").stdout
    assert run("--version").stdout == f"uio_workloop, version {__version__}\n"


def test_under_a_real_time_policy_what_is_not_granted_is_said_and_it_runs_all_the_same(monkeypatch, caplog):
    def refuse(thread, policy, priority):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(scheduling, "set_policy", refuse)
    result = run("demo", "--seconds", "0.3", "--realtime")

    assert result.exit_code == 0
    (said,) = (record.getMessage() for record in caplog.records)
    assert said.startswith("cannot give thread 'demo' policy fifo at priority 40: ")
