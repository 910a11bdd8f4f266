"""The event chain: adding, removing, moving a source, and everybody at once."""

from __future__ import annotations

import os
import threading

import pytest
from helpers import DEADLINE_S, Background, Stage, attach

from uio_workloop import (
    AlreadyAttachedError,
    BadArgumentError,
    EventSource,
    InterruptEventSource,
    NotAttachedError,
    WorkLoop,
)
from uio_workloop.loop.event_chain import EVERYBODY, EventChain
from uio_workloop.testing import fence


def test_an_action_can_move_its_source_to_another_loop_without_losing_what_comes_meanwhile(work_loop, edge_line, seen):
    with WorkLoop("other") as other:

        def move(sender, count):
            seen(sender, count)
            if sender.work_loop is work_loop:
                work_loop.remove_event_source(sender)
                other.add_event_source(sender)
                sender.enable()
                edge_line.cause(2)
                while sender.statistics.interrupts != 3:
                    os.sched_yield()

        attach(work_loop, edge_line, move)
        edge_line.cause()
        seen.wait_for_total(3)


def test_a_source_added_to_two_loops_at_once_is_on_one(work_loop, edge_line, seen):
    with WorkLoop("other") as other, InterruptEventSource(edge_line, seen) as source:
        for _ in range(200):
            start = threading.Barrier(2)

            def add(loop, start=start):
                start.wait(DEADLINE_S)
                try:
                    loop.add_event_source(source)
                except AlreadyAttachedError:
                    return 0
                return 1

            adders = [Background(add, loop) for loop in (work_loop, other)]
            assert sum(adder.result() for adder in adders) == 1
            source.work_loop.remove_event_source(source)


def test_a_source_added_twice_is_refused_by_name(work_loop, line, seen):
    source = attach(work_loop, line, seen)

    with pytest.raises(AlreadyAttachedError, match="InterruptEventSource on line is on this work loop already"):
        work_loop.add_event_source(source)
    with (
        WorkLoop("other") as other,
        pytest.raises(AlreadyAttachedError, match="is on work loop 'under test' already; remove it there first"),
    ):
        other.add_event_source(source)

    line.cause()
    seen.wait_for_calls(1)


def test_removing_a_source_that_is_elsewhere_is_refused_and_leaves_it_working(work_loop, line, seen):
    source = attach(work_loop, line, seen)

    with WorkLoop("other") as other, pytest.raises(NotAttachedError, match="it is not on work loop 'other'"):
        other.remove_event_source(source)

    line.cause()
    seen.wait_for_calls(1)


def test_a_removed_source_can_be_added_to_another_loop_and_needs_enable_again(work_loop, line, seen):
    source = attach(work_loop, line, seen)
    work_loop.remove_event_source(source)
    line.cause()
    with WorkLoop("other") as other:
        other.add_event_source(source)
        fence(other)
        assert seen.calls == []
        source.enable()
        (call,) = seen.wait_for_calls(1)
        assert call.thread == other.thread.ident


def test_adding_a_source_with_work_wakes_the_loop(work_loop, seen):
    class Backlog(EventSource):
        def check_for_work(self) -> bool:
            seen(self)
            return False

    work_loop.add_event_source(Backlog())

    seen.wait_for_calls(1)


def test_a_source_whose_descriptor_cannot_be_polled_is_refused_and_nothing_is_kept(work_loop, tmp_path):
    class File(EventSource):
        def fileno(self) -> int:
            return file.fileno()

    with (tmp_path / "plain").open("w") as file:
        source = File(name="the plain one")
        with pytest.raises(BadArgumentError, match="cannot watch the plain one: its descriptor is a plain file"):
            work_loop.add_event_source(source)
        assert source.work_loop is None
        assert source not in work_loop.event_sources


def test_removal_waits_for_the_action_that_runs(work_loop, line, seen):
    stage = Stage()

    def action(sender, count):
        stage.hold()
        seen(sender, count)

    source = attach(work_loop, line, action)
    line.cause()
    stage.await_reached()

    remover = Background(work_loop.remove_event_source, source)
    assert seen.calls == []
    stage.release()
    remover.result()

    assert len(seen.calls) == 1
    source.close()


class SignalledMeanwhile(set):
    """A queue to which somebody adds when its length is asked for: a thread may get its turn at any call."""

    def __init__(self, sources, late):
        super().__init__(sources)
        self._late = [late]

    def __len__(self):
        if self._late:
            self.add(self._late.pop())
        return super().__len__()


def test_everybody_is_visited_who_was_signalled_while_the_queue_was_being_taken():
    chain = EventChain()
    sources = [EventSource(), EventSource()]
    for each in sources:
        chain.append(each)
    chain.queue = SignalledMeanwhile([sources[1]], EVERYBODY)
    taken = chain.take_work() + chain.take_work()
    assert set(taken) == set(sources)
