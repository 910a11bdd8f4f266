"""The claim to an interrupt, held against other objects and other programs on the same node, too."""

from __future__ import annotations

import fcntl
import os
import threading

from uio_workloop._linux import usage
from uio_workloop.errors import NoResourcesError
from uio_workloop.interrupts.claim import Claim, Claimant


class NodeClaim(Claim):
    """A claim that is also a lock on the device's node.

    The kernel has one mask for all who opened the node: a second claimant would unmask under the first one. A lock of
    flock(2) belongs to what open() returned, so that it tells apart two objects of one program as well as two programs,
    and the kernel takes it from a program that dies. Two nodes made for one device do not know of each other.

    Args:
        provider: for messages.
        fd: of the node; lent.
    """

    __slots__ = ("_fd", "_fd_lock")

    def __init__(self, provider: str, fd: int) -> None:
        super().__init__(provider)
        self._fd = fd
        self._fd_lock = threading.Lock()  # the number of a closed descriptor may be another file's

    def take(self, index: int, claimant: Claimant) -> None:
        """See `Claim.take`.

        Raises:
            NoResourcesError: as there, or somebody has it by another way; the sentence says who.
        """
        super().take(index, claimant)
        try:
            self._flock(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._other_holder()
            super().give_back()
            raise NoResourcesError(
                f"the interrupt of {self._provider} is taken by {holder}; close that first"
            ) from None
        except BaseException:
            super().give_back()
            raise

    def give_back(self) -> None:
        self._flock(fcntl.LOCK_UN)
        super().give_back()

    def forget_descriptor(self) -> None:
        """The descriptor is about to be closed, and the lock with it."""
        with self._fd_lock:
            self._fd = -1

    def _flock(self, operation: int) -> None:
        with self._fd_lock:
            if self._fd >= 0:
                fcntl.flock(self._fd, operation)

    def _other_holder(self) -> str:
        pid = usage.lock_holder(self._fd)
        if pid is None:
            return "another program"
        if pid == os.getpid():
            return "another object of this program that opened the same device"
        return f"process {pid} ({usage.process_name(pid)})"
