"""Children that die with us, also when we die of SIGKILL and can do nothing about it any more."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tied_to_this_process() -> Callable[[], None]:
    """A `preexec_fn` that has the kernel kill the child when the thread that started it ends.

    Start such a child from a thread that lives as long as the child may. Everything the new process calls is
    looked up here, before the fork.
    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the request: no signal would ever come
            os._exit(1)

    return tie
