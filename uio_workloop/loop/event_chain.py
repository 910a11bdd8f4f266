"""The event chain: the sources of a loop in order of addition, and those of them that have work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from uio_workloop.loop.event_source import EventSource


class EventChain:
    """Sources, the descriptors they are polled by, and the queue of those to visit in the next pass.

    Context: gate held, except `queue`, whose append is atomic and for anybody; `by_fd` also with the ready phase held.
    """

    def __init__(self) -> None:
        self._positions: dict[EventSource, int] = {}
        self._next_position = 0
        self.by_fd: dict[int, EventSource] = {}
        self.queue: deque[EventSource] = deque()
        self.visit_all = False
        """Everybody is to be visited, whether queued or not."""

    def __iter__(self) -> Iterator[EventSource]:
        return iter(tuple(self._positions))

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def has_work(self) -> bool:
        return bool(self.queue) or self.visit_all

    def append(self, source: EventSource) -> None:
        self._positions[source] = self._next_position
        self._next_position += 1

    def remove(self, source: EventSource) -> None:
        del self._positions[source]

    def take_work(self) -> list[EventSource]:
        """Empty the queue: whoever is in it and still on the chain, each once, in chain order."""
        queue = self.queue
        if self.visit_all:
            self.visit_all = False
            queue.extend(self._positions)
        if len(queue) == 1:
            source = queue.popleft()
            return [source] if source in self._positions else []
        positions = self._positions
        batch = {queue.popleft() for _ in range(len(queue))}
        return sorted((source for source in batch if source in positions), key=positions.__getitem__)

    def clear(self) -> None:
        self._positions.clear()
        self.by_fd.clear()
        self.queue.clear()
