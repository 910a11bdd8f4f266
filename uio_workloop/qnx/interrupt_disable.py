"""All interrupts of this process off, and on."""

from __future__ import annotations

from contextlib import ExitStack

from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.qnx.refusal import as_qnx_says_it
from uio_workloop.qnx.timer_timeout import disarm


def interrupt_disable() -> None:
    """Have nothing delivered in this process until `interrupt_enable`; what comes meanwhile waits in the kernel.

    It does not nest. Neither the hardware nor another process, nor an event source on a work loop of yours, is stopped.
    A spin (`interrupt_lock`) is nearly always what is wanted instead.

    Context: any thread; waits for a delivery that runs, except in a handler.
    Raises:
        OSError: EDEADLK, that delivery waits for a gate that the caller holds. What a line answers that is masked.
    QNX: InterruptDisable, which stops those of a processor.
    """
    _switch(disabled=True)


def interrupt_enable() -> None:
    """End what `interrupt_disable` has begun, however often it was called.

    Context: any thread; waits for a delivery that runs, except in a handler.
    Raises:
        OSError: EDEADLK, as there. What a line answers that is opened.
    QNX: InterruptEnable.
    """
    _switch(disabled=False)


def _switch(*, disabled: bool) -> None:
    disarm()
    with as_qnx_says_it():
        while (dispatcher := dispatching.switch_if_nothing_is_attached(off=disabled)) is not None:
            with dispatcher.delivering.own, dispatcher.loop.gate.own, ExitStack() as even_if_one_fails:
                dispatching.disabled = disabled
                for vector in dispatcher.vectors.values():
                    even_if_one_fails.callback(vector.follow)
            if dispatching.current() is dispatcher:  # else what is attached to the next may have missed it
                break
