"""What one thread is told, and the notice of its end."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from contextlib import suppress

from uio_workloop.clock import Deadline
from uio_workloop.qnx.bell import Bell, bell_for


class ThreadRecord:
    """The flags of one thread that waits for interrupts: set by delivery, taken by its wait.

    A flag is no counter: who is told twice before he waits is told once.

    Context: any thread, unless a method says otherwise.
    QNX: the pending flag behind STATE_INTR, by attachment.
    """

    def __init__(self) -> None:
        self.native_id = threading.get_native_id()
        self.ended = False
        """The thread is no more."""
        self.on_end: Callable[[ThreadRecord], None] | None = None
        """Called in the dying thread, where nothing may wait and no lock be taken."""
        self.armed: tuple[int, int] | None = None
        """The states and the length of a timeout for the next call."""
        self._lock = threading.Lock()
        self._bell: Bell | None = None
        """Of the thread that waits, until it is rung."""
        self._attached: set[int] = set()
        self._pending: dict[int, None] = {}
        self._left: set[int] = set()  # attachments whose device is gone
        self._to_unmask: set[int] = set()

    def attach(self, id: int, *, masked: bool) -> None:  # noqa: A002 - QNX's word
        """From now on the thread may wait for this attachment.

        Args:
            masked: it begins with a mask, which the first wait that unmasks is to release.
        """
        with self._lock:
            self._attached.add(id)
            if masked:
                self._to_unmask.add(id)

    def detach(self, id: int) -> None:  # noqa: A002 - QNX's word
        """The attachment is no more; who waits for nothing else is refused."""
        with self._lock:
            self._attached.discard(id)
            self._pending.pop(id, None)
            self._left.discard(id)
            self._to_unmask.discard(id)
            self._ring()

    def tell(self, id: int) -> bool:  # noqa: A002 - QNX's word
        """Set the flag and wake the thread; false if it has ended."""
        if self.ended:
            return False
        with self._lock:
            self._pending[id] = None
            self._ring()
        return True

    def device_left(self, id: int) -> None:  # noqa: A002 - QNX's word
        """No more interrupts will come of this attachment."""
        with self._lock:
            if id in self._attached:
                self._left.add(id)
                self._ring()

    def unmasked(self, id: int) -> None:  # noqa: A002 - QNX's word
        """Somebody has released what the wait would have."""
        with self._lock:
            self._to_unmask.discard(id)

    def to_unmask(self) -> tuple[int, ...]:
        """The attachments that the wait is to unmask: those handed out by the last one. See `unmasked`."""
        with self._lock:
            return tuple(sorted(self._to_unmask))

    def wait(self, deadline: Deadline | None, *, restart: bool) -> tuple[int, ...]:
        """Wait until an attachment of this thread has fired; which, in order of firing.

        Args:
            restart: go on waiting after a signal whose handler has returned.

        Context: the record's own thread; waits.
        Raises:
            OSError: EPERM, it has no attachment to wait for. ESRCH, the last one was detached meanwhile. ENODEV, the
                device of one has left. ETIMEDOUT. EINTR, a signal was handled.
        """
        if not self._attached:
            raise OSError(
                errno.EPERM, "this thread has nothing to wait for: attach SigevIntr() in the very thread that waits"
            )
        bell: Bell | None = None
        try:
            while True:
                with self._lock:
                    if ids := self._take(deadline):
                        return ids
                    bell = self._bell = bell or bell_for(restart=restart)
                bell.wait(deadline)
        finally:
            if bell is not None:
                with self._lock:
                    self._bell = None
                bell.close()

    def _take(self, deadline: Deadline | None) -> tuple[int, ...]:
        """What has fired, which is not pending any more then; nothing if it is worth waiting. Context: lock held."""
        if not self._pending:
            if self._left:
                raise OSError(errno.ENODEV, f"the device of attachment {min(self._left)} left or was closed; detach")
            if not self._attached:
                raise OSError(errno.ESRCH, "the attachment this thread waited for was detached")
            if deadline is not None and deadline.expired:
                raise OSError(errno.ETIMEDOUT, "no interrupt came in time")
        ids = tuple(self._pending)
        self._pending.clear()
        self._to_unmask.update(ids)
        return ids

    def _ring(self) -> None:
        """There is news. Context: lock held."""
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.ring()

    def end(self) -> None:
        """The thread ends. Context: its finalizer."""
        self.ended = True
        if self.on_end is not None:
            self.on_end(self)


class _Tenant:
    """Lives in the thread's own storage, which the interpreter clears in the dying thread, before join() returns."""

    def __init__(self, record: ThreadRecord) -> None:
        self.record = record
        self._process = os.getpid()

    def __del__(self) -> None:
        with suppress(Exception):  # at interpreter exit half of everything is gone
            if os.getpid() == self._process:  # a child clears what its parent's threads had, with their locks held
                self.record.end()


_storage = threading.local()


def my_record() -> ThreadRecord:
    """The record of the calling thread."""
    tenant: _Tenant | None = getattr(_storage, "tenant", None)
    if tenant is None:
        tenant = _storage.tenant = _Tenant(ThreadRecord())
    return tenant.record


def forget_mine() -> None:
    """In the child of a fork: what the thread was told belongs to the parent."""
    _storage.__dict__.clear()
