"""What every event source is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Any, ClassVar, Self

from uio_workloop.errors import AlreadyAttachedError, ClosedError, NotAttachedError, WorkLoopError
from uio_workloop.loop.callback import check_callback
from uio_workloop.loop.gate_lock import ready_phases

if TYPE_CHECKING:
    from uio_workloop.loop.work_loop import WorkLoop


class EventSource:
    """Something that makes a work loop call an action.

    A source works in two phases. `on_ready` runs on the loop's thread with the gate open, whenever the source's
    descriptor is ready: it drains the descriptor and says whether there is work. `check_for_work` runs with the gate
    held and calls the action. Subclass and override the two (and `fileno`) to bring events of your own.

    Args:
        action: called as `action(sender, ...)`; what follows the sender is the subclass's business.
        owner: only kept, as attribute `owner`; a bound method as action carries its owner anyway.
        name: for messages and logs.

    Attributes of yours are `refcon`, never touched, and `on_terminated`, called as `on_terminated(sender)`, once, under
    the gate, when the device behind the source has left.

    Context: on a loop, everything here takes that loop's gate for itself unless it says otherwise.
    IOKit: IOEventSource. Born enabled like it; interrupt sources differ.
    """

    is_interrupt: ClassVar[bool] = False
    serves_directly = False
    """`look_and_deliver` does for it what `on_ready` and `check_for_work` do, and no code of others would notice."""
    on_terminated: Callable[[Any], object] | None = None
    refcon: object = None

    # Here until they are needed, as in subclasses: with more than 30 attributes of its own an object takes twice the
    # memory, and longer to reach any of them.
    _termination: WorkLoopError | None = None
    _errors = 0
    _errors_in_a_row = 0

    def __init__(
        self, action: Callable[..., object] | None = None, *, owner: object = None, name: str | None = None
    ) -> None:
        if action is not None:
            check_callback(action, name or type(self).__name__, "action")
        self.owner = owner
        self._action = action
        self._name = name or type(self).__name__
        self._work_loop: WorkLoop | None = None
        self._attachment = RLock()  # held while a source that is on no loop has to stay on none; inside the gate
        self._enabled = True
        self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else "enabled" if self.enabled else "disabled"
        return f"<{type(self).__name__} {self._name!r} {state}>"

    @property
    def name(self) -> str:
        return self._name

    @property
    def action(self) -> Callable[..., object] | None:
        """What is called. IOKit: getAction."""
        return self._action

    def set_action(self, action: Callable[..., object] | None) -> None:
        """Replace the action: a call that runs ends, the next delivery uses the new one.

        Args:
            action: None keeps what is pending until there is an action again.

        Context: any thread; takes the gate.
        IOKit: IOEventSource::setAction.
        """
        if action is not None:
            check_callback(action, self._name, "action")
        with self._gate() as loop:
            self._action = action
            if loop is not None:
                loop.dispatch.signal(self)

    @property
    def enabled(self) -> bool:
        """The wish of whoever called `enable` or `disable` last. IOKit: isEnabled."""
        return self._enabled

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def terminated(self) -> bool:
        """Whether the device behind the source has left."""
        return self._termination is not None

    @property
    def work_loop(self) -> WorkLoop | None:
        """The loop the source is on. IOKit: getWorkLoop."""
        return self._work_loop

    def on_thread(self) -> bool:
        """Whether the caller is the thread of the loop the source is on. IOKit: IOEventSource::onThread."""
        return self._work_loop is not None and self._work_loop.on_thread()

    def enable(self) -> None:
        """Let the source deliver; what waited meanwhile is looked at in the next pass.

        Context: any thread; takes the gate. Before the source is on a loop only the wish is kept.
        Raises:
            ClosedError: the source was closed, or its device left.
        IOKit: IOEventSource::enable.
        """
        with self._gate() as loop:
            self._check_open("enable")
            if loop is None:
                self._enable_on_no_loop()
                return
            self._errors_in_a_row = 0
            was_enabled, self._enabled = self._enabled, True
            try:
                self._arm(afresh=not was_enabled)
            except BaseException:
                self._enabled = was_enabled
                raise
            loop.dispatch.watch(self)
            self.ask_for_visit(loop)

    def disable(self) -> None:
        """Silence the source: once this returns, its action does not begin until `enable()`.

        Context: any thread; takes the gate, so an action in progress is waited for, except in that action itself and
        while it sleeps on the gate.
        IOKit: IOEventSource::disable, which promises less.
        """
        with self._gate() as loop:
            if loop is None:
                self._enabled = False
            elif self._enabled:
                with loop.dispatch.between_ready_phases:  # no filter may open the line behind our back
                    self._fall_silent(loop)

    def _fall_silent(self, loop: WorkLoop) -> None:
        self._enabled = False
        if self.is_interrupt:  # direct or not: that can have changed
            loop.dispatch.chain.queue.add(self)  # ends a look_and_deliver that is under way
        self._disarm()
        loop.dispatch.watch(self)

    def signal_work_available(self) -> None:
        """Have `check_for_work` called in the next pass.

        Context: any thread, gate held or open; never waits; signals coalesce.
        Raises:
            NotAttachedError: the source is on no loop.
        IOKit: IOEventSource::signalWorkAvailable; unlike it, only this source is visited.
        """
        loop = self._work_loop
        if loop is None:
            raise NotAttachedError(f"{self._name} is on no work loop; add it with add_event_source() first")
        loop.dispatch.signal(self)

    def close(self) -> None:
        """Take the source off its loop and let go of what it holds. Twice is fine.

        Context: any thread; takes the gate, so an action in progress is waited for, except in that action itself and
        while it sleeps on the gate.
        IOKit: release.
        """
        with self._gate() as loop:
            if loop is not None and self in loop:
                loop.remove_event_source(self)
            first, self._closed = not self._closed, True
            self._enabled = False
            if first:
                self.free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # For subclasses to override

    def fileno(self) -> int:
        """The descriptor that makes `on_ready` run when it is readable; -1 for none. Constant while on a loop."""
        return -1

    def on_ready(self) -> bool:
        """Drain the descriptor; true if `check_for_work` has something to do.

        Context: work-loop thread (or a client in `run_event_sources`), never two at once; gate open: no gate here, no
        waiting. A `DeviceGoneError` terminates the source.
        IOKit: primary interrupt context.
        """
        return True

    def check_for_work(self) -> bool:
        """Deliver what is there; true to be called again in the next pass.

        Context: work-loop thread (or a client in `run_event_sources`), gate held. Called while disabled, too: honour
        `enabled`.
        IOKit: IOEventSource::checkForWork.
        """
        return False

    def look_and_deliver(self, queue: Collection[object], waiting: Collection[object], most: int) -> int:
        """Drain the descriptor and call the action, in one, and again, while there is more; returns how often.

        For sources whose `serves_directly` is true. An exception of the action goes through; the loop deals with it.

        Args:
            queue, waiting: who else wants something of the loop, or its gate; once there is somebody, it ends.
            most: how often at most.

        Context: work-loop thread, gate held, enabled.
        """
        raise NotImplementedError

    def set_work_loop(self, work_loop: WorkLoop | None) -> None:
        """Called by the loop that takes the source in, and with None when it goes; call the base class's.

        Context: gate of the loop held.
        IOKit: IOEventSource::setWorkLoop; like it, a source that is taken off is disabled.
        """
        if work_loop is None:
            self.disable()
        self._work_loop = work_loop

    def _is_as_in(self, base: type[EventSource], *names: str) -> bool:
        """Whether the class of this source has these from `base`, and none in their place."""
        return all(getattr(type(self), name) is getattr(base, name) for name in names)

    def _enable_on_no_loop(self) -> None:
        self._enabled = True

    def _arm(self, *, afresh: bool = False) -> None:
        """Open the line, start the clock: `enable()` on a loop, gate held. Enabling twice arms twice.

        Args:
            afresh: the source was disabled until now; `enabled` is true already, and may be false again afterwards.
        """

    def _disarm(self) -> None:
        """Undo `_arm`: `disable()` on a loop, gate held."""

    def free(self) -> None:
        """Let go of descriptors and lines; called once, by `close()`, when the source is off its loop for good.

        IOKit: free.
        """

    def _abandon(self) -> None:
        """Forget the loop without touching a device: in the child of a fork both belong to the parent."""
        self._work_loop = None
        self._attachment = RLock()  # a thread that the child does not have may hold the old one
        self._enabled = False
        self._closed = True

    # For the loop

    def ask_for_visit(self, loop: WorkLoop) -> None:
        """It has been added or enabled: have what it has pending looked at. Context: gate held."""
        loop.dispatch.signal(self)

    def terminate(self, reason: WorkLoopError) -> None:
        """The device has left: close the source for good and tell `on_terminated`.

        Context: gate held; called by the loop, once.
        """
        self._termination = reason
        self.close()
        if self.on_terminated is not None:
            self.on_terminated(self)

    def attach(self, work_loop: WorkLoop) -> None:
        """Belong to `work_loop`, before anything else is done about it, so that two loops cannot both begin.

        Raises:
            AlreadyAttachedError: the source is on a loop.
            ClosedError: it was closed.
        """
        with self._attachment:
            if self._work_loop is not None:
                where = "this work loop" if self._work_loop is work_loop else f"work loop {self._work_loop.name!r}"
                raise AlreadyAttachedError(f"{self._name} is on {where} already; remove it there first")
            if self._closed:
                raise ClosedError(
                    f"cannot add {self._name} to work loop {work_loop.name!r}: it is closed; make a new one"
                )
            self._work_loop = work_loop

    def count_error(self) -> int:
        """The source's code raised; how often in a row now. A subclass sets `_errors_in_a_row` to 0 after a success."""
        self._errors += 1
        self._errors_in_a_row += 1
        return self._errors_in_a_row

    def _gate(self) -> AbstractContextManager[WorkLoop | None]:
        """For a `with` block stay on the loop, whose gate is held, or on none."""
        loop = self._work_loop
        if loop is not None and loop.gate.held and get_ident() not in ready_phases:  # an action
            return nullcontext(loop)  # who holds the gate already need not take it once more
        return self._gate_taken()

    @contextmanager
    def _gate_taken(self) -> Iterator[WorkLoop | None]:
        while True:
            loop = self._work_loop
            if loop is not None:
                with loop.gate.own:
                    if self._work_loop is loop:  # it may have moved while we waited
                        yield loop
                        return
            else:
                with self._attachment:
                    if self._work_loop is None:
                        yield None
                        return

    def _check_open(self, operation: str) -> None:
        if self._termination is not None:
            raise ClosedError(
                f"cannot {operation} {self._name}: its device has left; make a new one when it is back"
            ) from self._termination
        if self._closed:
            raise ClosedError(f"cannot {operation} {self._name}: it is closed; make a new one")
