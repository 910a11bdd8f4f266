"""What a handler and a thread share, kept apart."""

from __future__ import annotations

import errno
import threading


class InterruptSpin:
    """A lock for a few lines that a handler and a thread must not run at once.

    Nobody spins and no processor's interrupts are off: user space cannot do that. Who holds it may mask and unmask, but
    must not detach, disable, enable or close a device: those wait for a handler, which may be waiting for the lock.

    QNX: struct intrspin.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: int | None = None

    def acquire(self) -> None:
        """Wait for it. Context, errors: see `interrupt_lock`."""
        me = threading.get_ident()
        if self._holder == me:
            raise OSError(errno.EDEADLK, "this thread holds the spin already, and it does not nest; unlock it first")
        self._lock.acquire()
        self._holder = me

    def release(self) -> None:
        """Let it go. Context, errors: see `interrupt_unlock`."""
        if self._holder != threading.get_ident():
            raise OSError(errno.EPERM, "this thread does not hold the spin; only who locked it can unlock it")
        self._holder = None
        self._lock.release()

    def __enter__(self) -> InterruptSpin:
        self.acquire()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()


def interrupt_lock(spin: InterruptSpin) -> None:
    """Keep everybody else who locks the spin out, handlers and threads.

    Context: any thread, also a handler; waits for the holder.
    Raises:
        TypeError: it is no spin.
        OSError: EDEADLK, the caller holds it; QNX hangs there.
    QNX: InterruptLock.
    """
    _checked(spin).acquire()


def interrupt_unlock(spin: InterruptSpin) -> None:
    """Let the others in.

    Context: who holds it.
    Raises:
        OSError: EPERM, the caller does not hold it.
    QNX: InterruptUnlock.
    """
    _checked(spin).release()


def _checked(spin: InterruptSpin) -> InterruptSpin:
    if not isinstance(spin, InterruptSpin):
        raise TypeError(f"{spin!r} is no spin; make an InterruptSpin() that handler and thread share")
    return spin
