"""The calls: attach, wait, mask, unmask, detach.

Every one raises `OSError` with the errno that QNX documents; Python picks the subclass. The `_r` forms of QNX are the
same functions, because there is no errno to leave alone.
"""

from __future__ import annotations

import errno
import operator
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final, TypeVar

from uio_workloop.errors import WorkLoopError
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.qnx.attachment import Attachment, Handler, InterruptInfo, no_such_id
from uio_workloop.qnx.blocking import check_may_wait
from uio_workloop.qnx.dispatcher import Dispatcher
from uio_workloop.qnx.flags import IntrFlags, WaitFlags, check_intr_flags, check_wait_flags
from uio_workloop.qnx.intr import Identity, Intr, identify, name_of, shown
from uio_workloop.qnx.refusal import as_qnx_says_it, raise_as_qnx_does
from uio_workloop.qnx.sigevent import Event
from uio_workloop.qnx.thread_record import ThreadRecord, my_record
from uio_workloop.qnx.timer_timeout import TimeoutState, deadline_after, disarm, in_seconds, timeout_of
from uio_workloop.qnx.uninterrupted import uninterrupted
from uio_workloop.qnx.vector import Vector

T = TypeVar("T")

NOBODY: Final = -1
"""The id that stands for no attachment."""


def interrupt_attach_event(intr: Intr, event: Event, flags: int = IntrFlags.TRK_MSK) -> int:
    """Have `event` delivered whenever the interrupt fires; returns the attachment's id.

    Each delivery masks the interrupt once, and whoever serves the device unmasks it. The interrupt is open while
    nobody has it masked. The attachment goes when the calling thread ends, unless `PROCESS` is set or the event is for
    the process.

    Args:
        intr: an IRQ number of Linux, any name that `find_device` takes, or an open device: all of one device are one.
        event: what to tell.
        flags: of `IntrFlags`. Without END it is told before those that are there already.

    Context: any thread; takes the gate of the hidden loop. It never waits for an interrupt.
    Raises:
        TypeError: `intr` or `event` is nothing of that kind.
        OSError: EINVAL, no such interrupt, or malformed event or flags. EPERM, this user may not open it. EBUSY,
            somebody has it, or has it exclusively. EAGAIN, nothing is left to attach with. ENOTSUP, the event or a flag
            has no place here. Otherwise what opening the line answered. Nothing is attached then.
    QNX: InterruptAttachEvent.
    """
    disarm()
    if not isinstance(event, Event):
        raise TypeError(f"{event!r} is no event of an interrupt; make one, such as SigevIntr()")
    checked = check_intr_flags(flags)
    event.check()
    return _attach(intr, checked, event=event)


def interrupt_attach(intr: Intr, handler: Handler, area: object = None, flags: int = IntrFlags.TRK_MSK) -> int:
    """Have `handler(area, id)` called whenever the interrupt fires; returns the attachment's id.

    The handler quiets the device; nothing is masked for it, but the line stays masked until it has returned. It returns
    None, an event, or several, and these are delivered without masking the interrupt. It runs on the hidden loop's
    thread, after scheduling, and nothing is delivered to anybody meanwhile, so it should not wait for long. It goes
    when the calling thread ends, unless `PROCESS` is set.

    Args:
        intr: as `interrupt_attach_event`.
        handler: what to call; its exceptions are logged, and counted as failed.
        area: handed to it.
        flags: of `IntrFlags`.

    Context: any thread; takes the gate of the hidden loop.
    Raises:
        TypeError, OSError: as `interrupt_attach_event`.
    QNX: InterruptAttach, InterruptAttachArray; which run at interrupt time.
    """
    disarm()
    if not callable(handler):
        raise TypeError(f"{handler!r} is no handler: it is not callable")
    return _attach(intr, check_intr_flags(flags), handler=handler, area=area)


def _attach(
    intr: Intr, flags: IntrFlags, *, event: Event | None = None, handler: Handler | None = None, area: object = None
) -> int:
    thread = my_record()
    return uninterrupted(lambda: _attach_for(thread, intr, flags, event, handler, area), interrupt_detach)


def _attach_for(
    thread: ThreadRecord, intr: Intr, flags: IntrFlags, event: Event | None, handler: Handler | None, area: object
) -> int:
    with as_qnx_says_it():
        identity = identify(intr)
        dispatcher = dispatching.hold()
        attachment: Attachment | None = None
        try:
            thread.on_end = dispatching.thread_ended
            with dispatcher.loop.gate.own, _vector(dispatcher, identity) as vector:
                attachment = Attachment(
                    dispatching.next_id(), vector, thread, flags, event=event, handler=handler, area=area
                )
                vector.add(attachment)
                vector.names[name_of(intr)] = intr
        except BaseException:  # of a signal handler, too, which may come when it is done already
            with dispatcher.loop.gate.own, suppress(OSError, WorkLoopError):
                if attachment is not None and attachment in attachment.vector.attachments:
                    attachment.vector.remove(attachment)
            dispatching.let_go(dispatcher)
            raise
    return attachment.id


@contextmanager
def _vector(dispatcher: Dispatcher, identity: Identity) -> Iterator[Vector]:
    """The interrupt, claimed for this if it is not yet; given back if the block fails. Context: gate held."""
    vector = dispatcher.vectors.get(identity.key)
    if vector is not None and not vector.gone:
        yield vector
        return
    vector = Vector(dispatcher, identity.key, *identity.open())
    try:
        yield vector
    except BaseException:  # also of a signal handler
        vector.close()
        raise
    dispatcher.vectors[identity.key] = vector


def interrupt_detach(id: int) -> None:  # noqa: A002 - QNX's word
    """Take an attachment away, and give back the masks on its account; nothing is delivered for it afterwards.

    What was delivered before stays where it is: a pulse in its channel, a signal pending. Whoever waits for nothing
    else is refused with ESRCH. The last attachment of an interrupt masks and closes it.

    Context: any thread; waits for a delivery that runs, except in a handler.
    Raises:
        OSError: EINVAL, no such attachment. EPERM, it is the parent's, who forked this process. EDEADLK, that delivery
            waits for a gate that the caller holds; nothing has changed.
    QNX: InterruptDetach.
    """
    disarm()
    uninterrupted(lambda: _detach(operator.index(id)))


def _detach(id: int) -> None:  # noqa: A002 - QNX's word
    attachment = dispatching.find(id)
    if attachment is None:
        raise no_such_id(id, errno.EINVAL)
    dispatcher = attachment.vector.dispatcher
    with as_qnx_says_it(), ExitStack() as gate_open_again, dispatcher.delivering.own, dispatcher.loop.gate.own:
        if not attachment.attached:
            raise no_such_id(id, errno.EINVAL)
        gate_open_again.callback(_let_go_of, attachment)  # which waits for the hidden loop's thread
        attachment.vector.remove(attachment)


def _let_go_of(attachment: Attachment) -> None:
    if not attachment.attached:  # else a signal interrupted the detach, which can be repeated
        dispatching.let_go(attachment.vector.dispatcher)


def interrupt_mask(intr: Intr | None, id: int = NOBODY) -> int:  # noqa: A002 - QNX's word
    """Mask an interrupt once more; returns how often it is masked now.

    Args:
        intr: which; None if the id says it.
        id: on whose account, if that attachment has TRK_MSK. -1: nobody's, which anybody can release.

    Context: any thread, also a handler; takes the gate of the hidden loop.
    Raises:
        OSError: EINVAL, nothing is attached to it, or the id belongs to another interrupt. ESRCH, no such id. EPERM,
            the id is the parent's, who forked this process. ENODEV, the device has left. Otherwise what the line
            answered; nothing has changed then.
    QNX: InterruptMask.
    """
    return _under_gate(Vector.mask, intr, id)


def interrupt_unmask(intr: Intr | None, id: int = NOBODY) -> int:  # noqa: A002 - QNX's word
    """Release one mask; returns how many are left, 0 if the interrupt is open.

    It acknowledges nothing: quiet the device first, or a level fires again at once.

    Args:
        intr, id: as `interrupt_mask`.

    Context: any thread, also a handler; takes the gate of the hidden loop.
    Raises:
        OSError: as `interrupt_mask`. EAGAIN, there is no mask on that account.
    QNX: InterruptUnmask.
    """
    return _under_gate(Vector.unmask, intr, id)


def interrupt_mask_count(intr: Intr | None, id: int = NOBODY) -> int:  # noqa: A002 - QNX's word
    """How often an interrupt is masked; of an id, what is on its account.

    Context: any thread; takes the gate of the hidden loop.
    Raises:
        OSError: as `interrupt_mask`.
    QNX: none.
    """
    return _under_gate(_mask_count, intr, id)


def interrupt_info(id: int) -> InterruptInfo:  # noqa: A002 - QNX's word
    """A snapshot of an attachment and its counters.

    Context: any thread; takes the gate of the hidden loop.
    Raises:
        OSError: ESRCH, no such id. EPERM, it is the parent's, who forked this process.
    QNX: none.
    """
    if operator.index(id) == NOBODY:
        raise no_such_id(id)
    return _under_gate(_info, None, id)


def interrupt_wait(flags: int = 0, timeout_ns: int | None = None, *, restart: bool = False) -> tuple[int, ...]:
    """Wait until an interrupt that this thread attached `SigevIntr()` to fires; returns the ids of those that did.

    What fired before is reported at once: a flag per attachment is set, and this takes it. A wake-up is no cause; look
    at the device.

    Args:
        flags: of `WaitFlags`; UNMASK: first unmask what the last wait has returned.
        timeout_ns: 0 only looks; None waits for ever, or for as long as `timer_timeout` has armed.
        restart: go on waiting after a signal whose handler has returned.

    Context: the thread that attached; waits.
    Raises:
        OSError: ETIMEDOUT. EINTR, a signal was handled, which happens in the main thread only. EPERM, this thread has
            attached nothing to wait for. ESRCH, its last attachment was detached meanwhile. ENODEV, a device has left,
            until it is detached. EDEADLK, the caller is a handler. ENOTSUP, FAST with a timeout. EINVAL, no such flag
            or timeout.
    QNX: InterruptWait, TimerTimeout.
    """
    timeout_ns = timeout_of(TimeoutState.INTR, timeout_ns)
    wanted = check_wait_flags(flags, timeout_ns)
    deadline = deadline_after(timeout_ns)
    check_may_wait("wait for an interrupt")
    record = my_record()
    if wanted & WaitFlags.UNMASK:
        for each in record.to_unmask():
            _unmask_if_need_be(record, each)
            record.unmasked(each)
    try:
        return record.wait(deadline, restart=restart)
    except TimeoutError:
        if not timeout_ns:
            raise
        raise OSError(errno.ETIMEDOUT, f"no interrupt came within {in_seconds(timeout_ns)}{_why_not()}") from None


def _why_not() -> str:
    """What keeps the interrupts of this thread from coming, if it is known."""
    if dispatching.disabled:
        return "; they are disabled, interrupt_enable() lets them come"
    dispatcher, record = dispatching.current(), my_record()
    if dispatcher is None:
        return ""
    with dispatcher.loop.gate:
        masked = {
            each.vector.name: each.vector.count.holders()
            for each in dispatcher.attachments.values()
            if each.thread is record and each.for_wait and each.vector.count.total
        }
    return "".join(f"; {name} is masked, by {masks}" for name, masks in masked.items())


def _unmask_if_need_be(record: ThreadRecord, id: int) -> None:  # noqa: A002 - QNX's word
    try:
        interrupt_unmask(None, id)
    except OSError as error:
        if error.errno == errno.ENODEV:
            record.device_left(id)  # which nobody may have noticed; the wait tells it after what has fired
        elif error.errno not in (errno.EAGAIN, errno.ESRCH):  # others have unmasked or detached it
            raise


def _mask_count(vector: Vector, id: int) -> int:  # noqa: A002 - QNX's word
    return vector.count.total if id == NOBODY else vector.count.booked(id)


def _info(vector: Vector, id: int) -> InterruptInfo:  # noqa: A002 - QNX's word
    return vector.dispatcher.attachments[id].info()


def _under_gate(operation: Callable[[Vector, int], T], intr: Intr | None, id: int) -> T:  # noqa: A002 - QNX's word
    """Do something to the interrupt that is meant."""
    disarm()
    try:
        vector = _by_intr(intr) if operator.index(id) == NOBODY else _by_id(id)
        with vector.dispatcher.loop.gate:
            if id != NOBODY and id not in vector.dispatcher.attachments:
                raise no_such_id(id)
            if not vector.attachments:
                raise _nobody_attached(intr)
            if id != NOBODY and intr is not None and not _is_called(vector, intr):
                raise OSError(errno.EINVAL, f"attachment {id} belongs to {vector.name}, not to {shown(intr)}")
            return operation(vector, id)
    except (WorkLoopError, OSError) as error:
        raise_as_qnx_does(error)


def _by_id(id: int) -> Vector:  # noqa: A002 - QNX's word
    attachment = dispatching.find(id)
    if attachment is None:
        raise no_such_id(id)
    return attachment.vector


def _by_intr(intr: Intr | None) -> Vector:
    dispatcher = dispatching.current()
    if intr is None or dispatcher is None:
        raise _nobody_attached(intr)
    name = name_of(intr)
    with dispatcher.loop.gate.own:
        named = [vector for vector in dispatcher.vectors.values() if name in vector.names]
        here = [vector for vector in named if not vector.gone]
        found = here or _by_key(dispatcher, intr, was_known=bool(named)) or named
    if not found:
        raise _nobody_attached(intr)
    return found[0]


def _by_key(dispatcher: Dispatcher, intr: Intr, *, was_known: bool) -> list[Vector]:
    if isinstance(intr, int) and intr in dispatcher.attachments and not was_known:
        raise OSError(
            errno.EINVAL, f"nothing is attached to interrupt {intr}; if that is an id, give it second, after None"
        )
    try:
        vector = dispatcher.vectors.get(identify(intr).key)
    except WorkLoopError:
        if not was_known:  # else its device has left, and its name means nothing any more
            raise
        return []
    return [] if vector is None else [vector]


def _is_called(vector: Vector, intr: Intr) -> bool:
    return name_of(intr) in vector.names or identify(intr).key == vector.key


def _nobody_attached(intr: object) -> OSError:
    if intr is None:
        return OSError(errno.EINVAL, "no interrupt was named: give the interrupt, or the id of an attachment")
    return OSError(errno.EINVAL, f"nothing is attached to {shown(intr)} in this process")
