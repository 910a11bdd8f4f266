"""Actions that raise, again and again, with interrupts coming all the time."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from random import Random

import pytest
from turnstile import DeliberateError
from watchdog import watch

from uio_workloop import InterruptEventSource, SoftwareInterrupt, Trigger, WorkLoop
from uio_workloop.testing import fence

SECONDS = min(3.0, float(os.environ.get("UIO_WORKLOOP_STRESS_SECONDS", "60")))


class Failing:
    """A line whose action delivers and then raises, always, sometimes or never."""

    def __init__(self, loop: WorkLoop, trigger: Trigger, chance: float) -> None:
        self.raised = 0
        self.revived = 0
        self.caused = 0
        self.delivered = 0
        self._chance = chance
        self._random = Random(0)
        self._line = SoftwareInterrupt(trigger, name=f"a line that fails at {chance:.0%}")
        self.source = InterruptEventSource(self._line, self._action)
        loop.add_event_source(self.source)
        self.source.enable()

    def cause(self) -> str:
        self.caused += 1
        self._line.cause()
        os.sched_yield()  # more calls, and so more errors, for as many interrupts
        return "cause"

    def revive(self) -> str:
        if not self.source.enabled:
            self.revived += 1
            self.source.enable()
        os.sched_yield()
        return "revive"

    def close(self) -> None:
        self._line.close()

    def _action(self, sender: InterruptEventSource, count: int) -> None:
        self.delivered += count
        if self._random.random() < self._chance:
            self.raised += 1
            raise DeliberateError


class KeptLog(logging.Handler):
    """Keeps the messages and prints none: there will be thousands."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def kept_log(monkeypatch):
    log, handler = logging.getLogger("uio_workloop"), KeptLog()
    monkeypatch.setattr(log, "propagate", False)
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


def test_actions_that_raise_for_a_while_lose_no_interrupt_and_stop_nobody_but_themselves(show, kept_log):
    with WorkLoop("of failures") as loop, ExitStack() as at_the_end:
        always, sometimes, never = lines = [
            Failing(loop, Trigger.LEVEL, 1.0),
            Failing(loop, Trigger.EDGE, 0.5),
            Failing(loop, Trigger.LEVEL, 0.0),
        ]
        for line in lines:
            at_the_end.callback(line.close)

        jobs = {f"cause {number}": line.cause for number, line in enumerate(lines)}
        watch(SECONDS, jobs | {"revive": always.revive, "revive others": sometimes.revive})
        for line in lines:
            line.revive()
        fence(loop)

        assert [line.delivered for line in lines] == [line.caused for line in lines]
        assert [line.source.statistics.errors for line in lines] == [line.raised for line in lines]
        assert always.raised > 10
        assert always.revived > 0
        assert never.raised == 0
    raised = sum(line.raised for line in lines)
    stopped = sum(message.count("disabled after") for message in kept_log.messages)
    assert sum(message.endswith("the action raised") for message in kept_log.messages) == raised
    show(f"{raised:,} errors in actions, each logged; sources stopped after 10 in a row: {stopped:,}")
    caused, delivered = sum(line.caused for line in lines), sum(line.delivered for line in lines)
    show(f"    interrupts: {caused:,} caused = {delivered:,} delivered")
