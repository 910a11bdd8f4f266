"""One entry in the list of an interrupt."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uio_workloop.qnx.flags import IntrFlags
from uio_workloop.qnx.sigevent import Event, SigevIntr
from uio_workloop.qnx.thread_record import ThreadRecord

if TYPE_CHECKING:
    from uio_workloop.qnx.vector import Vector

Handler = Callable[[object, int], Event | Iterable[Event] | None]
"""`handler(area, id)`: what to tell, if anything."""

log = logging.getLogger("uio_workloop")


@dataclass(frozen=True, slots=True)
class InterruptInfo:
    """A snapshot of an attachment.

    - source: the name of its device.
    - flags: as given; the events that imply PROCESS do so unsaid.
    - position: in the list; 0 is told first.
    - booked: masks on its account, or nobody's if it has none.
    - fired: how often it was served; coalesced: interrupts beyond one for each time.
    - delivered: events; failed: those that nobody could be told of, and calls of the handler that raised.

    QNX: none.
    """

    id: int
    source: str
    flags: IntrFlags
    position: int
    booked: int
    fired: int
    coalesced: int
    delivered: int
    failed: int


class Attachment:
    """An event, or a handler, that an interrupt is turned into. Context: gate of the dispatcher held."""

    def __init__(
        self,
        id: int,  # noqa: A002 - QNX's word
        vector: Vector,
        thread: ThreadRecord,
        flags: IntrFlags,
        *,
        event: Event | None = None,
        handler: Handler | None = None,
        area: object = None,
    ) -> None:
        self.id = id
        self.vector = vector
        self.thread = thread
        self.flags = flags
        self.event = event
        self.never_waits = event is not None and vars(type(event)).get("never_waits", False)
        """Serving it runs no code of others, so it can be done with the gate held; a subclass is code of others."""
        self.attached = True
        self.fired = 0
        self.coalesced = 0
        self.delivered = 0
        self.failed = 0
        self._handler = handler
        self._area = area

    @property
    def for_process(self) -> bool:
        """Whether it outlives its thread."""
        return bool(self.flags & IntrFlags.PROCESS) or (self.event is not None and self.event.for_process)

    @property
    def for_wait(self) -> bool:
        """Whether its thread may wait for it: what a handler will return nobody knows."""
        return self.event is None or isinstance(self.event, SigevIntr)

    def serve(self, count: int) -> None:
        """It has fired; tell whoever is to be told. Context: the thread that delivers."""
        self.fired += 1
        self.coalesced += count - 1
        if self.event is not None:
            self._deliver(self.event)
        elif self._handler is not None:
            try:
                for event in _events(self._handler(self._area, self.id)):
                    event.check()
                    self._deliver(event)
            except BaseException as error:  # any code of a driver, even sys.exit(); the others in the list go on
                self._note_failure("its handler raised", error)

    def _deliver(self, event: Event) -> None:
        try:
            if event.deliver(self.thread, self.id):
                self.delivered += 1
            else:
                self._note_failure("nobody is there to be told", None)
        except BaseException as error:  # a closed channel, a full one, a semaphore of others
            self._note_failure("delivery raised", error)

    def _note_failure(self, what: str, error: BaseException | None) -> None:
        self.failed += 1
        if self.failed == 1:  # a line that fails again and again must not fill the log
            log.warning("attachment %d of %s: %s", self.id, self.vector.name, what, exc_info=error)

    def info(self) -> InterruptInfo:
        return InterruptInfo(
            id=self.id,
            source=self.vector.name,
            flags=self.flags,
            position=self.vector.attachments.index(self),
            booked=self.vector.count.booked(self.id),
            fired=self.fired,
            coalesced=self.coalesced,
            delivered=self.delivered,
            failed=self.failed,
        )


def _events(told: object) -> list[Event]:
    """What a handler has returned, as a list."""
    if told is None:
        return []
    several = list(told) if isinstance(told, Iterable) else [told]
    events = [each for each in several if isinstance(each, Event)]
    if len(events) < len(several):
        raise TypeError(f"the handler returned {told!r}: it returns None, an event, or several")
    return events


def no_such_id(id: int, code: int = errno.ESRCH) -> OSError:  # noqa: A002 - QNX's word
    """The error for an id that nobody has (any more)."""
    return OSError(code, f"there is no attachment {id}: it was never made, or is detached already")
