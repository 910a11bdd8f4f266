"""Timeouts armed before the call that they end."""

from __future__ import annotations

import errno
import signal
from contextlib import suppress

import pytest
from qnx_rig import TRACKED, errno_of, fire

from uio_workloop.clock import monotonic_ns
from uio_workloop.qnx import (
    Channel,
    IntrFlags,
    SigevIntr,
    SignalReceiver,
    TimeoutState,
    interrupt_attach,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_disable,
    interrupt_enable,
    interrupt_info,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unmask,
    interrupt_wait,
    timer_timeout,
)
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.qnx.thread_record import my_record

BOTH = TimeoutState.INTR | TimeoutState.RECEIVE


@pytest.mark.qnx(64)
def test_an_armed_timeout_ends_the_wait_and_then_is_over(rig, attached):
    attached.event(rig.provider, SigevIntr())
    timer_timeout(TimeoutState.INTR, 10_000_000)
    begin_ns = monotonic_ns()
    assert errno_of(interrupt_wait) == errno.ETIMEDOUT
    assert monotonic_ns() - begin_ns >= 10_000_000
    assert my_record().armed is None


def receive_a_signal(intr, id):  # noqa: A002 - QNX's word
    with SignalReceiver([signal.SIGRTMIN + 5]) as receiver, suppress(TimeoutError):
        timer_timeout(BOTH, 0)
        receiver.receive(0)


def send_a_pulse(intr, id):  # noqa: A002 - QNX's word
    with Channel() as channel:
        channel.send_pulse(1, 1)


CALLS = {
    "mask": interrupt_mask,
    "unmask": interrupt_unmask,
    "mask count": interrupt_mask_count,
    "info": lambda intr, id: interrupt_info(id),  # noqa: A006 - QNX's word
    "attach an event": lambda intr, id: interrupt_attach_event(intr, SigevIntr()),  # noqa: A006 - QNX's word
    "attach a handler": lambda intr, id: interrupt_attach(intr, print),  # noqa: A006 - QNX's word
    "detach": lambda intr, id: interrupt_detach(id),  # noqa: A006 - QNX's word
    "disable": lambda intr, id: interrupt_disable(),  # noqa: A006 - QNX's word
    "enable": lambda intr, id: interrupt_enable(),  # noqa: A006 - QNX's word
    "send a pulse": send_a_pulse,
    "receive a signal": receive_a_signal,
}


@pytest.mark.qnx(65)
@pytest.mark.parametrize("call", CALLS)
def test_an_armed_timeout_is_over_after_any_other_call(attached, lines, call):
    id = attached.event(lines[0], SigevIntr(), TRACKED | IntrFlags.NO_UNMASK)  # noqa: A001 - QNX's word
    attached.event(lines[0], SigevIntr())
    before = set(dispatching.current().attachments)
    timer_timeout(BOTH, 0)
    CALLS[call](lines[0], id)
    armed = my_record().armed
    interrupt_enable()
    attached.ids += set(dispatching.current().attachments) - before
    assert armed is None


@pytest.mark.qnx(65)
@pytest.mark.parametrize("call", ["mask", "attach an event", "detach"])
def test_an_armed_timeout_is_over_after_a_call_that_is_refused(attached, lines, call):
    attached.event(lines[0], SigevIntr())
    timer_timeout(BOTH, 0)
    with pytest.raises((OSError, TypeError)):
        CALLS[call](None, 1_000_000)
    assert my_record().armed is None


def test_a_timeout_for_one_state_does_not_end_another_wait(rig, attached):
    attached.event(rig.provider, SigevIntr())
    with Channel() as channel:
        timer_timeout(TimeoutState.RECEIVE, 0)
        assert errno_of(channel.receive_pulse) == errno.ETIMEDOUT
        timer_timeout(TimeoutState.RECEIVE, 0)
        fire(rig)
        assert interrupt_wait() == (attached.ids[0],)


@pytest.mark.parametrize(("states", "timeout_ns"), [(0, 1), (8, 1), (TimeoutState.INTR, -1)])
def test_a_timeout_that_cannot_be_is_einval(states, timeout_ns):
    assert errno_of(timer_timeout, states, timeout_ns) == errno.EINVAL


@pytest.mark.parametrize("states", ["1", 1.5, float("nan")])
def test_a_state_that_is_no_number_is_a_type_error(states):
    with pytest.raises(TypeError):
        timer_timeout(states, 1)
