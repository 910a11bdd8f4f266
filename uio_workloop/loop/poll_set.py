"""The epoll set of a loop, and the eventfd that wakes it."""

from __future__ import annotations

import errno
import os
import select
from contextlib import suppress
from threading import RLock
from typing import Final

from uio_workloop.errors import BadArgumentError

READABLE: Final = select.EPOLLIN
DEPARTURE: Final = select.EPOLLERR | select.EPOLLHUP
# epoll reports EPOLLERR and EPOLLHUP whether asked for or not; edge-triggered, so that a disabled source on a pipe that
# was hung up is reported once instead of spinning.
DEPARTURES_ONLY: Final = select.EPOLLET


class PollSet:
    """Which descriptors are ready.

    Context: `wait` belongs to the loop (and to clients that run its sources); the rest is for any thread.
    Source: epoll(7), eventfd(2).
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake_fd, READABLE)
        # Keeps close() from pulling the descriptor from under wake(); recursive, because a signal handler may call
        # wake() in the middle of wake().
        self._wake_lock = RLock()
        self._awake = False
        self._watched: dict[int, int] = {}  # what for, by descriptor
        self.wait = self._epoll.poll  # bound once: this is the hot path

    def add(self, fd: int, events: int, name: str) -> None:
        """Watch `fd`, for input or for departures only.

        Raises:
            BadArgumentError: it is in the set already, or is nothing that can be polled.
        """
        try:
            self._epoll.register(fd, events)
        except OSError as error:
            reasons = {
                errno.EEXIST: "another source on this loop has the same descriptor",
                errno.EPERM: "its descriptor is a plain file, which cannot be polled",
                errno.EBADF: "its descriptor is closed",
            }
            reason = reasons.get(error.errno or 0, error.strerror)
            raise BadArgumentError(f"cannot watch {name}: {reason}") from error
        self._watched[fd] = events

    def watch(self, fd: int, events: int) -> None:
        """Watch `fd` for this from now on."""
        if self._watched.get(fd) != events:
            self._watched[fd] = events
            with suppress(OSError):  # closed by its owner: a source has to be able to be disabled all the same
                self._epoll.modify(fd, events)

    def remove(self, fd: int) -> None:
        self._watched.pop(fd, None)
        with suppress(OSError):  # closed by its owner already: epoll has forgotten it by itself
            self._epoll.unregister(fd)

    def wake(self) -> None:
        """Make the next or present wait return; wake-ups coalesce.

        Whoever calls has queued his work before. The waiter clears `_awake` before it looks at the queue, so that a
        wake-up skipped here is one whose work will be seen.
        """
        if self._awake:
            return
        with self._wake_lock:
            if not self._epoll.closed:
                self._awake = True
                os.eventfd_write(self._wake_fd, 1)

    def acknowledge_wake(self, fd: int) -> None:
        """If `fd` is the wake-up, silence it."""
        if fd == self._wake_fd:
            try:
                with suppress(BlockingIOError):  # a client that ran the sources was quicker
                    os.eventfd_read(fd)
            finally:  # even if a client is interrupted here: a wake-up that is skipped for ever hangs everybody
                self._awake = False

    def abandon(self) -> None:
        """Close what came along into the child of a fork; the parent's set is left alone."""
        self._wake_lock = RLock()  # a thread that the child does not have may hold the old one
        self.close()

    def close(self) -> None:
        """Close both descriptors; twice is fine."""
        with self._wake_lock:
            if not self._epoll.closed:
                self._epoll.close()
                os.close(self._wake_fd)
