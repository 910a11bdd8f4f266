"""Interrupts of a UIO device: edge and level, with and without irqcontrol; nothing lost, nothing invented."""

from __future__ import annotations

import os
import random
import threading

import pytest
from helpers import DEADLINE_S, Background, attach
from lab_devices import Dummy

from uio_workloop import Deadline, Trigger
from uio_workloop.clock import monotonic_ns
from uio_workloop.testing import fence

PACED = 5_000
FREE = 100_000
MODULUS = 1 << 32

each_variant = pytest.mark.parametrize("trigger", Trigger)
each_driver = pytest.mark.parametrize("irqcontrol", [True, False], ids=["irqcontrol", "no irqcontrol"])


class Counter:
    """An action that acknowledges the device and adds up."""

    def __init__(self, dummy: Dummy) -> None:
        self._dummy = dummy
        self.delivered = 0
        self.calls = 0
        self.smallest = MODULUS
        self.acknowledged_ns = 0
        self.acknowledged = threading.Semaphore(0)

    def __call__(self, sender, count) -> None:
        self._dummy.acknowledge()
        self.acknowledged_ns = monotonic_ns()
        self.delivered += count
        self.calls += 1
        self.smallest = min(self.smallest, count)
        self.acknowledged.release()


def label(trigger: Trigger, irqcontrol: bool) -> str:
    return f"uio_dummy {trigger.value:5} {'with' if irqcontrol else 'without':7} irqcontrol"


@pytest.mark.timeout(300)
@each_driver
@each_variant
def test_paced_interrupts_are_delivered_one_by_one(make_dummy, work_loop, show, trigger, irqcontrol):
    dummy = make_dummy(trigger=trigger, irqcontrol=irqcontrol)
    seen = Counter(dummy)
    source = attach(work_loop, dummy.device, seen)

    for _ in range(PACED):
        dummy.cause()
        assert seen.acknowledged.acquire(timeout=DEADLINE_S), f"raise {dummy.raised} was not answered"
    fence(work_loop)

    show(f"{label(trigger, irqcontrol)}, paced: {dummy.raised:,} raised = {seen.delivered:,} delivered")
    assert source.trigger is trigger
    assert dummy.raised == seen.delivered == dummy.device.event_count == PACED


@pytest.mark.statement(45)
@pytest.mark.timeout(300)
@each_driver
@each_variant
def test_free_running_interrupts_add_up_to_the_kernels_count(make_dummy, work_loop, show, trigger, irqcontrol):
    dummy = make_dummy(trigger=trigger, irqcontrol=irqcontrol)
    seen = Counter(dummy)
    attach(work_loop, dummy.device, seen)
    rates = random.Random(2)

    def storm() -> None:
        left = FREE
        while left:
            n = min(left, rates.choice([1, 1, 1, 2, 5, 20, 100, 1000, 5000]))
            dummy.cause(n)
            left -= n

    Background(storm).result(timeout_s=200)
    deadline = Deadline.after(10 * 10**9)
    while (seen.delivered, seen.acknowledged_ns > dummy.last_raise_ns) != (dummy.device.event_count, True):
        assert not deadline.expired, f"{seen.delivered} delivered, the kernel counted {dummy.device.event_count}"
        fence(work_loop)

    kernel = dummy.device.event_count
    show(
        f"{label(trigger, irqcontrol)}, free:  {dummy.raised:,} raised, {kernel:,} accepted by the kernel = "
        f"{seen.delivered:,} delivered in {seen.calls:,} calls"
    )
    assert dummy.raised == FREE
    assert seen.delivered == kernel
    assert seen.acknowledged_ns >= dummy.last_raise_ns
    assert seen.smallest >= 1


@pytest.mark.statement(142)
def test_the_count_wraps_past_2_to_the_32(make_dummy, work_loop, show):
    first = MODULUS - 6
    dummy = make_dummy(first_event=first)
    assert dummy.device.event_count == first
    seen = Counter(dummy)
    source = attach(work_loop, dummy.device, seen)

    for _ in range(20):
        dummy.cause()
        assert seen.acknowledged.acquire(timeout=DEADLINE_S)

    show(f"wrap: kernel count {first:,} -> {dummy.device.event_count:,}, {seen.delivered} of 20 delivered")
    assert dummy.device.event_count == 14
    assert (seen.delivered, seen.smallest, source.statistics.interrupts) == (20, 1, 20)


@pytest.mark.statement(147)
def test_a_disabled_source_stays_silent_and_an_edge_meanwhile_is_delivered_afterwards(make_dummy, work_loop, seen):
    dummy = make_dummy(trigger=Trigger.EDGE)
    source = attach(work_loop, dummy.device, seen)
    source.disable()

    dummy.cause(5)
    fence(work_loop)
    assert seen.calls == []

    source.enable()
    seen.wait_for_calls(1)
    fence(work_loop)
    assert seen.counts == [1]  # the kernel latches one edge on a masked line


@pytest.mark.statement(143)
def test_a_disabled_source_on_a_line_that_cannot_be_masked_delivers_the_sum_afterwards(make_dummy, work_loop, seen):
    dummy = make_dummy(trigger=Trigger.EDGE, irqcontrol=False)
    source = attach(work_loop, dummy.device, seen)
    source.disable()

    for _ in range(5):
        dummy.cause()
    fence(work_loop)
    assert seen.calls == []

    source.enable()
    seen.wait_for_total(dummy.device.event_count)
    assert seen.counts == [dummy.device.event_count]


@pytest.mark.statement(61)
def test_a_level_line_that_is_not_acknowledged_interrupts_again(make_dummy, work_loop, seen):
    dummy = make_dummy(trigger=Trigger.LEVEL)

    def acknowledge_the_third_time(sender, count):
        seen(sender, count)
        if len(seen.calls) == 3:
            dummy.acknowledge()

    attach(work_loop, dummy.device, acknowledge_the_third_time)
    dummy.cause()
    seen.wait_for_calls(3)
    fence(work_loop)

    assert seen.counts == [1, 1, 1]


def test_a_pending_level_interrupt_is_delivered_once_when_its_source_is_enabled(make_dummy, work_loop, seen):
    dummy = make_dummy(trigger=Trigger.LEVEL)
    source = attach(work_loop, dummy.device, lambda sender, count: (dummy.acknowledge(), seen(sender, count)))
    with work_loop.gate:  # accepted, but not delivered
        dummy.cause()
        while dummy.device.event_count == 0:
            os.sched_yield()
        source.disable()
        source.enable()
    fence(work_loop)
    assert seen.counts == [1]
    assert dummy.device.event_count == 1


@pytest.mark.statement(141)
def test_what_came_before_the_source_was_enabled_first_unmasks_a_line_left_masked(make_dummy, work_loop, seen):
    dummy = make_dummy(trigger=Trigger.LEVEL)
    dummy.cause()  # nobody listens: the driver masks the line, the cause stays
    attach(work_loop, dummy.device, lambda sender, count: (dummy.acknowledge(), seen(sender, count)))

    seen.wait_for_calls(1)
    assert seen.counts == [1]


def test_waiting_without_a_loop_gives_the_interrupts_since_the_last_wait(make_dummy):
    dummy = make_dummy(trigger=Trigger.EDGE, irqcontrol=False)
    assert dummy.device.wait(0) == 0
    assert dummy.device.wait(1_000_000) == 0

    waiter = Background(dummy.device.wait, 10 * 10**9)
    dummy.cause()
    assert waiter.result() == 1

    dummy.cause(3)
    total = dummy.device.wait(10 * 10**9)
    while more := dummy.device.wait(50_000_000):  # the kernel's thread may count them one by one
        total += more
    assert 1 <= total <= 3
    assert dummy.device.event_count == 1 + total


def test_waiting_unmasks_only_when_the_caller_could_acknowledge(make_dummy):
    dummy = make_dummy(trigger=Trigger.LEVEL)
    for _ in range(3):
        dummy.cause()
        assert dummy.device.wait(10 * 10**9) == 1
        dummy.acknowledge()
    assert dummy.device.wait(0) == 0
    assert dummy.device.event_count == 3


@pytest.mark.statement(58)
@each_variant
def test_the_time_of_an_interrupt_lies_between_its_raise_and_its_action(make_dummy, work_loop, trigger):
    dummy = make_dummy(trigger=trigger)
    seen = Counter(dummy)
    source = attach(work_loop, dummy.device, seen)
    source.enable_primary_interrupt_timestamp(True)
    for _ in range(100):
        dummy.cause()
        assert seen.acknowledged.acquire(timeout=DEADLINE_S)
        assert dummy.last_raise_ns <= source.primary_interrupt_timestamp <= seen.acknowledged_ns


@pytest.mark.statement(147)
def test_however_many_edges_come_while_disabled_one_interrupt_follows_enable(make_dummy, work_loop, seen):
    dummy = make_dummy(trigger=Trigger.EDGE)
    source = attach(work_loop, dummy.device, seen)
    for turn in range(1, 6):
        source.disable()
        dummy.cause(10)
        source.enable()
        seen.wait_for_calls(turn)
        fence(work_loop)

    assert seen.counts == [1] * 5
