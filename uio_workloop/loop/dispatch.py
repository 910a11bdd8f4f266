"""The two phases of a pass: what is ready is drained with the gate open, then delivered with the gate held."""

from __future__ import annotations

import logging
from collections import deque
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Final

from uio_workloop.errors import DeviceGoneError, WorkLoopError
from uio_workloop.loop.error_rule import ErrorRule
from uio_workloop.loop.event_chain import EVERYBODY, EventChain
from uio_workloop.loop.event_source import EventSource
from uio_workloop.loop.gate_lock import ready_phases
from uio_workloop.loop.poll_set import DEPARTURE, DEPARTURES_ONLY, READABLE, PollSet

if TYPE_CHECKING:
    from uio_workloop.loop.work_loop import WorkLoop

MOST_LOOKS: Final = 32
"""So often a busy source is looked at before the loop asks the kernel about the others."""
MOST_TO_SKIP: Final = 15
MOST_LAST_VISITS: Final = 10_000  # a source that always asks for one more has to leave all the same

log = logging.getLogger("uio_workloop")


class AnotherLook:
    """Whether it is worth while to look at a source again, right after its action.

    At high rates the next interrupt is there already, and the wait is saved. At low rates it is not, and the look is in
    vain: then it is not tried for a while, which doubles each time.
    """

    def __init__(self) -> None:
        self._in_vain = 0
        self._to_skip = 0

    def worthwhile(self) -> bool:
        if self._to_skip:
            self._to_skip -= 1
            return False
        return True

    def found(self, more: bool) -> None:
        """What the look has brought."""
        self._in_vain = self._to_skip = 0 if more else min(2 * self._in_vain + 1, MOST_TO_SKIP)


class Dispatch:
    """Sources, descriptors and passes of one loop.

    Lock order: gate, then ready phase. `on_ready` therefore never takes the gate, and who holds the gate can wait out
    a running `on_ready`.

    Context: gate of the loop held, unless a method says otherwise.
    """

    def __init__(self, work_loop: WorkLoop, error_rule: ErrorRule) -> None:
        self.chain = EventChain()
        self.poll_set = PollSet()
        self.serving: list[EventSource] = []
        """The sources of the pass that runs, or ran last."""
        self.will_look = False
        """The loop's thread will look at its queue once more before it sleeps."""
        self._work_loop = work_loop
        self._gate = work_loop.gate
        self._error_rule = error_rule
        self.between_ready_phases = Lock()
        """Held for a `with` block, no thread is in the ready phase."""
        self._another_look = AnotherLook()
        self._failed: deque[tuple[EventSource, BaseException]] = deque()  # by on_ready; dealt with under the gate

    # Descriptors

    def poll(self, source: EventSource) -> None:
        """Begin to watch a source's descriptor.

        Raises:
            BadArgumentError: it cannot be polled.
        """
        fd = source.fileno()
        if fd >= 0:
            with self.between_ready_phases:
                self.poll_set.add(fd, READABLE if source.enabled else DEPARTURES_ONLY, source.name)
                self.chain.by_fd[fd] = source

    def unpoll(self, source: EventSource) -> None:
        """Stop watching a source's descriptor, which can be closed afterwards."""
        fd = source.fileno()
        if fd >= 0:
            with self.between_ready_phases:  # waits out an on_ready, which may be this source's
                if self.chain.by_fd.get(fd) is source:  # not if adding it failed half way
                    self.poll_set.remove(fd)
                    del self.chain.by_fd[fd]

    def watch(self, source: EventSource) -> None:
        """Poll a source for input if it is enabled, for departures alone if not. Context: gate or ready phase held."""
        fd = source.fileno()
        if fd >= 0:
            self.poll_set.watch(fd, READABLE if source.enabled else DEPARTURES_ONLY)

    # Signals

    def signal(self, source: EventSource) -> None:
        """Have one source visited in the next pass. Context: any thread; never waits; signals coalesce."""
        self.chain.queue.add(source)
        self.wake()

    def signal_all(self) -> None:
        """Have every source visited in the next pass. Context: as `signal`."""
        self.signal(EVERYBODY)

    def wake(self) -> None:
        """Have the loop's thread look at its queue. Context: as `signal`."""
        if not (self.will_look and self._work_loop.on_thread()):
            self.poll_set.wake()

    # The ready phase

    @property
    def in_ready_phase(self) -> bool:
        """Whether the calling thread is in `on_ready` or a filter. Context: any thread."""
        return ready_phases.get(get_ident()) is self

    def look_now(self, source: EventSource) -> None:
        """The ready phase of a source, out of turn."""
        with self.between_ready_phases:
            me = get_ident()
            try:
                ready_phases[me] = self
                self.look(source)
            finally:
                del ready_phases[me]

    def look_at_those_of(self, events: list[tuple[int, int]]) -> None:
        """The ready phase of the sources whose descriptors are ready. Context: any thread."""
        with self.between_ready_phases:
            me = get_ident()
            try:
                ready_phases[me] = self
                for fd, event in events:
                    source = self.chain.by_fd.get(fd)
                    if source is None:
                        self.poll_set.acknowledge_wake(fd)
                    elif source.enabled or event & DEPARTURE:
                        self.look(source)
                    else:  # disabled since the wait; or while somebody else had it watched as enabled
                        self.watch(source)
            finally:
                del ready_phases[me]

    def look(self, source: EventSource) -> bool:
        """The ready phase of one source; true if it has work now. Context: ready phase."""
        try:
            if not source.on_ready():
                return False
        except BaseException as error:  # any code of a subclass; judged under the gate, where it can be stopped
            if not isinstance(error, Exception) and not self._work_loop.on_thread():
                self.chain.queue.add(source)  # it may have been drained already
                raise  # a client's own KeyboardInterrupt
            self._failed.append((source, error))
        self.chain.queue.add(source)
        return True

    def look_failed(self, source: EventSource, error: BaseException) -> None:
        """A look outside the ready phase raised; what becomes of it is decided in the next pass. Context: gate held."""
        self._failed.append((source, error))
        self.signal(source)

    def serve_all(self, events: list[tuple[int, int]]) -> None:
        """Both phases, one after the other, and again before anybody sleeps. Context: the loop's thread, gate open."""
        self.look_at_those_of(events)
        busy = self._to_look_at_again(self.serve())
        if busy and self._another_look.worthwhile():
            looks = 0
            while busy and looks < MOST_LOOKS and self._look_again(busy):
                looks += 1
                busy = self._to_look_at_again(self.serve())
            self._another_look.found(looks > 0)

    def _to_look_at_again(self, served: list[EventSource]) -> list[EventSource]:
        """Interrupts that were just served, but for those of the short way, which has looked already."""
        return [
            source
            for source in served
            if source.is_interrupt
            and not source.serves_directly
            and source.enabled
            and source._work_loop is self._work_loop
        ]

    def _look_again(self, sources: list[EventSource]) -> bool:
        """The ready phase of interrupts that were just served; true if there is more."""
        found = False
        with self.between_ready_phases:
            me = get_ident()
            try:
                ready_phases[me] = self
                for source in sources:
                    found = (source._work_loop is self._work_loop and self.look(source)) or found
            finally:
                del ready_phases[me]
        return found

    # The short way

    def serve_directly(self, events: list[tuple[int, int]]) -> bool:
        """Both phases at once, under one hold of the gate; false if that cannot be, and nothing was done.

        It can be if no source that is ready runs code of others in its ready phase: then nobody can tell. Not even a
        thread that holds the gate: interrupts stay in the kernel until it lets go. Who asks for the gate meanwhile, or
        signals a source, ends it.

        Context: the loop's thread, gate open.
        """
        chain, gate = self.chain, self._gate
        if len(events) != 1:
            return self._serve_several_directly(events)
        ((fd, event),) = events
        source = chain.by_fd.get(fd)
        if source is None or not source.serves_directly or event != READABLE or chain.queue or chain.riders:
            return False
        free = gate.take_if_free()
        if not free:
            gate.enter(can_fail=False)
        self.serving = [source]
        try:
            if free and source.is_interrupt and self._another_look.worthwhile():
                self._another_look.found(self._serve_once(source, MOST_LOOKS) > 1)
            else:  # others come in between; or somebody asks how long the gate is held, and means an action, not many
                self._serve_once(source)
        finally:
            gate.let_go()
        return True

    def _serve_several_directly(self, events: list[tuple[int, int]]) -> bool:
        """As `serve_directly`, of which one that is ready is the usual case, in few steps."""
        chain, gate, ready = self.chain, self._gate, []
        by_fd = chain.by_fd
        for fd, event in events:
            source = by_fd.get(fd)
            if source is None or not source.serves_directly or event != READABLE:
                return False
            ready.append(source)
        if not ready or chain.queue or chain.riders:
            return False
        if not gate.take_if_free():
            gate.enter(can_fail=False)
        self.serving = ready
        try:
            for source in chain.in_order(ready):
                self._serve_once(source)
        finally:
            gate.let_go()
        return True

    def _serve_once(self, source: EventSource, most: int = 1) -> int:
        if source._work_loop is not self._work_loop:  # since the wait, or by an earlier action
            return most
        if not source._enabled:  # likewise; or it could not be disabled in full, and is still watched
            self.watch(source)
            return most
        try:
            return source.look_and_deliver(self.chain.queue, self._gate.waiting, most)
        except BaseException as error:  # a broken action breaks itself, not the loop, even with sys.exit()
            self._error_rule.apply(source, error)
            where = source.work_loop  # its action may have moved it to another loop
            if source.enabled and where is not None:
                where.dispatch.signal(source)
            return most

    # The pass

    def serve(self) -> list[EventSource]:
        """One pass over the sources with work, gate held throughout; returns them. Context: any thread."""
        if not self.chain.queue:  # a wake-up whose work is done already
            return []
        if not self._gate.take_if_free():  # never for clients, who have it
            with self._gate.surely:
                return self._serve_queue()
        try:
            return self._serve_queue()
        finally:
            self._gate.let_go()

    def _serve_queue(self) -> list[EventSource]:
        if self._work_loop.closed:
            return []
        while self._failed:
            self._judge(*self._failed.popleft())
        batch = self.serving = self.chain.take_work()
        visited = 0
        try:
            for source in batch:
                visited += 1
                self._visit(source)
        finally:
            if visited < len(batch):  # a client's KeyboardInterrupt ends its pass; who was not visited still has work
                self.chain.queue.update(batch[visited:])
        return batch

    def _visit(self, source: EventSource) -> bool:
        """Let a source deliver; true if it wants to be visited again, which it will be."""
        if source._work_loop is not self._work_loop:  # taken off since it was queued
            return False
        again = True
        try:
            again = source.check_for_work()
        except BaseException as error:  # a broken action breaks itself, not the loop, even with sys.exit()
            if not isinstance(error, Exception) and not self._work_loop.on_thread():
                raise  # a client's own KeyboardInterrupt
            self._error_rule.apply(source, error)
            again = source.enabled
        finally:
            if again and (where := source.work_loop) is not None:  # its action may have moved it to another loop
                where.dispatch.signal(source)
        return again

    def _judge(self, source: EventSource, error: BaseException) -> None:
        """What becomes of a source whose `on_ready` raised."""
        if source.work_loop is not self._work_loop:
            return
        if not isinstance(error, DeviceGoneError):
            self._error_rule.apply(source, error, "its ready phase")
            return
        self.see_off(source, error)

    def see_off(self, source: EventSource, error: WorkLoopError) -> None:
        """Deliver what came before the device left, then terminate the source."""
        for _ in range(MOST_LAST_VISITS):
            if not self._visit(source):
                break
        log.warning("%s: %s; the source is terminated", source.name, error)
        try:
            source.terminate(error)
        except BaseException:  # even sys.exit(): the loop's thread is nobody's to end
            log.exception("%s: on_terminated raised", source.name)

    # The end

    def abandon(self) -> None:
        """In the child of a fork: close the descriptors that came along."""
        self.between_ready_phases = Lock()
        self.serving = []  # ends a look_and_deliver that is under way
        for source in self.chain:
            source._abandon()
        self.chain.clear()
        self.poll_set.abandon()
