"""Sources that are looked at and served under one hold of the gate, again and again: what ends that, and when."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import pytest
from helpers import DEADLINE_S, Background, attach, await_queue

from uio_workloop import SoftwareInterrupt, Trigger, WorkLoop
from uio_workloop.testing import fence


class Batch:
    """An action that causes its own line, and so is called again and again under one hold of the gate.

    In the midst of that it calls `moment(sender)`, once; `later` are the counts of the calls after that. The end shows
    by a second line, because a client who asked would end the batch.
    """

    def __init__(self, work_loop, line, moment):
        self.later = []
        self._calls = 0
        self._line = line
        self._moment = moment
        self._over = threading.Event()
        self._end = SoftwareInterrupt(name="end of batch")
        attach(work_loop, self._end, lambda sender, count: self._over.set())
        self.source = attach(work_loop, line, self)

    def __call__(self, sender, count):
        self._calls += 1
        if self._calls < 3:
            self._line.cause()
        elif self._calls == 3:
            try:
                self._moment(sender)
            finally:
                self._end.cause()
        else:
            self.later.append(count)

    def run(self):
        """Start it and wait until it is over; the counts of the calls after the moment."""
        self._line.cause()
        assert self._over.wait(DEADLINE_S), "the batch did not end"
        self._end.close()
        return self.later


def test_a_client_who_waits_for_the_gate_gets_it_before_the_next_action(work_loop, edge_line):
    def be_waited_for(sender):
        clients.append(Background(work_loop.run_action, lambda: calls_before.append(len(batch.later))))
        await_queue(work_loop)
        edge_line.cause()

    clients: list[Background] = []
    calls_before: list[int] = []
    batch = Batch(work_loop, edge_line, be_waited_for)
    assert batch.run() == [1]
    clients[0].result()
    assert calls_before == [0]


def test_what_software_triggers_in_the_action_is_delivered_and_counted_once(work_loop, edge_line):
    def trigger(sender):
        sender.interrupt_occurred(n=3)
        edge_line.cause()

    batch = Batch(work_loop, edge_line, trigger)
    batch.run()
    fence(work_loop)
    assert sum(batch.later) == 4
    assert (batch.source.producer_count, batch.source.statistics.interrupts) == (7, 4)


@pytest.mark.parametrize("silence", ["disable", "remove", "close"])
@pytest.mark.parametrize("trigger", Trigger)
def test_a_pass_inside_the_action_does_not_hide_that_its_source_was_silenced_before(work_loop, trigger, silence):
    silences = {
        "disable": lambda sender: sender.disable(),
        "remove": work_loop.remove_event_source,
        "close": lambda sender: sender.close(),
    }

    def silence_and_run(sender):
        silences[silence](sender)
        work_loop.run_event_sources()  # empties the queue, which said that the batch is to end
        line.cause()

    with SoftwareInterrupt(trigger) as line:
        assert Batch(work_loop, line, silence_and_run).run() == []


def test_a_client_who_silences_a_source_and_runs_a_pass_while_its_action_sleeps_has_silenced_it(work_loop, edge_line):
    def be_disabled(sender):
        clients.append(Background(disable_and_run, sender))
        work_loop.gate.sleep("disabled")

    def disable_and_run(sender):
        with work_loop.gate:
            sender.disable()
            work_loop.run_event_sources()
            edge_line.cause()
            work_loop.gate.wakeup("disabled")

    clients: list[Background] = []
    assert Batch(work_loop, edge_line, be_disabled).run() == []
    clients[0].result()


def test_what_gets_the_number_of_a_descriptor_closed_in_the_action_is_not_read(work_loop):
    def close_and_run(sender):
        fd = line.fileno()
        line.close()
        others.append(os.eventfd(7, os.EFD_NONBLOCK))
        assert others == [fd]
        work_loop.run_event_sources()

    others: list[int] = []
    line = SoftwareInterrupt()
    assert Batch(work_loop, line, close_and_run).run() == []
    assert os.eventfd_read(others[0]) == 7
    os.close(others[0])


def test_an_action_that_replaced_itself_before_a_pass_inside_it_is_not_called_again(work_loop, edge_line, seen):
    def be_replaced(sender):
        sender.set_action(seen)
        work_loop.run_event_sources()
        edge_line.cause(4)

    batch = Batch(work_loop, edge_line, be_replaced)
    assert batch.run() == []
    assert seen.wait_for_total(4)[0].count == 4


def test_a_source_that_leaves_the_short_way_in_its_action_and_is_then_disabled_is_silent(work_loop, edge_line):
    def leave(sender):
        sender.enable_primary_interrupt_timestamp(True)
        sender.disable()
        edge_line.cause()

    assert Batch(work_loop, edge_line, leave).run() == []


def test_the_next_interrupt_after_time_stamps_were_asked_for_in_the_action_has_one(work_loop, edge_line):
    def ask_for_stamps(sender):
        sender.enable_primary_interrupt_timestamp(True)
        edge_line.cause()

    batch = Batch(work_loop, edge_line, ask_for_stamps)
    batch.run()
    fence(work_loop)
    assert len(batch.later) == 1
    assert batch.source.primary_interrupt_timestamp > 0


def test_an_action_that_returns_in_the_child_of_a_fork_is_not_called_again_there():
    script = """
        import os, threading
        from uio_workloop import *
        done, parent = threading.Event(), os.getpid()

        def action(sender, count):
            if os.getpid() != parent:
                os._exit(1)  # that interrupt is the parent's
            elif count == 1:
                line.cause(5)
                child = os.fork()
                if child:
                    print(os.waitpid(child, 0)[1], flush=True)
            else:
                print(count, flush=True)
                done.set()

        with WorkLoop() as loop, SoftwareInterrupt() as line:
            source = InterruptEventSource(line, action)
            loop.add_event_source(source)
            source.enable()
            line.cause()
            done.wait()
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0\n5\n", "")


class CannotMask(SoftwareInterrupt):
    broken = False

    def mask(self):
        if self.broken:
            raise PermissionError("cannot mask")
        super().mask()


def test_a_source_that_could_not_be_disabled_in_full_does_not_keep_the_loop_awake():
    def fail(sender, count):
        failed.set()
        raise ValueError

    failed, passed = threading.Event(), threading.Event()
    with WorkLoop(max_consecutive_errors=1) as loop, CannotMask() as line, SoftwareInterrupt() as other:
        source = attach(loop, line, fail)
        attach(loop, other, lambda sender, count: passed.set())
        line.broken = True
        line.cause()
        assert failed.wait(DEADLINE_S)
        with loop.gate:
            assert not source.enabled
            line.cause()
            other.cause()
        assert passed.wait(DEADLINE_S)
        with loop.gate:
            assert line.fileno() not in dict(loop.dispatch.poll_set.wait(0))
        line.broken = False


def test_an_action_that_could_not_disable_its_source_in_full_is_not_called_again(work_loop):
    def try_to_disable(sender):
        line.broken = True
        with pytest.raises(PermissionError):
            sender.disable()
        line.cause()

    with CannotMask() as line:
        assert Batch(work_loop, line, try_to_disable).run() == []
        line.broken = False


def test_a_device_that_leaves_in_the_midst_of_its_interrupts_is_no_error_of_the_action(work_loop, departing):
    gone = threading.Event()
    batch = Batch(work_loop, departing, lambda sender: departing.leave())
    batch.source.on_terminated = lambda sender: gone.set()
    batch.run()
    assert gone.wait(DEADLINE_S)
    assert (batch.later, batch.source.statistics.errors, len(departing.invalidated)) == ([], 0, 1)
