"""Who holds the gate for too long."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import traceback
from collections.abc import Callable
from typing import Final

from uio_workloop.errors import BadArgumentError, HoldTimeError

HERE: Final = os.path.dirname(__file__)
LETTING_GO: Final = {contextlib.__file__, __file__, f"{HERE}/gate.py", f"{HERE}/gate_lock.py"}

log = logging.getLogger("uio_workloop")


class HoldTimeRule:
    """A hold of the gate that lasts strictly longer than `limit_ns` is reported once, with the stack of the holder.

    Args:
        limit_ns: 0 switches the rule off.
        raises: HoldTimeError in the holder instead of a warning in the log.
        serving: what the calling thread is doing if it is the loop's, which has nobody to raise to; None elsewhere.

    IOKit: IOWorkLoop::setMaximumLockTime with kTimeLockPanics.
    """

    def __init__(self, limit_ns: int, raises: bool, serving: Callable[[], str | None]) -> None:
        if not isinstance(limit_ns, int) or limit_ns < 0:
            raise BadArgumentError(
                f"cannot set a maximum lock time of {limit_ns!r} ns: it is a whole number, 0 (off) or more"
            )
        self.limit_ns = limit_ns
        self._raises = raises
        self._serving = serving

    def report(self, gate: str, held_ns: int, may_raise: bool) -> None:
        """Say that the calling thread has just let go after `held_ns`.

        Args:
            may_raise: no exception is on its way through the holder already, and it is not this package itself.

        Raises:
            HoldTimeError: if asked for, and there is somebody to raise to.
        """
        serving = self._serving()
        message = (
            f"the gate of {gate!r} was held for {held_ns:,} ns, {self.limit_ns:,} ns at most were asked for, by "
            f"thread {threading.current_thread().name!r}{serving or ''}; it let go at:\n" + _stack_of_holder()
        )
        if self._raises and may_raise and serving is None:
            raise HoldTimeError(message)
        log.warning("%s", message)


def _stack_of_holder() -> str:
    """The stack of the caller, without the innermost frames, which only let go."""
    frames = traceback.extract_stack()
    while frames and frames[-1].filename in LETTING_GO:
        frames.pop()
    return "".join(frames.format())
