"""The hidden work loop that all attachments of a process are on, and the table of their ids.

Theory of operation
-------------------
The loop is there while an attachment is: the first one makes it, the last one that goes closes it. Its gate protects
lists and counts: attaching, detaching, masking and unmasking are serial under it. A delivery gives it up, and holds a
gate of its own instead, which whoever detaches takes first. Beside them there is only a lock for the moment in which
the loop is made or let go, under which nothing waits.

Lock order: delivering, then the gate.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import signal
import threading
from collections import deque
from collections.abc import Hashable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from uio_workloop.clock import SECOND_NS, Deadline
from uio_workloop.errors import NotAttachedError, WorkLoopError
from uio_workloop.loop.event_source import EventSource
from uio_workloop.loop.gate import Gate
from uio_workloop.loop.work_loop import WorkLoop
from uio_workloop.qnx import blocking, thread_record
from uio_workloop.qnx.thread_record import ThreadRecord

if TYPE_CHECKING:
    from uio_workloop.qnx.attachment import Attachment
    from uio_workloop.qnx.vector import Vector

log = logging.getLogger("uio_workloop")

MOST_ATTACHMENTS = 4096
_FOR_PROGRAMS: Final = {signal.SIGUSR1, signal.SIGUSR2, *range(signal.SIGRTMIN, signal.SIGRTMAX + 1)}


class Dispatcher:
    """One life of the hidden loop. Context: its gate held, unless a method says otherwise."""

    def __init__(self) -> None:
        self.users = 0
        """Attachments, and calls that may become one."""
        self.vectors: dict[Hashable, Vector] = {}
        self.attachments: dict[int, Attachment] = {}
        self.delivering: Final = Gate("deliveries")
        """Held while somebody is told."""
        self.loop: Final = WorkLoop("qnx interrupts", thread_setup=self._set_up_thread)
        self.ends: Final = ThreadEnds(self)
        self.loop.add_event_source(self.ends)

    def _set_up_thread(self) -> None:
        # A signal for the process goes to any thread that does not block it, and would end the process here.
        signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_PROGRAMS)
        self.thread = threading.get_ident()
        blocking.may_not_wait(self.thread)


class ThreadEnds(EventSource):
    """Has the attachments of a thread detached once it has ended."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(name="ends of threads")
        self._dispatcher = dispatcher
        self._ended: deque[ThreadRecord] = deque()

    def put(self, record: ThreadRecord) -> None:
        """A thread ends. Context: its finalizer; never waits."""
        self._ended.append(record)
        with suppress(NotAttachedError):  # the loop is closed: nothing is attached any more
            self.signal_work_available()

    def check_for_work(self) -> bool:
        self.bury()
        return False

    def bury(self) -> None:
        """Detach what threads that have ended left behind. Context: gate held."""
        if not self._ended:
            return
        self._ended.clear()
        for attachment in tuple(self._dispatcher.attachments.values()):
            if attachment.thread.ended and not attachment.for_process:
                try:
                    attachment.vector.remove(attachment)
                except Exception:  # a line that refuses; the others go all the same
                    log.exception("%s: the line refused as an attachment ended with its thread", attachment.vector.name)
                finally:
                    let_go(self._dispatcher)


_making = threading.Lock()
_current: Dispatcher | None = None
_ids = itertools.count(1)
_first_own_id = 1
disabled = False
"""Nothing is to be delivered in this process. See `interrupt_disable`."""


def hold() -> Dispatcher:
    """The dispatcher, made if need be; it stays until `let_go`.

    Context: any thread, gate open.
    Raises:
        OSError: EAGAIN, there are as many attachments as there can be, or no thread or descriptor is left.
    """
    global _current
    with _making:
        if _current is None:
            try:
                _current = Dispatcher()
            except (OSError, RuntimeError) as error:
                raise OSError(errno.EAGAIN, f"cannot attach: {error}; close what is not needed") from error
        if _current.users >= MOST_ATTACHMENTS:
            raise OSError(errno.EAGAIN, f"cannot attach: there are {MOST_ATTACHMENTS} attachments; detach one")
        _current.users += 1
        return _current


def let_go(dispatcher: Dispatcher) -> None:
    """Undo one `hold`; the last one closes the loop. Context: any thread, gate held or open."""
    global _current
    with _making:
        dispatcher.users -= 1
        if dispatcher.users:
            return
        if _current is dispatcher:
            _current = None
    blocking.may_wait_again(dispatcher.thread)
    dispatcher.loop.close()


def current() -> Dispatcher | None:
    """The dispatcher, if anything is attached. Context: any thread."""
    return _current


def switch_if_nothing_is_attached(*, off: bool) -> Dispatcher | None:
    """Set `disabled`; or return the dispatcher, under whose gates it has to be done. Context: any thread."""
    global disabled
    with _making:
        if _current is None:
            disabled = off
        return _current


def thread_ended(record: ThreadRecord) -> None:
    """A thread that has attached something ends. Context: its finalizer; takes no lock."""
    dispatcher = _current
    if dispatcher is not None:
        dispatcher.ends.put(record)


def next_id() -> int:
    """An id that nobody has had. Context: any thread."""
    return next(_ids)


def find(id: int) -> Attachment | None:  # noqa: A002 - QNX's word
    """The attachment of that id. Context: any thread; it may be gone the next moment, so look again under the gate.

    Raises:
        OSError: EPERM, it is the parent's, who forked this process.
    """
    if 0 < id < _first_own_id:
        raise OSError(errno.EPERM, f"attachment {id} belongs to the parent of this process; attach anew")
    dispatcher = _current  # once: it may be gone the next moment
    return dispatcher.attachments.get(id) if dispatcher is not None else None


# Forks

_forking: Final = threading.local()
"""The gate that a thread holds while it forks, so that nobody is half attached, with a device's lock held for ever."""


def _before_fork() -> None:
    dispatcher = _current
    _forking.gate = None
    if dispatcher is not None:
        with suppress(WorkLoopError):  # somebody opens a device that does not answer: fork all the same
            dispatcher.loop.gate.enter(Deadline.after(SECOND_NS))
            _forking.gate = dispatcher.loop.gate


def _after_fork() -> None:
    if _forking.gate is not None:
        _forking.gate.leave(_forking.gate.depth - 1, raises=False)


def _begin_anew() -> None:
    global _current, _first_own_id, _making, disabled
    disabled = False
    _making = threading.Lock()  # a thread that the child does not have may hold the old one
    inherited, _current = _current, None
    if inherited is not None and _forking.gate is inherited.loop.gate:
        for vector in inherited.vectors.values():
            vector.abandon()
    _first_own_id = next(_ids)
    blocking.forget_all()
    thread_record.forget_mine()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_begin_anew)
