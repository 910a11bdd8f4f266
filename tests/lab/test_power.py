"""What is asked of power management, as the kernel sees it."""

from __future__ import annotations

import struct

from helpers import attach

from uio_workloop import Trigger
from uio_workloop.clock import SECOND_NS, Deadline, monotonic_ns
from uio_workloop.sources import cpu_warmer
from uio_workloop.testing import fence


def wake_up_latency_us() -> int:
    """The strictest of all requests there are. Source: pm_qos_interface.rst."""
    with open("/dev/cpu_dma_latency", "rb") as file:
        return struct.unpack("=i", file.read(4))[0]


def test_processors_are_kept_awake_until_the_expected_interrupt_came(make_dummy, work_loop, seen, monkeypatch, show):
    monkeypatch.setattr(cpu_warmer, "BOUND_NS", 3600 * SECOND_NS)
    dummy = make_dummy(trigger=Trigger.EDGE)
    source = attach(work_loop, dummy.device, seen)
    before_us = wake_up_latency_us()
    source.warm_cpu(monotonic_ns())
    deadline = Deadline.after(10 * SECOND_NS)
    while wake_up_latency_us() != 0:
        assert not deadline.expired, f"the kernel allows {wake_up_latency_us()} us"
        fence(work_loop)

    dummy.cause()
    seen.wait_for_total(1)
    assert wake_up_latency_us() == before_us > 0
    show(f"warm_cpu: {before_us:,} us of wake-up latency allowed, 0 us while warm, {before_us:,} us afterwards")
