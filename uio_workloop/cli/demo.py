"""The verb `demo`: interrupts and a timer on one work loop, measured."""

from __future__ import annotations

import math
from contextlib import closing, suppress
from typing import Final

import click

from uio_workloop import ClosedError, RealtimeProfile, TimerEventSource, Trigger, WorkLoop, WorkLoopError
from uio_workloop.cli.display import View, choose_view, wrapped
from uio_workloop.cli.formatting import format_count, format_duration, format_number_of
from uio_workloop.cli.measurement import Measurement, Snapshot
from uio_workloop.cli.subjects import Subject, open_subject
from uio_workloop.clock import MILLISECOND_NS, SECOND_NS

REFRESH_NS: Final = 250 * MILLISECOND_NS
SWITCH_INTERVAL_S: Final = 0.0002
"""A thread that computes, such as the one that draws, lets others in after that: Python's 5 ms would be seen."""


class Failure(click.ClickException):
    """The demo ran and found something wrong: exit status 1."""


class Refusal(click.ClickException):
    """The demo could not run: exit status 2."""

    exit_code = 2


def _in_ns(context: click.Context, parameter: click.Parameter, seconds: float) -> int:
    if not (seconds > 0 and math.isfinite(seconds)):
        raise click.BadParameter(f"{seconds:g} is not a time: give a number of seconds above 0")
    return max(1, round(seconds * SECOND_NS))


@click.command()
@click.argument("device", required=False)
@click.option(
    "--seconds",
    "run_ns",
    type=float,
    default=10.0,
    show_default=True,
    metavar="S",
    callback=_in_ns,
    help="How long to measure; Ctrl-C ends it early.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, times in nanoseconds.")
@click.option("--realtime", is_flag=True, help="Under a real-time policy; what that lacks is said.")
def demo(device: str | None, run_ns: int, as_json: bool, realtime: bool) -> None:
    """Measure how interrupts and a 10 ms timer are served by one work loop.

    DEVICE is /dev/uio0, uio:NAME, a PCI address (0000:00:04.0) or identity (1234:11e8), or a GPIO line (gpiochip0:17).
    Without it a thread causes software interrupts.

    Latency is the time from raising an interrupt to its action; timer error, how late the timer's action ran.

    Exit status: 0 if every interrupt was delivered, 1 if not or if the device left, 2 if it could not be opened.
    """
    try:
        profile = RealtimeProfile("fifo" if realtime else None, switch_interval=SWITCH_INTERVAL_S)
        with closing(open_subject(device)) as subject:
            final = run(subject, run_ns, choose_view(run_ns, as_json=as_json), profile)
    except WorkLoopError as error:
        raise Refusal(str(error)) from error
    complaint = complaint_about(final)
    if complaint:
        raise Failure(complaint)


def run(subject: Subject, run_ns: int, view: View, profile: RealtimeProfile) -> Snapshot:
    """Measure for `run_ns`, until SIGINT or SIGTERM, or until there is nothing left to measure."""
    # A loop of its own for the clock and the screen, so that drawing never holds the gate that is measured.
    with (
        profile,
        WorkLoop("demo: clock") as clock,
        Measurement(subject, on_end=clock.close, thread_setup=profile.apply) as measurement,
    ):
        _warn(subject, measurement)
        with view:
            with suppress(KeyboardInterrupt, ClosedError):  # Ctrl-C, or the end, before the clock listens to signals
                view.begin(subject.description, measurement.snapshot())
                measurement.start()
                _start_clock(clock, run_ns, view, measurement)
                clock.run_until_signal()
            clock.close()
            final = measurement.stop()
            view.finish(final, conclusion_of(final))
    return final


def _warn(subject: Subject, measurement: Measurement) -> None:
    if not subject.can_acknowledge and measurement.trigger is Trigger.LEVEL:
        warning = (
            f"Warning: the demo does not know how to acknowledge {subject.name}, and its line is level-triggered: "
            "it may see the same interrupt again and again."
        )
        click.echo(wrapped(warning), err=True)


def _start_clock(clock: WorkLoop, run_ns: int, view: View, measurement: Measurement) -> None:
    ending = TimerEventSource(lambda timer: clock.close())
    clock.add_event_source(ending)
    ending.set_timeout_ns(run_ns)
    if view.live:

        def refresh(timer: TimerEventSource) -> None:
            view.show(measurement.snapshot())
            timer.set_timeout_ns(REFRESH_NS)

        refreshing = TimerEventSource(refresh)
        clock.add_event_source(refreshing)
        refreshing.set_timeout_ns(0)


def complaint_about(final: Snapshot) -> str:
    """What went wrong, in a sentence; empty if nothing did. Pure."""
    if final.device_left:
        return f"{final.device} has left after {format_number_of(final.interrupts, 'interrupt')}."
    if final.missing is None or final.missing == 0:
        return ""
    if final.missing > 0:
        return f"{format_number_of(final.missing, 'interrupt')} of {final.device} never reached the action."
    return f"The action was told of {format_number_of(-final.missing, 'interrupt')} more than {final.device} raised."


def conclusion_of(final: Snapshot) -> str:
    """What a run without complaint comes to, in a sentence or two; empty if there is a complaint. Pure."""
    if complaint_about(final):
        return ""
    if final.interrupts == 0:
        return f"{final.device} raised no interrupt in {format_duration(final.elapsed_ns)}."
    if final.lost:
        return f"The kernel dropped {format_number_of(final.lost, 'interrupt')}; all others were delivered."
    if final.missing is None:
        return f"{format_number_of(final.interrupts, 'interrupt')} delivered, none lost."
    if final.raised is not None and final.raised > final.interrupts:
        merged = format_count(final.raised - final.interrupts)
        return f"Every interrupt was delivered; {merged} more, raised while the line was masked, had merged with those."
    return "Every interrupt was delivered."
