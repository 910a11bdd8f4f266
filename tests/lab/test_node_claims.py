"""One interrupt, several who opened its device: only one gets it, and the others hear who has it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from uio_workloop import InterruptEventSource, NoResourcesError, PciDevice, UioDevice
from uio_workloop.testing.lab import guest

HOLD = """
import sys, uio_workloop
device = uio_workloop.find_device(sys.argv[1])
source = uio_workloop.InterruptEventSource(device, print)
print("has it", flush=True)
sys.stdin.read()
"""


def nothing(sender, count) -> None:
    """An action for sources that never come to one."""


def test_two_objects_on_one_node_cannot_both_have_its_interrupt(make_dummy, show):
    first = make_dummy().device
    with UioDevice.find("uio:uio_dummy.0") as second:
        with InterruptEventSource(first, nothing):
            with pytest.raises(NoResourcesError) as refused:
                InterruptEventSource(second, nothing)
            show(f"taken: {refused.value}")
            with pytest.raises(NoResourcesError):
                second.wait(0)
            assert second.event_count == 0  # looking is free
            assert second.map(0).read64(0x08) == 0
        InterruptEventSource(second, nothing).close()


def test_a_wait_is_a_claim_for_as_long_as_it_lasts(make_dummy):
    first = make_dummy().device
    with UioDevice.find("uio:uio_dummy.0") as second:
        for _ in range(3):
            assert first.wait(0) == second.wait(0) == 0


def test_a_card_and_its_uio_device_are_one_node(show):
    with PciDevice.find(guest.edu_addresses()[0]) as card, UioDevice.find(card.node) as device:
        with InterruptEventSource(card, nothing), pytest.raises(NoResourcesError) as refused:
            InterruptEventSource(device, nothing)
        show(f"taken: {refused.value}")
        InterruptEventSource(device, nothing).close()


def test_another_program_that_has_the_interrupt_is_named_until_it_dies(make_dummy, show):
    device = make_dummy().device
    words = [sys.executable, "-c", HOLD, "uio:uio_dummy.0"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"has it\n"
        with pytest.raises(NoResourcesError) as refused:
            InterruptEventSource(device, nothing)
        show(f"taken: {refused.value}")
        assert f"the interrupt of {device.node} is taken by process {other.pid} (python" in str(refused.value)
        other.kill()
    InterruptEventSource(device, nothing).close()


def test_closing_one_object_leaves_the_source_of_the_other_alone(make_dummy, work_loop, seen):
    dummy = make_dummy()
    source = InterruptEventSource(dummy.device, seen)
    work_loop.add_event_source(source)
    source.enable()
    UioDevice.find("uio:uio_dummy.0").close()
    dummy.cause()
    seen.wait_for_calls(1)
    assert not source.closed
