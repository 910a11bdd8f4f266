"""Processors kept awake for an expected interrupt; a plain file stands in for the device, which only root may open."""

from __future__ import annotations

import pytest
from helpers import attach

from uio_workloop import NotAttachedError, TimerEventSource
from uio_workloop._linux import scheduling
from uio_workloop.clock import SECOND_NS, Deadline, monotonic_ns
from uio_workloop.errors import BadArgumentError
from uio_workloop.sources import cpu_warmer
from uio_workloop.testing import fence
from uio_workloop.testing.leaks import open_descriptors

NO_LATENCY = bytes(4)


@pytest.fixture
def latency(tmp_path, monkeypatch):
    """What has been written to the device."""
    device = tmp_path / "cpu_dma_latency"
    device.touch()
    monkeypatch.setattr(scheduling, "CPU_DMA_LATENCY", str(device))
    return device


@pytest.fixture
def nothing_said_yet():
    cpu_warmer._say_once.cache_clear()
    yield
    cpu_warmer._say_once.cache_clear()


def held(device):
    return str(device) in open_descriptors().values()


def wait_until_warm(work_loop, device):
    deadline = Deadline.after(10 * SECOND_NS)
    while device.read_bytes() != NO_LATENCY:
        assert not deadline.expired, f"{device} holds {device.read_bytes()!r}"
        fence(work_loop)


def test_it_is_not_warm_long_before_the_expected_time(work_loop, line, seen, latency):
    source = attach(work_loop, line, seen)
    source.warm_cpu(monotonic_ns() + 3600 * SECOND_NS)
    fence(work_loop)
    assert latency.read_bytes() == b""


def test_it_is_warm_at_the_expected_time_until_the_interrupt_comes(work_loop, line, seen, latency, monkeypatch):
    monkeypatch.setattr(cpu_warmer, "BOUND_NS", 3600 * SECOND_NS)
    warm_in_action = []
    source = attach(work_loop, line, lambda sender, count: (warm_in_action.append(held(latency)), seen(sender, count)))
    source.warm_cpu(monotonic_ns())
    wait_until_warm(work_loop, latency)
    assert held(latency)

    line.cause()
    seen.wait_for_total(1)
    assert warm_in_action == [False]
    assert not held(latency)


def test_it_cools_by_itself_when_no_interrupt_comes(work_loop, line, seen, latency):
    source = attach(work_loop, line, seen)
    source.warm_cpu(1)  # long ago: the bound has passed, too
    wait_until_warm(work_loop, latency)
    deadline = Deadline.after(10 * SECOND_NS)
    while held(latency):
        assert not deadline.expired
        fence(work_loop)


def test_it_can_be_asked_again_and_the_later_time_counts(work_loop, line, seen, latency):
    source = attach(work_loop, line, seen)
    source.warm_cpu(monotonic_ns() + 3600 * SECOND_NS)
    source.warm_cpu(1)
    wait_until_warm(work_loop, latency)


@pytest.mark.parametrize(
    "leave", [lambda loop, source: source.close(), lambda loop, source: loop.remove_event_source(source)]
)
def test_a_source_that_goes_takes_its_request_along(work_loop, line, seen, latency, leave):
    source = attach(work_loop, line, seen)
    source.warm_cpu(monotonic_ns() + 3600 * SECOND_NS)
    assert held(latency)
    leave(work_loop, source)
    assert not held(latency)
    assert work_loop.event_sources == ()


def test_disabling_everything_lets_the_processors_sleep_and_it_can_be_asked_again(
    work_loop, line, seen, latency, monkeypatch
):
    monkeypatch.setattr(cpu_warmer, "BOUND_NS", 3600 * SECOND_NS)
    source = attach(work_loop, line, seen)
    source.warm_cpu(monotonic_ns())
    wait_until_warm(work_loop, latency)
    work_loop.disable_all_event_sources()
    assert not held(latency)

    latency.write_bytes(b"")
    source.enable()
    source.warm_cpu(monotonic_ns())
    wait_until_warm(work_loop, latency)


def test_without_permission_it_says_so_once_and_does_nothing(
    work_loop, line, seen, latency, caplog, monkeypatch, nothing_said_yet
):
    def refuse():
        raise PermissionError(13, "Permission denied", "/dev/cpu_dma_latency")

    monkeypatch.setattr(scheduling, "open_cpu_latency", refuse)  # root is refused nothing, so the kernel is not asked
    source = attach(work_loop, line, seen)
    for _ in range(3):
        source.warm_cpu(monotonic_ns() + 3600 * SECOND_NS)

    (said,) = (record.getMessage() for record in caplog.records)
    assert said == "warm_cpu does nothing: Permission denied: /dev/cpu_dma_latency; give this user write access to it"
    assert [each.abstime for each in work_loop.event_sources if isinstance(each, TimerEventSource)] == [0]
    line.cause()
    seen.wait_for_total(1)


def test_a_source_on_no_loop_and_a_time_that_is_none_are_refused(work_loop, line, seen, latency):
    source = attach(work_loop, line, seen)
    with pytest.raises(BadArgumentError, match=r"cannot arm warm-up for .* for 0 ns"):
        source.warm_cpu(0)
    assert not held(latency)
    work_loop.remove_event_source(source)
    with pytest.raises(NotAttachedError, match="add it to a work loop first"):
        source.warm_cpu(1)
