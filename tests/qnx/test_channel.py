"""Pulses and the channel that queues them."""

from __future__ import annotations

import errno
import select
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import DEADLINE_S, Background
from qnx_rig import DEADLINE_NS, await_true

from uio_workloop.qnx import PULSE_PRIO_INHERIT, Channel


@pytest.fixture
def channel() -> Iterator[Channel]:
    with Channel() as channel:
        yield channel


def readable(channel: Channel) -> bool:
    return bool(select.select([channel], [], [], 0)[0])


def await_receivers(channel: Channel, n: int) -> None:
    """Until so many threads wait."""
    await_true(lambda: channel._receivers >= n, f"{n} threads that wait for a pulse")


@pytest.mark.qnx(72)
def test_the_most_urgent_pulse_is_received_first_and_equals_in_order_of_sending(channel):
    for priority, code in ((5, 0), (20, 1), (20, 2), (1, 3)):
        channel.send_pulse(priority, code)
    received = [channel.receive_pulse(0) for _ in range(4)]
    assert [(pulse.priority, pulse.code) for pulse in received] == [(20, 1), (20, 2), (5, 0), (1, 3)]


@pytest.mark.qnx(73)
def test_the_descriptor_is_readable_exactly_while_a_pulse_is_queued(channel):
    seen = [readable(channel)]
    for _ in range(2):
        channel.send_pulse(10, 1)
        seen.append(readable(channel))
    for _ in range(2):
        channel.receive_pulse(0)
        seen.append(readable(channel))
    assert seen == [False, True, True, True, False]


@pytest.mark.qnx(73)
def test_of_two_threads_that_want_one_pulse_one_gets_it_and_the_other_is_told_that_there_is_none(channel):
    start = threading.Barrier(2)

    def receive(_: int) -> int:
        start.wait(DEADLINE_S)
        try:
            return channel.receive_pulse(0).code
        except TimeoutError as error:
            return -error.errno

    channel.send_pulse(10, 7)
    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(receive, range(2))) == [-errno.ETIMEDOUT, 7]


def test_who_waits_gets_the_pulse_when_it_is_sent(channel):
    value = object()
    with ThreadPoolExecutor(1) as thread:
        received = thread.submit(channel.receive_pulse, DEADLINE_NS)
        await_receivers(channel, 1)
        channel.send_pulse(10, 1, value)
        assert received.result(DEADLINE_S).value is value


@pytest.mark.qnx(74)
def test_closing_the_channel_ends_the_wait_with_esrch_and_later_pulses_are_refused_with_ebadf(channel):
    with ThreadPoolExecutor(1) as thread:
        received = thread.submit(channel.receive_pulse, DEADLINE_NS)
        await_receivers(channel, 1)
        channel.close()
        with pytest.raises(ProcessLookupError) as gone:
            received.result(DEADLINE_S)
    with pytest.raises(OSError, match="closed") as refused:
        channel.send_pulse(10, 1)
    assert (gone.value.errno, refused.value.errno) == (errno.ESRCH, errno.EBADF)


def test_receiving_from_a_closed_channel_is_esrch_and_closing_twice_is_fine(channel):
    channel.send_pulse(10, 1)
    channel.close()
    channel.close()
    with pytest.raises(ProcessLookupError):
        channel.receive_pulse()


def test_a_wait_with_a_timeout_ends_after_it(channel):
    with pytest.raises(TimeoutError) as ended:
        channel.receive_pulse(10_000_000)
    assert ended.value.errno == errno.ETIMEDOUT


def test_a_full_channel_refuses_with_eagain_and_keeps_what_it_has():
    with Channel(maxsize=1) as channel:
        channel.send_pulse(10, 1)
        with pytest.raises(BlockingIOError) as full:
            channel.send_pulse(10, 2)
        assert full.value.errno == errno.EAGAIN
        assert channel.receive_pulse(0).code == 1


def test_priority_0_becomes_1_and_an_inherited_one_is_the_channels():
    with Channel(default_priority=33) as channel:
        channel.send_pulse(0, 0)
        channel.send_pulse(PULSE_PRIO_INHERIT, 0)
        assert [channel.receive_pulse(0).priority for _ in range(2)] == [33, 1]


@pytest.mark.parametrize(("priority", "code"), [(256, 0), (-2, 0), (10, 128), (10, -129)])
def test_what_does_not_fit_in_a_pulse_is_refused_with_einval(channel, priority, code):
    with pytest.raises(OSError, match="a pulse cannot") as refused:
        channel.send_pulse(priority, code)
    assert (refused.value.errno, readable(channel)) == (errno.EINVAL, False)


@pytest.mark.parametrize("settings", [{"maxsize": 0}, {"default_priority": 256}])
def test_a_channel_that_cannot_be_is_refused_with_einval(settings):
    with pytest.raises(OSError) as refused:  # noqa: PT011 - its errno is what counts
        Channel(**settings)
    assert refused.value.errno == errno.EINVAL


@pytest.mark.parametrize("timeout_ns", [-1, 0.5, float("nan")])
def test_a_timeout_that_cannot_be_is_refused_with_einval(channel, timeout_ns):
    with pytest.raises(OSError, match="cannot wait") as refused:
        channel.receive_pulse(timeout_ns)
    assert refused.value.errno == errno.EINVAL


def test_a_pulse_that_must_not_queue_is_dropped_unless_somebody_waits_for_it(channel):
    assert not channel.send_pulse_if_awaited(10, 1)
    with ThreadPoolExecutor(1) as thread:
        received = thread.submit(channel.receive_pulse, DEADLINE_NS)
        await_receivers(channel, 1)
        assert channel.send_pulse_if_awaited(10, 2)
        assert received.result(DEADLINE_S).code == 2


def test_who_has_stopped_waiting_is_no_receiver_of_a_pulse_that_must_not_queue(channel):
    with pytest.raises(TimeoutError):
        channel.receive_pulse(1_000_000)
    assert not channel.send_pulse_if_awaited(10, 1)


def test_of_pulses_that_must_not_queue_each_thread_that_waits_gets_one_and_the_rest_are_dropped(channel):
    with ThreadPoolExecutor(2) as threads:
        received = [threads.submit(channel.receive_pulse, DEADLINE_NS) for _ in range(2)]
        await_receivers(channel, 2)
        with channel._arrived:  # so that nobody takes one before all are sent
            sent = [channel.send_pulse_if_awaited(10, code) for code in range(3)]
        assert sent == [True, True, False]
        assert sorted(each.result(DEADLINE_S).code for each in received) == [0, 1]


def test_a_pulse_that_must_not_queue_is_dropped_if_those_that_are_queued_are_enough_for_who_waits(channel):
    with ThreadPoolExecutor(1) as thread:
        received = thread.submit(channel.receive_pulse, DEADLINE_NS)
        await_receivers(channel, 1)
        with channel._arrived:
            channel.send_pulse(10, 1)
            assert not channel.send_pulse_if_awaited(20, 2)
        assert received.result(DEADLINE_S).code == 1


@pytest.mark.qnx(74)
def test_closing_the_channel_ends_the_wait_of_everybody(channel):
    waiting = [Background(channel.receive_pulse, 2 * DEADLINE_NS) for _ in range(2)]
    await_receivers(channel, 2)
    channel.close()
    for each in waiting:
        with pytest.raises(ProcessLookupError):
            each.result()
