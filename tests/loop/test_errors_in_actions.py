"""A broken action breaks itself, not the loop."""

from __future__ import annotations

import os
import sys

import pytest
from helpers import attach

from uio_workloop import BadArgumentError, DeviceGoneError, EventSource, InterruptEventSource, WorkLoop
from uio_workloop.testing import fence


def test_an_action_that_raises_is_logged_by_name_and_its_source_goes_on(work_loop, line, seen, caplog):
    def fail_once(sender, count):
        seen(sender, count)
        if len(seen.calls) == 1:
            raise ValueError("boom")

    source = attach(work_loop, line, fail_once)
    line.cause()
    seen.wait_for_calls(1)
    line.cause()
    seen.wait_for_calls(2)

    (record,) = caplog.records
    assert record.getMessage() == "InterruptEventSource on line: the action raised"
    assert "boom" in caplog.text
    assert source.statistics.errors == 1


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_run_of_errors_disables_the_source_and_not_the_loop(line, edge_line, seen, caplog, error):
    with WorkLoop(max_consecutive_errors=3) as loop:

        def fail(sender, count):
            edge_line.cause()
            raise error

        source = attach(loop, line, fail)
        attach(loop, edge_line, seen)
        for turn in range(3):
            line.cause()
            seen.wait_for_total(turn + 1)
        fence(loop)

        assert not source.enabled
        assert line.masked
        line.cause()
        fence(loop)
        assert seen.total == 3
        assert (
            caplog.records[-1].getMessage().startswith("InterruptEventSource on line: disabled after 3 errors in a row")
        )


def test_enabling_a_source_that_was_disabled_starts_the_run_anew(line):
    calls: list[int] = []

    def fail(sender, count):
        calls.append(count)
        raise ValueError

    with WorkLoop("under test", max_consecutive_errors=3) as work_loop:
        source = attach(work_loop, line, fail)
        for run in (1, 2):
            while source.enabled:
                line.cause()
                fence(work_loop)
            assert len(calls) == 3 * run
            source.enable()


def test_a_success_between_errors_starts_the_run_anew(line, seen):
    with WorkLoop(max_consecutive_errors=2, on_error=None) as loop:

        def fail_every_other(sender, count):
            seen(sender, count)
            if len(seen.calls) % 2:
                raise ValueError

        source = attach(loop, line, fail_every_other)
        for turn in range(6):
            line.cause()
            seen.wait_for_calls(turn + 1)
        fence(loop)

        assert source.enabled


@pytest.mark.statement(35)
def test_an_error_handler_takes_the_place_of_the_rule(line, seen, caplog):
    errors: list[tuple[EventSource, BaseException]] = []
    with WorkLoop(max_consecutive_errors=1, on_error=lambda source, error: errors.append((source, error))) as loop:

        def fail(sender, count):
            seen(sender, count)
            raise ValueError

        source = attach(loop, line, fail)
        for turn in range(3):
            line.cause()
            seen.wait_for_calls(turn + 1)
        fence(loop)

        assert [(each, type(error)) for each, error in errors] == [(source, ValueError)] * 3
        assert source.enabled
    assert caplog.records == []


@pytest.mark.parametrize("where", ["on_ready", "on_error", "on_terminated"])
def test_nobodys_code_can_end_the_loops_thread(line, edge_line, seen, where):
    class Hostile(InterruptEventSource):
        def on_ready(self) -> bool:
            if where == "on_ready" and self.on_thread():
                raise SystemExit
            if where == "on_terminated":
                raise DeviceGoneError("gone")
            return super().on_ready()

    def fail(sender, count):
        raise ValueError

    with WorkLoop(on_error=(lambda source, error: sys.exit(1)) if where == "on_error" else None) as loop:
        hostile = Hostile(line, fail)
        hostile.on_terminated = lambda sender: sys.exit(2)
        loop.add_event_source(hostile)
        hostile.enable()
        line.cause()
        attach(loop, edge_line, seen)
        edge_line.cause()
        seen.wait_for_calls(1)
        assert loop.thread.is_alive()


def test_a_source_that_always_raises_is_disabled_and_not_visited_again(caplog):
    visits: list[int] = []

    class Broken(EventSource):
        def check_for_work(self) -> bool:
            visits.append(1)
            raise ValueError

    with WorkLoop(max_consecutive_errors=3) as loop:
        loop.add_event_source(Broken())
        while len(visits) < 3:
            fence(loop)
        fence(loop)
        assert len(visits) == 3


def test_an_error_handler_that_fails_leaves_the_rule_in_place(line, seen, caplog):
    with WorkLoop(max_consecutive_errors=1, on_error=lambda source, error: 1 // 0) as loop:

        def fail(sender, count):
            raise ValueError

        source = attach(loop, line, fail)
        line.cause()
        fence(loop)
        assert not source.enabled


@pytest.mark.parametrize("limit", [0, 1.5, None])
def test_a_limit_that_is_no_number_from_one_on_is_refused(limit):
    with pytest.raises(BadArgumentError, match=f"work loop 'pump' cannot go on for {limit} errors in a row"):
        WorkLoop("pump", max_consecutive_errors=limit)


def test_what_cannot_be_called_is_no_error_handler():
    with pytest.raises(BadArgumentError, match="work loop 'pump' cannot call 5: its on_error is a function"):
        WorkLoop("pump", on_error=5)


def test_a_source_whose_ready_phase_keeps_failing_is_disabled_and_does_not_spin(line, caplog):
    read_fd, write_fd = os.pipe()

    class Broken(EventSource):
        def fileno(self) -> int:
            return read_fd

        def on_ready(self) -> bool:
            raise ValueError("broken ready phase")

    with WorkLoop(max_consecutive_errors=3) as loop:
        broken = Broken()
        loop.add_event_source(broken)
        os.close(write_fd)  # readable for ever: hung up
        fence(loop)
        while broken.enabled:
            fence(loop)
        raised = broken._errors
        fence(loop)
        fence(loop)
        assert broken._errors <= raised + 1  # the hang-up is reported once more, then never
    os.close(read_fd)
