"""The life of a driver on a device: its states, and the one table of what leads from one to the next. Pure."""

from __future__ import annotations

import enum
from typing import Final

from uio_workloop.errors import LifecycleError


class State(enum.Enum):
    """Where a driver is in its life on one device. A driver that comes back with its device is a new one."""

    ATTACHED = "attached"
    """It has its work loop, command gate and log, and has not looked at the device."""
    PROBED = "probed"
    """It has said how well it fits."""
    STARTING = "starting"
    STARTED = "started"
    STOPPING = "stopping"
    STOPPED = "stopped"
    """It never started, or is done; everything it acquired is released."""
    GONE = "gone"


# ATTACHED -probe-> PROBED -start-> STARTING -succeed-> STARTED -stop-> STOPPING -end-> STOPPED -detach-> GONE
#     |               |                |                                                   ^
#     |               |                +---------------------- fail ----------------------+
#     +---------------+-- detach --> GONE: it does not fit, or another fits better
TRANSITIONS: Final = {
    (State.ATTACHED, "probe"): State.PROBED,
    (State.ATTACHED, "detach"): State.GONE,
    (State.PROBED, "start"): State.STARTING,
    (State.PROBED, "detach"): State.GONE,
    (State.STARTING, "succeed"): State.STARTED,
    (State.STARTING, "fail"): State.STOPPED,
    (State.STARTED, "stop"): State.STOPPING,
    (State.STOPPING, "end"): State.STOPPED,
    (State.STOPPED, "detach"): State.GONE,
}


def next_state(state: State, step: str, who: str = "a driver") -> State:
    """The state that `step` leads to.

    Raises:
        LifecycleError: it leads nowhere from `state`.
    """
    if (state, step) not in TRANSITIONS:
        following = " or ".join(each for before, each in TRANSITIONS if before is state) or "nothing; a new one is made"
        raise LifecycleError(f"cannot {step} {who}: it is {state.value}, and what can follow is {following}")
    return TRANSITIONS[state, step]
