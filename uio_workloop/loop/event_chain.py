"""The event chain: the sources of a loop in order of addition, and those of them that have work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from uio_workloop.loop.event_source import EventSource

EVERYBODY: Final = EventSource(name="everybody")
"""In the queue it stands for all sources there are."""


class EventChain:
    """Sources, the descriptors they are polled by, and the queue of those to visit in the next pass.

    Context: gate held, except `queue`, whose add is atomic and for anybody; `by_fd` also with the ready phase held.
    """

    def __init__(self) -> None:
        self._positions: dict[EventSource, int] = {}
        self._next_position = 0
        self.by_fd: dict[int, EventSource] = {}
        self.queue: set[EventSource] = set()
        """Who is to be visited in the next pass; a set, so that a source that signals a million times is in it once."""
        self.riders: set[EventSource] = set()
        """Who wants to be looked at in every pass, whatever brought that about; alone they bring none about."""

    def __iter__(self) -> Iterator[EventSource]:
        return iter(tuple(self._positions))

    def __len__(self) -> int:
        return len(self._positions)

    def __contains__(self, source: object) -> bool:
        return source in self._positions

    def append(self, source: EventSource) -> None:
        self._positions[source] = self._next_position
        self._next_position += 1

    def remove(self, source: EventSource) -> None:
        del self._positions[source]
        self.riders.discard(source)

    def take_work(self) -> list[EventSource]:
        """Empty the queue: whoever is in it and still on the chain, each once, in chain order."""
        queue, positions = self.queue, self._positions
        if len(queue) == 1 and not self.riders:
            source = queue.pop()
            if source is not EVERYBODY:
                return [source] if source in positions else []
            return list(positions)
        batch = {queue.pop() for _ in range(len(queue))}  # one by one: others may be adding
        return list(positions) if EVERYBODY in batch else self.in_order(batch | self.riders)

    def in_order(self, sources: Iterable[EventSource]) -> list[EventSource]:
        """Those of the sources that are on the chain, in its order."""
        positions = self._positions
        return sorted((source for source in sources if source in positions), key=positions.__getitem__)

    def clear(self) -> None:
        self._positions.clear()
        self.by_fd.clear()
        self.queue.clear()
        self.riders.clear()
