"""What is shown, and where."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rich.console import Console

from uio_workloop import Distribution
from uio_workloop.cli.demo import complaint_about, conclusion_of
from uio_workloop.cli.display import JsonView, PlainView, panel, plain_summary, recent_rate_per_s
from uio_workloop.cli.measurement import Snapshot

RUN = Snapshot(
    device="software interrupt",
    elapsed_ns=2_000_000_000,
    interrupts=2_500,
    action_calls=2_000,
    coalesced=500,
    lost=0,
    raised=2_500,
    missing=0,
    latency=Distribution(2_000, 38_100, 120_000, 1_234_567),
    timer_error=Distribution(200, 61_000, 180_000, 2_100_000),
    device_left=False,
)


def test_the_summary_is_plain_and_complete():
    assert plain_summary(RUN).splitlines() == [
        "uio_workloop demo: software interrupt, 2.0 s",
        "",
        "interrupts         2,500",
        "per second         1,250",
        "coalesced            500",
        "lost                   0",
        "",
        "                     p50         p99         max",
        "latency          38.1 µs      120 µs      1.2 ms",
        "timer error      61.0 µs      180 µs      2.1 ms",
    ]


def test_a_latency_nobody_knows_is_a_dash():
    assert "latency                -           -           -" in plain_summary(replace(RUN, latency=None))


def test_no_line_is_longer_than_80_columns_whatever_the_device_is_called():
    summary = plain_summary(replace(RUN, device="a " * 60, interrupts=10**9))

    assert max(len(line) for line in summary.splitlines()) <= 80


def test_the_plain_view_begins_on_standard_error_and_ends_on_standard_output(capsys):
    view = PlainView(10_000_000_000)

    view.begin("a thread", RUN)
    began = capsys.readouterr()
    view.finish(RUN, "Every interrupt was delivered.")
    ended = capsys.readouterr()

    assert (began.out, began.err) == ("", "a thread; 10.0 s, Ctrl-C ends it early\n")
    assert ended.out.endswith("\n\nEvery interrupt was delivered.\n")
    assert ended.err == ""


def test_json_times_are_whole_nanoseconds(capsys):
    JsonView().finish(RUN, "")

    assert json.loads(capsys.readouterr().out) == {
        "device": "software interrupt",
        "elapsed_ns": 2_000_000_000,
        "interrupts": 2_500,
        "rate_per_s": 1_250,
        "action_calls": 2_000,
        "coalesced": 500,
        "lost": 0,
        "raised": 2_500,
        "missing": 0,
        "latency": {"count": 2_000, "p50_ns": 38_100, "p99_ns": 120_000, "max_ns": 1_234_567},
        "timer_error": {"count": 200, "p50_ns": 61_000, "p99_ns": 180_000, "max_ns": 2_100_000},
        "device_left": False,
    }


def test_the_panel_fits_and_shows_every_number():
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(panel(RUN, 1_300, "a thread causes them", "1.0 of 2.0 s"))
    text = capture.get()

    assert {len(line) for line in text.splitlines()} == {72}
    shown = ("software interrupt", "2,500", "1,300", "500", "38.1 µs", "120 µs", "1.2 ms", "61.0 µs", "2.1 ms")
    assert [number for number in shown if number not in text] == []


def test_the_live_rate_is_that_of_the_last_second():
    later = replace(RUN, elapsed_ns=3_000_000_000, interrupts=2_600)

    assert recent_rate_per_s(RUN, later) == 100
    assert recent_rate_per_s(RUN, RUN) == 1_250


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({}, ""),
        ({"missing": None}, ""),
        ({"missing": 1}, "1 interrupt of software interrupt never reached the action."),
        ({"missing": -2}, "The action was told of 2 interrupts more than software interrupt raised."),
        ({"device_left": True}, "software interrupt has left after 2,500 interrupts."),
    ],
)
def test_a_complaint_says_what_went_wrong(change, complaint):
    assert complaint_about(replace(RUN, **change)) == complaint


@pytest.mark.parametrize(
    ("change", "conclusion"),
    [
        ({}, "Every interrupt was delivered."),
        ({"missing": 1}, ""),
        ({"interrupts": 0}, "software interrupt raised no interrupt in 2.0 s."),
        ({"lost": 2}, "The kernel dropped 2 interrupts; all others were delivered."),
        ({"missing": None, "raised": None}, "2,500 interrupts delivered, none lost."),
        (
            {"raised": 2_503},
            "Every interrupt was delivered; 3 more, raised while the line was masked, had merged with those.",
        ),
    ],
)
def test_a_conclusion_says_what_a_good_run_comes_to(change, conclusion):
    assert conclusion_of(replace(RUN, **change)) == conclusion
