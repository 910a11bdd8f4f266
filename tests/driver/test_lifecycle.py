"""The life of a driver: what may follow what."""

from __future__ import annotations

import pytest

from uio_workloop import LifecycleError, UsageError
from uio_workloop.driver.lifecycle import TRANSITIONS, State, next_state

STEPS = sorted({step for _, step in TRANSITIONS})


def walk(*steps: str) -> State:
    state = State.ATTACHED
    for step in steps:
        state = next_state(state, step)
    return state


def test_a_driver_that_is_started_and_stopped_ends():
    assert walk("probe", "start", "succeed", "stop", "end", "detach") is State.GONE


def test_a_driver_whose_start_fails_is_stopped_without_having_been_started():
    assert walk("probe", "start", "fail") is State.STOPPED
    assert walk("probe", "start", "fail", "detach") is State.GONE


@pytest.mark.parametrize("steps", [(), ("probe",)])
def test_a_driver_that_does_not_get_the_device_goes_without_a_start(steps):
    assert walk(*steps, "detach") is State.GONE


@pytest.mark.parametrize(("state", "step"), [(s, t) for s in State for t in STEPS if (s, t) not in TRANSITIONS])
def test_every_other_step_is_refused_with_driver_and_state_named(state, step):
    with pytest.raises(LifecycleError, match=f"^cannot {step} EduDriver on 0000:00:04.0: it is {state.value}, and "):
        next_state(state, step, "EduDriver on 0000:00:04.0")


def test_every_state_can_be_reached_and_only_the_last_one_is_an_end():
    assert set(TRANSITIONS.values()) | {State.ATTACHED} == set(State)
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.GONE}


def test_a_step_out_of_order_is_the_programs_fault():
    assert issubclass(LifecycleError, UsageError)
