"""How long things took. Recording allocates nothing that lasts; what is handed out is a frozen snapshot."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Final

SUB_BUCKET_BITS: Final = 5  # 32 buckets to each power of two: a percentile is at most 3 % too high
SUB_BUCKETS: Final = 1 << SUB_BUCKET_BITS
LARGEST_BITS: Final = 40  # of buckets; they tell durations apart up to 2^45 ns, ten hours


@dataclass(frozen=True, slots=True)
class Distribution:
    """A snapshot of a `Histogram`: nanoseconds, 0 while it is empty."""

    count: int
    p50_ns: int
    p99_ns: int
    max_ns: int


class Histogram:
    """How long things took, in logarithmic buckets of constant relative width.

    Context: one recording thread; snapshots from any.
    """

    __slots__ = ("_buckets", "_count", "_max_ns")

    def __init__(self) -> None:
        self._buckets = array("Q", [0]) * ((LARGEST_BITS + 1) * SUB_BUCKETS)
        self._count = 0
        self._max_ns = 0

    def record(self, ns: int) -> None:
        """Count one duration; a negative one counts as 0."""
        ns = max(ns, 0)
        self._buckets[_bucket_of(ns)] += 1
        self._count += 1
        if ns > self._max_ns:
            self._max_ns = ns

    def snapshot(self) -> Distribution:
        return Distribution(self._count, self._percentile_ns(50), self._percentile_ns(99), self._max_ns)

    def _percentile_ns(self, percent: int) -> int:
        """An upper bound of the duration that `percent` of all were not longer than."""
        rank = -(-self._count * percent // 100)
        if rank == 0:
            return 0
        for bucket, filled in enumerate(self._buckets):
            rank -= filled
            if rank <= 0:
                return min(_upper_bound_of(bucket), self._max_ns)
        return self._max_ns  # recorded to while we were reading


def _bucket_of(ns: int) -> int:
    shift = max(0, ns.bit_length() - SUB_BUCKET_BITS - 1)
    return min((shift << SUB_BUCKET_BITS) + (ns >> shift), (LARGEST_BITS + 1) * SUB_BUCKETS - 1)


def _upper_bound_of(bucket: int) -> int:
    shift = max(0, (bucket >> SUB_BUCKET_BITS) - 1)
    return (((bucket - (shift << SUB_BUCKET_BITS)) + 1) << shift) - 1
