"""One claimant to a line: who has it, and the sentence the next one gets."""

from __future__ import annotations

import threading
from typing import Protocol

from uio_workloop.errors import NoInterruptError, NoResourcesError


class Claimant(Protocol):
    """Whoever holds a line: an event source, or a blocking wait."""

    @property
    def name(self) -> str: ...

    def close(self) -> None:
        """Let go of the line: called when its provider is closed under the claimant."""


class Claim:
    """The right to the only interrupt of a provider, held by one claimant at a time.

    Context: any thread.
    """

    __slots__ = ("_holder", "_lock", "_provider")

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._holder: Claimant | None = None
        self._lock = threading.Lock()

    def take(self, index: int, claimant: Claimant) -> None:
        """Give the claim to `claimant`.

        Raises:
            NoInterruptError: `index` is not 0, the only interrupt there is.
            NoResourcesError: somebody has it.
        """
        if index != 0:
            raise NoInterruptError(
                f"{self._provider} has no interrupt {index}: its only interrupt has index 0", path=self._provider
            )
        with self._lock:
            if self._holder is not None:
                raise NoResourcesError(
                    f"the interrupt of {self._provider} is taken by {self._holder.name}; close that one first"
                )
            self._holder = claimant

    def give_back(self) -> None:
        """Free the claim; freeing a free one is fine."""
        with self._lock:
            self._holder = None

    def revoke(self) -> None:
        """Close whoever holds the claim, so that no poll set keeps a descriptor about to be closed."""
        holder = self._holder
        if holder is not None:
            holder.close()
