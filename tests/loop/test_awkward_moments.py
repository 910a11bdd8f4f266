"""What happens when a source is moved, closed, disabled or interrupted at the worst moment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from helpers import Background, LoggedInterrupt, Stage, attach, await_queue, loop_asleep

from uio_workloop import (
    ClosedError,
    EventSource,
    FilterInterruptEventSource,
    InterruptEventSource,
    SharedInterrupt,
    SoftwareInterrupt,
    TimerEventSource,
    Trigger,
    UsageError,
    WorkLoop,
)
from uio_workloop.testing import fence

INTERRUPT_THE_MAIN_THREAD = """
import random, signal, sys, threading
from uio_workloop import Deadline, InterruptEventSource, WorkLoop
from uio_workloop.testing import fence

def interrupt():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

def client_of(loop, stop):
    while not stop.is_set():
        loop.run_action(int)

def outcome(use):
    with WorkLoop() as loop:
        source = InterruptEventSource(None, lambda sender, count: None)
        loop.add_event_source(source)
        stop = threading.Event()
        client = threading.Thread(target=client_of, args=(loop, stop))
        client.start()
        try:
            threading.Timer(random.uniform(0.001, 0.005), interrupt).start()
            while True:
                use(loop, source)
        except KeyboardInterrupt:
            pass
        if loop.gate.held:  # the one moment that is left: at the very entry of __exit__
            loop.gate.__exit__()
        fence(loop)
        stop.set()
        client.join()

uses = [
    lambda loop, source: loop.run_action(int),
    lambda loop, source: (source.disable(), source.enable()),
    lambda loop, source: loop.run_event_sources(),
    lambda loop, source: loop.run_action(loop.gate.sleep, "token", Deadline.after(1000)),
]
for use in uses * 15:
    outcome(use)
print("every loop went on")
"""


def test_ctrl_c_in_the_main_thread_at_any_moment_does_not_cost_the_gate():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT_THE_MAIN_THREAD], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.stdout, done.returncode) == ("every loop went on\n", 0), done.stderr


@pytest.fixture
def other_loop():
    with WorkLoop("other") as loop:
        yield loop


def move(source, from_loop, to_loop):
    from_loop.remove_event_source(source)
    to_loop.add_event_source(source)
    source.enable()


def test_a_source_that_moves_while_somebody_waits_to_disable_it_is_disabled_where_it_is(
    work_loop, other_loop, edge_line, seen
):
    source = attach(work_loop, edge_line, seen)
    with work_loop.gate:
        client = Background(source.disable)
        await_queue(work_loop)
        move(source, work_loop, other_loop)
    client.result()

    edge_line.cause()
    fence(other_loop)
    assert (source.enabled, seen.calls) == (False, [])


def test_a_source_that_moves_while_somebody_waits_to_close_it_is_closed_where_it_is(
    work_loop, other_loop, edge_line, seen
):
    source = attach(work_loop, edge_line, seen)
    with work_loop.gate:
        client = Background(source.close)
        await_queue(work_loop)
        move(source, work_loop, other_loop)
    client.result()

    assert (source.closed, other_loop.event_sources) == (True, ())
    attach(other_loop, edge_line, seen).close()


def test_a_source_that_is_being_closed_cannot_be_added_meanwhile(work_loop):
    stage = Stage()

    class Slow(EventSource):
        def free(self):
            stage.hold()

    source = Slow()
    closing = Background(source.close)
    stage.await_reached()
    adding = Background(work_loop.add_event_source, source)
    stage.release()
    closing.result()
    with pytest.raises(ClosedError):
        adding.result()
    assert work_loop.event_sources == ()


@pytest.mark.parametrize("trigger", Trigger)
def test_a_filter_that_disables_its_source_while_it_is_being_enabled_is_obeyed(work_loop, trigger, seen):
    def disable(sender):
        sender.disable()
        return True

    with SoftwareInterrupt(trigger) as line, FilterInterruptEventSource(line, seen, disable) as source:
        work_loop.add_event_source(source)
        line.cause()
        source.enable()
        fence(work_loop)
        assert (source.enabled, source.explicit_disable, line.masked, seen.calls) == (False, True, True, [])


class BadMask(SoftwareInterrupt):
    broken = False

    def mask(self):
        if self.broken:
            raise PermissionError("cannot mask")
        super().mask()


class ClosesItsDescriptor(EventSource):
    def __init__(self):
        super().__init__()
        self.fd = os.eventfd(1)

    def fileno(self):
        return self.fd

    def on_ready(self):
        os.eventfd_read(self.fd)
        return True

    def check_for_work(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        raise ValueError


class CannotBeDisabled(EventSource):
    def check_for_work(self):
        raise ValueError

    def disable(self):
        if self.work_loop is not None and not self.work_loop.closed:
            raise RuntimeError


def test_a_source_that_raises_and_cannot_be_disabled_either_does_not_end_the_loop(work_loop, line, seen):
    def fail(sender, count):
        raise ValueError

    broken = BadMask()
    attach(work_loop, broken, fail)
    broken.broken = True
    for bad in (ClosesItsDescriptor(), CannotBeDisabled()):
        work_loop.add_event_source(bad)
    for _ in range(12):
        broken.cause()
        work_loop.signal_work_available()
        fence(work_loop)
    attach(work_loop, line, seen)
    line.cause()
    seen.wait_for_total(1)
    broken.broken = False
    broken.close()


def test_a_filter_cannot_wait_for_the_gate_of_another_loop_either(work_loop, other_loop, edge_line, seen):
    refused: list[object] = []

    def reach_over(sender):
        with pytest.raises(UsageError) as error:
            other_loop.run_action(int)
        refused.append(error.value)
        return True

    source = FilterInterruptEventSource(edge_line, seen, reach_over)
    work_loop.add_event_source(source)
    source.enable()
    edge_line.cause()
    seen.wait_for_total(1)
    assert len(refused) == 1


def test_a_client_interrupted_in_one_filter_of_a_shared_line_keeps_the_others_informed(work_loop, seen):
    class Interrupted(BaseException):
        pass

    def interrupt(sender):
        if not work_loop.on_thread():
            raise Interrupted
        return False

    with SoftwareInterrupt(Trigger.LEVEL) as line:
        shared = SharedInterrupt(line)
        first = FilterInterruptEventSource(shared, seen, interrupt)
        second = FilterInterruptEventSource(shared, seen, lambda sender: True)
        for each in (shared, first, second):
            work_loop.add_event_source(each)
        first.enable()
        second.enable()
        with loop_asleep(work_loop):  # so that it is the client who looks
            line.cause(2)
            with pytest.raises(Interrupted):
                work_loop.run_event_sources()
        assert [(call.sender, call.count) for call in seen.wait_for_total(2)] == [(second, 2)]
        fence(work_loop)
        assert not line.masked


def test_a_level_interrupt_that_a_hook_swallows_opens_its_line_again(work_loop, seen):
    class Swallowing(InterruptEventSource):
        def disable_interrupt_occurred(self, provider, source, n=1):
            pass

    with LoggedInterrupt(Trigger.LEVEL) as line:
        source = Swallowing(line, seen)
        work_loop.add_event_source(source)
        source.enable()
        line.cause()
        fence(work_loop)
        assert (line.masked, seen.calls) == (False, [])


@pytest.mark.parametrize("close", ["itself", "its loop"])
def test_a_source_whose_hook_closes_it_while_it_is_added_is_not_on_the_chain(close):
    class Closing(TimerEventSource):
        def set_work_loop(self, work_loop):
            super().set_work_loop(work_loop)
            if work_loop is not None:
                (self if close == "itself" else work_loop).close()

    with WorkLoop() as work_loop, Closing(lambda sender: None) as source:
        source.set_timeout_ms(10_000, leeway_ns=1)
        with pytest.raises(ClosedError):
            work_loop.add_event_source(source)
        assert work_loop.event_sources == ()
        assert not work_loop.dispatch.chain.riders


def test_a_hold_time_error_is_for_those_who_hold_the_gate_not_for_what_the_package_does(work_loop, line, seen, caplog):
    with work_loop.gate:
        work_loop.set_maximum_lock_time(1, raises=True)
        work_loop.set_maximum_lock_time(0)
    work_loop.set_maximum_lock_time(1, raises=True)
    source = attach(work_loop, line, seen)
    line.cause()
    seen.wait_for_total(1)
    source.disable()
    source.close()
    work_loop.set_maximum_lock_time(0)
    assert "the gate of 'under test' was held for" in caplog.text


def test_a_filter_gets_no_gate_from_a_client_who_holds_it(work_loop, edge_line, seen):
    def reach_out(sender):
        with pytest.raises(UsageError):
            timer.set_timeout_ms(1000)
        with pytest.raises(UsageError):
            sender.set_action(None)
        return True

    with TimerEventSource(lambda sender: None) as timer:
        source = FilterInterruptEventSource(edge_line, seen, reach_out)
        for each in (timer, source):
            work_loop.add_event_source(each)
        edge_line.cause()
        source.enable()  # asks the filter on this thread, under the gate
        seen.wait_for_total(1)
        assert timer.abstime == 0


def test_a_limit_set_inside_an_action_of_a_client_does_not_replace_what_that_raises(work_loop):
    def limit_and_fail():
        work_loop.set_maximum_lock_time(1, raises=True)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work_loop.run_action(limit_and_fail)
    work_loop.set_maximum_lock_time(0)
