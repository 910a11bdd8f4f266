"""Which sources go the short way, from their descriptor to their action in one, and what they keep on it."""

from __future__ import annotations

import os
import queue
import threading

import pytest
from helpers import DEADLINE_S, attach, await_queue

from uio_workloop import (
    DeviceGoneError,
    InterruptEventSource,
    SoftwareInterrupt,
    TimerEventSource,
    Trigger,
    WorkLoop,
)
from uio_workloop.clock import SECOND_NS
from uio_workloop.testing import fence


def test_what_came_while_there_was_no_action_is_kept_for_the_next_one(work_loop, edge_line, seen):
    source = attach(work_loop, edge_line, seen)
    with work_loop.gate:
        edge_line.cause(2)
        await_queue(work_loop)
        source.set_action(None)
    while source.statistics.interrupts != 2:
        os.sched_yield()
    fence(work_loop)
    assert (source.producer_count, source.consumer_count) == (2, 0)
    source.set_action(seen)
    assert [call.count for call in seen.wait_for_total(2)] == [2]


def test_a_source_that_moves_while_its_loop_waits_for_the_gate_is_served_by_the_other(work_loop, edge_line, seen):
    source = attach(work_loop, edge_line, seen)
    with WorkLoop("other") as other:
        with other.gate:
            with work_loop.gate:
                edge_line.cause()
                await_queue(work_loop)
                work_loop.run_event_sources()  # so that the source has nothing pending when it moves
                work_loop.remove_event_source(source)
                other.add_event_source(source)
                source.enable()
                edge_line.cause(2)
            fence(work_loop)
            assert seen.counts == [1]
        assert seen.wait_for_total(3)[1].in_gate


def test_an_interrupt_that_waits_for_the_gate_while_time_stamps_are_asked_for_has_one(work_loop, edge_line, seen):
    source = attach(work_loop, edge_line, seen)
    with work_loop.gate:
        edge_line.cause()
        await_queue(work_loop)
        source.enable_primary_interrupt_timestamp(True)
        edge_line.cause()
    seen.wait_for_total(2)
    assert source.primary_interrupt_timestamp > 0


class CannotUnmask(SoftwareInterrupt):
    """An edge line that its interrupts mask, and that cannot be opened now."""

    def __init__(self):
        super().__init__()
        self.masked_by_interrupt = True
        self.broken = False

    def unmask(self):
        if self.broken:
            raise PermissionError("cannot unmask")
        super().unmask()


def test_interrupts_whose_line_cannot_be_unmasked_wait_until_it_can(seen):
    def repair(source, error):
        errors.append((type(error), source.statistics.interrupts, source.producer_count))
        line.broken = False

    errors: list[object] = []
    with WorkLoop(on_error=repair) as loop, CannotUnmask() as line:
        attach(loop, line, seen)
        line.broken = True
        line.cause(7)
        assert [call.count for call in seen.wait_for_total(7)] == [7]
    assert errors == [(PermissionError, 7, 7)]


@pytest.mark.parametrize("trigger", Trigger)
def test_a_subclass_that_overrides_a_hook_has_it_called(work_loop, trigger, seen):
    class Hooked(InterruptEventSource):
        def normal_interrupt_occurred(self, provider, source, n=1):
            hooks.append((Trigger.EDGE, n))
            super().normal_interrupt_occurred(provider, source, n)

        def disable_interrupt_occurred(self, provider, source, n=1):
            hooks.append((Trigger.LEVEL, n))
            super().disable_interrupt_occurred(provider, source, n)

    hooks: list[tuple[Trigger, int]] = []
    with SoftwareInterrupt(trigger) as line, Hooked(line, seen) as source:
        work_loop.add_event_source(source)
        source.enable()
        fence(work_loop)
        line.cause(2)
        seen.wait_for_total(2)
    assert hooks == [(trigger, 2)]


def test_each_hook_alone_keeps_a_source_from_the_short_way(edge_line, seen):
    class EdgeHook(InterruptEventSource):
        def normal_interrupt_occurred(self, provider, source, n=1):
            super().normal_interrupt_occurred(provider, source, n)

    class LevelHook(InterruptEventSource):
        def disable_interrupt_occurred(self, provider, source, n=1):
            super().disable_interrupt_occurred(provider, source, n)

    class OnReady(InterruptEventSource):
        def on_ready(self):
            return super().on_ready()

    class Check(InterruptEventSource):
        def check_for_work(self):
            return super().check_for_work()

    for kind in (EdgeHook, LevelHook, OnReady, Check):
        with kind(edge_line, seen) as source:
            assert not source.serves_directly
    with InterruptEventSource(edge_line, seen) as source:
        assert source.serves_directly


def test_a_source_with_a_check_of_its_own_is_visited_when_it_is_added_and_enabled(work_loop, edge_line, seen):
    class Checking(InterruptEventSource):
        def check_for_work(self):
            visits.append(self.enabled)
            return super().check_for_work()

    visits: list[bool] = []
    with Checking(edge_line, seen) as source:
        work_loop.add_event_source(source)
        fence(work_loop)
        assert visits == [False]
        source.enable()
        fence(work_loop)
        assert visits == [False, True]


def test_a_client_is_not_blamed_for_the_time_before_he_had_the_gate(work_loop, caplog, monkeypatch):
    clock = [0]
    for file in ("gate", "gate_lock"):
        monkeypatch.setattr(f"uio_workloop.loop.{file}.monotonic_ns", lambda: clock[-1])
    work_loop.set_maximum_lock_time(10)
    clock.append(100)
    work_loop.run_action(int)
    assert "was held for" not in caplog.text


def test_several_actions_in_a_row_are_not_one_hold_that_is_too_long(work_loop, edge_line, caplog, monkeypatch):
    def work(sender, count):
        clock.append(clock[-1] + 6)
        if len(clock) < 10:
            edge_line.cause()
        else:
            end.set()

    clock, end = [0], threading.Event()
    for file in ("gate", "gate_lock"):
        monkeypatch.setattr(f"uio_workloop.loop.{file}.monotonic_ns", lambda: clock[-1])
    work_loop.set_maximum_lock_time(10)
    attach(work_loop, edge_line, work)
    edge_line.cause()
    assert end.wait(DEADLINE_S)
    fence(work_loop)
    assert "was held for" not in caplog.text


def test_a_line_that_is_never_quiet_does_not_keep_those_waiting_whom_its_action_signals(work_loop, edge_line, seen):
    def signal_other(sender, count):
        calls.append(count)
        other.interrupt_occurred()
        if not seen.calls and len(calls) < 1000:
            edge_line.cause()

    calls: list[int] = []
    other = InterruptEventSource(None, seen)
    work_loop.add_event_source(other)
    fence(work_loop)
    attach(work_loop, edge_line, signal_other)
    edge_line.cause()
    seen.wait_for_total(1)
    assert len(calls) < 1000


def test_a_timer_with_leeway_goes_along_with_an_interrupt_on_the_short_way(work_loop, edge_line, seen):
    attach(work_loop, edge_line, lambda sender, count: None)
    with TimerEventSource(seen) as timer:
        work_loop.add_event_source(timer)
        fence(work_loop)
        timer.set_timeout_ns(0, leeway_ns=1000 * SECOND_NS)
        edge_line.cause()
        seen.wait_for(len)


def test_a_device_that_leaves_a_quiet_loop_is_seen_off(work_loop, departing, seen):
    source = attach(work_loop, departing, seen)
    gone = threading.Event()
    source.on_terminated = lambda sender: gone.set()
    fence(work_loop)
    departing.leave()
    assert gone.wait(DEADLINE_S)


def test_a_line_that_was_opened_early_once_is_opened_after_the_next_action(work_loop, line, seen):
    def open_early_once(sender, count):
        seen(sender, count)
        if len(seen.calls) == 1:
            sender.enable()

    attach(work_loop, line, open_early_once)
    for total in (1, 2):
        line.cause()
        seen.wait_for_total(total)
        fence(work_loop)
    assert not line.masked


@pytest.mark.parametrize("move", [False, True])
def test_a_level_source_that_its_action_disables_is_silent_until_it_is_enabled_there_or_elsewhere(
    work_loop, seen, move
):
    with WorkLoop("other") as other, SoftwareInterrupt(Trigger.LEVEL) as line:

        def disable(sender, count):
            seen(sender, count)
            assert sender.work_loop.on_thread()
            sender.disable()

        source = attach(work_loop, line, disable)
        line.cause()
        seen.wait_for_total(1)
        line.cause(2)
        fence(work_loop)
        assert seen.total == 1
        if move:
            work_loop.remove_event_source(source)
            other.add_event_source(source)
        source.enable()
        seen.wait_for_total(3)
        line.cause(2)
        fence(source.work_loop)
        assert seen.total == 3


def test_a_level_source_that_its_action_moves_is_not_served_by_the_loop_it_has_left(work_loop):
    with WorkLoop("other") as other, SoftwareInterrupt(Trigger.LEVEL) as line:
        threads = queue.SimpleQueue()

        def move(sender, count):
            threads.put(other.on_thread())
            if not other.on_thread():
                work_loop.remove_event_source(sender)
                other.add_event_source(sender)
                sender.enable()
                line.cause()

        attach(work_loop, line, move)
        line.cause()
        assert [threads.get(timeout=DEADLINE_S) for _ in range(2)] == [False, True]


class OnAPipe(SoftwareInterrupt):
    """A line whose descriptor is hung up when its device leaves."""

    def __init__(self):
        super().__init__()
        self.left = False
        self.read_fd, self.write_fd = os.pipe()

    def fileno(self):
        return self.read_fd

    @property
    def drain(self):
        return self._read

    def _read(self):
        raise DeviceGoneError("hung up") if self.left else BlockingIOError

    def leave(self):
        self.left = True
        os.close(self.write_fd)

    def close(self):
        super().close()
        os.close(self.read_fd)


def test_a_disabled_source_that_could_go_the_short_way_hears_that_its_device_has_left(work_loop, seen):
    with OnAPipe() as line:
        source = attach(work_loop, line, seen)
        gone = threading.Event()
        source.on_terminated = lambda sender: gone.set()
        source.disable()
        fence(work_loop)  # nobody is to be visited any more
        line.leave()
        assert gone.wait(DEADLINE_S)
        assert source.terminated
