"""What was asked of the kernel, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RealtimeGrant:
    """One thing that a `RealtimeProfile` asked for.

    whose: "thread 'WorkLoop'" or "the process".
    asked: what was to be had: "policy fifo at priority 40".
    granted: whether it is in force.
    remark: if not, why, and what to do about it; if so, what one has to know of it, or nothing.
    """

    whose: str
    asked: str
    granted: bool
    remark: str = ""

    def __str__(self) -> str:
        outcome = "granted" if self.granted else "not granted"
        return ": ".join(filter(None, (self.whose, self.asked, outcome, self.remark)))

    @property
    def refusal(self) -> str:
        """The same as the sentence of an error."""
        return f"cannot give {self.whose} {self.asked}: {self.remark}"


@dataclass(frozen=True, slots=True)
class RealtimeReport:
    """All of a profile, thread by thread; printed, a line for each. A snapshot."""

    grants: tuple[RealtimeGrant, ...]

    @property
    def granted(self) -> tuple[RealtimeGrant, ...]:
        return tuple(each for each in self.grants if each.granted)

    @property
    def refused(self) -> tuple[RealtimeGrant, ...]:
        return tuple(each for each in self.grants if not each.granted)

    def __str__(self) -> str:
        return "\n".join(map(str, self.grants)) or "nothing is in force"
