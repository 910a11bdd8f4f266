"""The IOKit contract, 151: several sources on one line, as IOSharedInterruptController has it."""

from __future__ import annotations

import threading

import pytest
from device_rigs import put_to_work
from helpers import DEADLINE_S, Stage

from uio_workloop import FilterInterruptEventSource, InterruptEventSource, SharedInterrupt
from uio_workloop.testing import fence


class Client:
    """A filter that gives one answer and an action, both counted; the first of them to be asked acknowledges."""

    def __init__(self, rig, answer=True, order=None):
        self._rig = rig
        self.answer = answer
        self.order = [] if order is None else order
        self.asked = 0
        self.counts = []
        self._delivered = threading.Semaphore(0)
        self.source = None

    def filter(self, sender):
        self._rig.acknowledge()
        self.asked += 1
        self.order.append(self)
        return self.answer

    def action(self, sender, count):
        self._rig.acknowledge()
        self.counts.append(count)
        self._delivered.release()

    def await_delivery(self):
        assert self._delivered.acquire(timeout=DEADLINE_S), "nothing was delivered"


@pytest.fixture
def shared(rig, work_loop):
    """The rig's line, shared, on the loop."""
    with SharedInterrupt(rig.provider) as sharing:
        work_loop.add_event_source(sharing)
        yield sharing


@pytest.fixture
def join(work_loop, shared):
    """Make a client of the shared line with a filter; enabled unless said otherwise."""

    def make(client, *, enabled=True):
        client.source = FilterInterruptEventSource(shared, client.action, client.filter)
        work_loop.add_event_source(client.source)
        if enabled:
            client.source.enable()
        return client

    return make


@pytest.mark.statement(151)
def test_every_enabled_client_is_asked_for_every_interrupt_in_order_of_creation(rig, work_loop, join):
    order = []
    clients = [join(Client(rig, order=order)) for _ in range(3)]
    for _ in range(2):
        rig.cause()
        for client in clients:
            client.await_delivery()
        fence(work_loop)

    assert order == clients * 2
    assert [client.counts for client in clients] == [[1, 1]] * 3


@pytest.mark.statement(151)
def test_only_those_whose_filter_says_so_get_an_action(rig, work_loop, join, shared):
    mine, other = join(Client(rig, True)), join(Client(rig, False))
    rig.cause()
    mine.await_delivery()
    fence(work_loop)

    assert (mine.counts, other.counts, other.asked) == ([1], [], 1)
    assert (mine.source.statistics.rejected, other.source.statistics.rejected) == (0, 1)
    assert shared.spurious == 0


@pytest.mark.statement(151)
def test_an_interrupt_that_nobody_wants_is_spurious_and_the_line_is_open_again(rig, work_loop, join, shared):
    clients = [join(Client(rig, False)), join(Client(rig, False))]
    for turn in range(1, 4):
        rig.burst(1)
        fence(work_loop)
        assert [client.asked for client in clients] == [turn, turn]
        assert shared.spurious == turn
        assert rig.seems_open()

    assert [client.counts for client in clients] == [[], []]


@pytest.mark.statement(151)
def test_the_line_is_open_only_when_every_registered_client_is_enabled(rig, work_loop, join):
    first = join(Client(rig))
    assert rig.seems_open()
    second = join(Client(rig), enabled=False)
    assert rig.seems_masked()
    rig.cause()
    fence(work_loop)
    assert (first.counts, second.counts) == ([], [])

    second.source.enable()
    first.await_delivery()
    second.await_delivery()
    fence(work_loop)
    assert rig.seems_open()

    first.source.disable()
    assert rig.seems_masked()


@pytest.mark.statement(151)
def test_a_client_that_leaves_no_longer_keeps_the_line_masked(rig, work_loop, join):
    first, second = join(Client(rig)), join(Client(rig), enabled=False)
    second.source.close()
    assert rig.seems_open()
    rig.cause()
    first.await_delivery()

    assert second.asked == 0


@pytest.mark.statement(151)
def test_a_level_line_stays_masked_until_every_clients_action_is_done(level_rig, work_loop):
    stage = Stage()
    masked = []
    with SharedInterrupt(level_rig.provider) as sharing:
        work_loop.add_event_source(sharing)

        def first_action(sender, count):
            level_rig.acknowledge()
            masked.append(level_rig.masked)

        def second_action(sender, count):
            masked.append(level_rig.masked)
            stage.hold()

        put_to_work(work_loop, InterruptEventSource(sharing, first_action))
        put_to_work(work_loop, InterruptEventSource(sharing, second_action))
        level_rig.cause()
        stage.await_reached()
        assert level_rig.masked
        stage.release()
        fence(work_loop)
        assert masked == [True, True]
        assert not level_rig.masked


@pytest.mark.statement(151)
def test_a_client_disabled_in_the_action_of_another_keeps_the_line_masked(rig, work_loop, shared, join):
    bystander = join(Client(rig, False))
    acted = threading.Semaphore(0)
    put_to_work(
        work_loop,
        InterruptEventSource(
            shared, lambda sender, count: (rig.acknowledge(), bystander.source.disable(), acted.release())
        ),
    )
    rig.cause()
    assert acted.acquire(timeout=DEADLINE_S)
    fence(work_loop)
    assert rig.seems_masked()

    bystander.source.enable()
    fence(work_loop)
    assert rig.seems_open()


@pytest.mark.statement(151)
def test_a_client_that_swallows_its_interrupt_does_not_keep_the_line_masked(rig, work_loop, shared, join):
    class Deaf(InterruptEventSource):
        def normal_interrupt_occurred(self, provider, source, n):
            rig.acknowledge()

        disable_interrupt_occurred = normal_interrupt_occurred

    put_to_work(work_loop, Deaf(shared, lambda sender, count: None))
    other = join(Client(rig))
    for _ in range(2):
        rig.cause()
        other.await_delivery()
        fence(work_loop)
        assert rig.seems_open()


@pytest.mark.statement(151)
def test_sources_without_a_filter_each_get_every_interrupt(rig, work_loop, shared):
    clients = [Client(rig), Client(rig)]
    for client in clients:
        put_to_work(work_loop, InterruptEventSource(shared, client.action))
    for _ in range(3):
        rig.cause()
        for client in clients:
            client.await_delivery()
        fence(work_loop)

    assert [client.counts for client in clients] == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.statement(151)
def test_a_shared_line_that_is_closed_closes_its_clients(rig, work_loop, join, shared):
    clients = [join(Client(rig)), join(Client(rig))]
    shared.close()

    assert [client.source.closed for client in clients] == [True, True]
    assert work_loop.event_sources == ()
    assert rig.seems_masked()
