"""Timeouts armed before the call that they end."""

from __future__ import annotations

import errno

import pytest
from qnx_rig import errno_of, fire

from uio_workloop.qnx import (
    Channel,
    SigevIntr,
    TimeoutState,
    interrupt_mask,
    interrupt_unmask,
    interrupt_wait,
    timer_timeout,
)
from uio_workloop.qnx.thread_record import my_record


@pytest.mark.qnx(64)
def test_an_armed_timeout_ends_the_wait_and_then_is_over(rig, attached):
    attached.event(rig.provider, SigevIntr())
    timer_timeout(TimeoutState.INTR, 10_000_000)
    assert errno_of(interrupt_wait) == errno.ETIMEDOUT
    assert my_record().armed is None


@pytest.mark.qnx(65)
@pytest.mark.parametrize("call", [interrupt_mask, interrupt_unmask])
def test_an_armed_timeout_is_over_after_any_other_call(rig, attached, call):
    id = attached.event(rig.provider, SigevIntr())  # noqa: A001
    fire(rig)
    interrupt_wait()
    interrupt_mask(rig.provider, id)
    timer_timeout(TimeoutState.INTR | TimeoutState.RECEIVE, 0)
    call(rig.provider, id)
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
