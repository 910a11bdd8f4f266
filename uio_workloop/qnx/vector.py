"""One interrupt with its list of attachments and its count of masks.

Theory of operation
-------------------
The interrupt is an event source on the hidden loop, and QNX's "masked" is the source's "disabled": it is enabled while
the count is 0 and somebody is attached. How a line is masked, what arrives meanwhile, a device that leaves: all that
is the source's and the line's business.

A firing is the source's action. First every event attachment's mask is booked and the source disabled, then the list
is walked. If there is code of others in it, such as a handler, the gate is given up for the walk, because that code may
wait for whoever masks or unmasks. A receiver that unmasks at once cannot open the line before the walk is over, so it
is never open between two deliveries of one firing. Who has to wait for the end of a walk, because he detaches, waits
for the dispatcher's second gate, too.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Hashable
from contextlib import ExitStack, suppress

from uio_workloop.errors import DeviceGoneError
from uio_workloop.interrupts.interrupt_line import InterruptProvider
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.qnx.attachment import Attachment
from uio_workloop.qnx.dispatcher import Dispatcher
from uio_workloop.qnx.flags import IntrFlags
from uio_workloop.qnx.level_line import LevelProvider
from uio_workloop.qnx.mask_count import MaskCount
from uio_workloop.sources.interrupt_event_source import InterruptEventSource


class Vector:
    """Claims the interrupt and goes to the dispatcher's loop; `close` undoes it.

    Args:
        key: the interrupt's identity.
        provider: whose interrupt.
        close_provider: gives back what was opened for this.

    Context: gate of the dispatcher held.
    Raises:
        NoInterruptError, NoResourcesError, DeviceGoneError, ClosedError: see `InterruptProvider.claim_interrupt`.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        key: Hashable,
        provider: InterruptProvider,
        close_provider: Callable[[], object] | None,
    ) -> None:
        self.dispatcher = dispatcher
        self.key = key
        self.provider = provider
        self.names: dict[Hashable, object] = {}
        """What it was called when something was attached, by `name_of`: so that nothing is looked up to unmask it."""
        self.attachments: list[Attachment] = []
        self.count = MaskCount()
        self._walking = False
        with ExitStack() as acquired:
            if close_provider is not None:
                acquired.callback(close_provider)
            self._source = _Source(
                LevelProvider(provider), self._fire, owner=self, name=f"the attachments to {provider.name}"
            )
            acquired.callback(self._source.close)
            dispatcher.loop.add_event_source(self._source)
            self._held = acquired.pop_all()

    @property
    def name(self) -> str:
        return self.provider.name

    @property
    def gone(self) -> bool:
        """The device has left, or its owner has closed it."""
        return self._source.closed

    def close(self) -> None:
        """Mask the line and let go of it."""
        if self.dispatcher.vectors.get(self.key) is self:  # else it has left, and is back
            del self.dispatcher.vectors[self.key]
        self._held.close()

    def abandon(self) -> None:
        """In the child of a fork: close the descriptors that came along; the source is abandoned already."""
        for attachment in self.attachments:
            attachment.attached = False  # a handler may have forked: what is behind it in the list is the parent's
        with suppress(Exception):
            self._held.close()

    # The list

    def add(self, attachment: Attachment) -> None:
        """Put an attachment in its place and open the line; on failure all is as it was.

        Raises:
            OSError: EBUSY, it, or one that is there, has to be alone. ENODEV, the device has left. What the line
                answers when it is opened.
        """
        flags, id = attachment.flags, attachment.id  # noqa: A001 - QNX's word
        self._check_present("attach to")
        if self.attachments and IntrFlags.EXCLUSIVE & (flags | self.attachments[0].flags):
            how, there = ("exclusively ", "another") if flags & IntrFlags.EXCLUSIVE else ("", "an exclusive attachment")
            raise OSError(errno.EBUSY, f"cannot attach {how}to {self.name}: {there} is there; detach that first")
        with ExitStack() as if_it_fails:
            if_it_fails.callback(self._settle)
            if flags & IntrFlags.TRK_MSK:
                self.count.open_account(id)
                if_it_fails.callback(self.count.close_account, id)
            self.attachments.insert(len(self.attachments) if flags & IntrFlags.END else 0, attachment)
            if_it_fails.callback(self.attachments.remove, attachment)
            if flags & IntrFlags.NO_UNMASK:
                self.count.mask(id)
                if not flags & IntrFlags.TRK_MSK:
                    if_it_fails.callback(self.count.unmask, id)
            self.follow()
            if_it_fails.pop_all()
        self.dispatcher.attachments[id] = attachment
        if attachment.for_wait:
            attachment.thread.attach(id, masked=bool(flags & IntrFlags.NO_UNMASK))

    def _settle(self) -> None:
        """Have the line as the count says once more, after something has failed: what failed is what is told."""
        with suppress(Exception):
            self.follow()

    def remove(self, attachment: Attachment) -> None:
        """Take an attachment away, with the masks on its account; the last one closes the line."""
        if attachment in self.attachments:  # else a signal interrupted this, and it is repeated
            self.attachments.remove(attachment)
        self.count.close_account(attachment.id)
        attachment.thread.detach(attachment.id)
        self.dispatcher.attachments.pop(attachment.id, None)
        attachment.attached = False
        if not self.attachments:
            self.close()
            return
        with suppress(DeviceGoneError):  # it is noticed elsewhere, too; detaching is always possible
            self.follow()

    # The line

    def follow(self) -> None:
        """Have the line open or masked, as the count says."""
        if self._source.closed:
            return
        if self.count.total or not self.attachments or dispatching.disabled:
            if self._source.enabled:
                self._source.disable()
        elif not self._source.enabled and not self._walking:
            self._source.enable()

    def mask(self, owner: int) -> int:
        """One mask more; returns how many there are.

        Raises:
            OSError: ENODEV, the device has left. What the line answers when it is masked; nothing has changed then.
        """
        self._check_present("mask")
        total = self.count.mask(owner)
        self._follow_or(self.count.unmask, owner)
        return total

    def unmask(self, owner: int) -> int:
        """One mask less; returns how many are left.

        Raises:
            OSError: EAGAIN, there is none on this account. ENODEV, the device has left. What the line answers when it
                is opened; the mask is there still.
        """
        self._check_present("unmask")
        left = self.count.unmask(owner)
        self._follow_or(self.count.mask, owner)
        attachment = self.dispatcher.attachments.get(owner)
        if attachment is not None:
            attachment.thread.unmasked(owner)
        return left

    def _follow_or(self, undo: Callable[[int], object], owner: int) -> None:
        """Follow, and if the line refuses, take back what asked for it."""
        try:
            self.follow()
        except BaseException:  # also of a signal handler
            undo(owner)
            self._settle()
            raise

    def _check_present(self, operation: str) -> None:
        if self._source.closed and not self.dispatcher.loop.closed:  # which it is when the program ends
            raise OSError(errno.ENODEV, f"cannot {operation} {self.name}: the device has left, or was closed; detach")

    # Interrupts

    def _fire(self, sender: InterruptEventSource, count: int) -> None:
        self.dispatcher.ends.bury()
        told = tuple(self.attachments)
        for attachment in told:  # all of them first: the line stays masked until the last has unmasked
            if attachment.event is not None:
                self.count.mask(attachment.id)
        try:
            self.follow()
        finally:  # a line that refuses has interrupted all the same
            self._tell(told, count)

    def _tell(self, told: tuple[Attachment, ...], count: int) -> None:
        self._walking = True
        try:
            if all([attachment.never_waits for attachment in told]):  # noqa: C419 - a list is quicker
                self._walk(told, count)
            else:
                self.dispatcher.loop.gate.call_outside(self._walk_outside, told, count)
        finally:
            self._walking = False
            self.follow()

    def _walk(self, told: tuple[Attachment, ...], count: int) -> None:
        for attachment in told:
            if attachment.attached:
                attachment.serve(count)

    def _walk_outside(self, told: tuple[Attachment, ...], count: int) -> None:
        """Context: the dispatcher's thread, gate open."""
        with self.dispatcher.delivering.surely:
            self._walk(told, count)

    def device_left(self) -> None:
        """Nothing will come of it any more; tell whoever waits."""
        for attachment in self.attachments:
            attachment.thread.device_left(attachment.id)


class _Source(InterruptEventSource):
    """Tells its vector when it is closed, whether the device has left or its owner has closed it."""

    def close(self) -> None:
        owner = self.owner
        if isinstance(owner, Vector) and not owner.dispatcher.loop.gate.held:
            with owner.dispatcher.delivering.own:  # a handler that runs needs its device
                super().close()
        else:
            super().close()

    def free(self) -> None:
        super().free()
        if isinstance(self.owner, Vector) and not self.owner.dispatcher.loop.closed:  # else the program ends
            self.owner.device_left()
