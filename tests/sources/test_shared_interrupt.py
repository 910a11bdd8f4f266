"""A shared line: refusals, and a device that leaves. That its clients are told right is in tests/conformance."""

from __future__ import annotations

import os
import threading

import pytest
from helpers import DEADLINE_S, Gatekeeper

from uio_workloop import (
    BadArgumentError,
    ClosedError,
    FilterInterruptEventSource,
    InterruptEventSource,
    NoInterruptError,
    NoResourcesError,
    NotAttachedError,
    SharedInterrupt,
    UsageError,
    WorkLoop,
)
from uio_workloop.testing import fence


def client_on(work_loop, shared, action):
    source = InterruptEventSource(shared, action)
    work_loop.add_event_source(source)
    return source


def test_when_the_device_leaves_each_client_delivers_what_it_has_and_is_terminated_once(work_loop, departing, seen):
    terminated: list[object] = []
    shared = SharedInterrupt(departing)
    work_loop.add_event_source(shared)
    clients = [client_on(work_loop, shared, seen) for _ in range(2)]
    for each in (*clients, shared):
        each.on_terminated = terminated.append
        each.enable()
    fence(work_loop)
    with work_loop.gate:  # the loop can drain, but not deliver
        departing.cause(3)
        while shared.interrupts == 0:
            os.sched_yield()
        departing.leave()
        work_loop.run_event_sources()

    assert seen.counts == [3, 3]
    assert terminated == [*clients, shared]
    assert work_loop.event_sources == ()
    assert departing.invalidated


def test_a_shared_line_takes_the_interrupt_for_itself(line, seen):
    taken = "the interrupt of line is taken by SharedInterrupt on line"
    with SharedInterrupt(line), pytest.raises(NoResourcesError, match=taken):
        InterruptEventSource(line, seen)
    InterruptEventSource(line, seen).close()


def test_it_has_one_interrupt_for_event_sources_while_it_is_open(line, seen):
    class Somebody:
        name = "somebody"

    shared = SharedInterrupt(line)
    with pytest.raises(NoInterruptError, match="its only interrupt has index 0"):
        InterruptEventSource(shared, seen, index=1)
    with pytest.raises(BadArgumentError, match=r"somebody cannot share .*: only an event source can"):
        shared.claim_interrupt(0, Somebody())
    shared.close()
    with pytest.raises(ClosedError, match="cannot claim the interrupt of SharedInterrupt on line: it is closed"):
        InterruptEventSource(shared, seen)


def test_a_client_is_enabled_only_on_the_loop_of_its_shared_line(work_loop, line, seen):
    shared = SharedInterrupt(line)
    client = client_on(work_loop, shared, seen)
    with pytest.raises(NotAttachedError, match="add SharedInterrupt on line to its work loop first"):
        client.enable()
    with WorkLoop("another") as another:
        another.add_event_source(shared)
        with pytest.raises(UsageError, match="it is not on work loop 'another', as SharedInterrupt on line is"):
            client.enable()
        another.remove_event_source(shared)

    work_loop.add_event_source(shared)
    shared.enable()  # as every source that was taken off a loop
    assert not client.enabled
    assert line.masked
    client.enable()
    line.cause()
    seen.wait_for_total(1)


def test_a_shared_line_that_is_disabled_silences_its_clients(work_loop, line, seen):
    shared = SharedInterrupt(line)
    work_loop.add_event_source(shared)
    client = client_on(work_loop, shared, seen)
    client.enable()
    shared.disable()
    assert line.masked
    line.cause(2)
    client.disable()
    client.enable()
    assert work_loop.run_event_sources()
    assert seen.calls == []
    assert line.masked
    shared.enable()
    seen.wait_for_total(2)
    fence(work_loop)
    assert not line.masked


@pytest.mark.parametrize("shared_first", [True, False])
def test_a_shared_line_is_open_again_after_all_were_disabled_and_enabled(work_loop, line, seen, shared_first):
    shared = SharedInterrupt(line)
    client = InterruptEventSource(shared, seen)
    for each in (shared, client) if shared_first else (client, shared):
        work_loop.add_event_source(each)
    client.enable()
    work_loop.disable_all_interrupts()
    assert line.masked
    work_loop.enable_all_interrupts()
    assert not line.masked


def test_a_line_is_opened_once_after_all_clients_said_no(work_loop):
    with Gatekeeper() as line, SharedInterrupt(line) as shared:
        work_loop.add_event_source(shared)
        for _ in range(2):
            client = FilterInterruptEventSource(shared, None, lambda sender: False)
            work_loop.add_event_source(client)
            client.enable()
        line.cause()
        fence(work_loop)
        assert (shared.spurious, line.masked, line.opened_again) == (1, False, 0)


def test_a_line_that_an_action_has_opened_is_not_opened_again_after_it(work_loop, seen):
    def enable_at_once(sender: InterruptEventSource, count: int) -> None:
        sender.enable()
        seen(sender, count)

    with Gatekeeper() as line, SharedInterrupt(line) as shared:
        work_loop.add_event_source(shared)
        client_on(work_loop, shared, enable_at_once).enable()
        line.cause()
        seen.wait_for_total(1)
        fence(work_loop)
        assert (line.masked, line.opened_again) == (False, 0)


def test_clients_that_finish_at_the_same_time_open_the_line_once(work_loop, threads_take_turns_often):
    finished, over = threading.Semaphore(0), threading.Event()

    def keep_looking() -> None:
        while not over.is_set():
            work_loop.run_event_sources()

    with Gatekeeper() as line, SharedInterrupt(line) as shared:
        work_loop.add_event_source(shared)
        clients = [FilterInterruptEventSource(shared, None, lambda sender: False) for _ in range(3)]
        clients.append(InterruptEventSource(shared, lambda sender, count: finished.release()))
        for each in clients:
            work_loop.add_event_source(each)
            each.enable()
        second = threading.Thread(target=keep_looking)
        second.start()
        for _ in range(500):
            while line.masked:
                os.sched_yield()
            line.cause()
            assert finished.acquire(timeout=DEADLINE_S)
        over.set()
        second.join()
        fence(work_loop)
        assert (line.masked, line.opened_again) == (False, 0)
