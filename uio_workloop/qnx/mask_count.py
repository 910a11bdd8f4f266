"""How often an interrupt is masked, and on whose account. Pure."""

from __future__ import annotations

import errno


class MaskCount:
    """The masks of one interrupt: one account per attachment that is tracked, and one that is nobody's.

    What is on an account can be released by its id alone, and is given back when the account is closed. What is
    nobody's anybody can release.

    Context: not locked; who shares it holds a gate.
    QNX: the mask count of an interrupt, with _NTO_INTR_FLAGS_TRK_MSK.
    """

    __slots__ = ("_accounts", "_anonymous", "_total")

    def __init__(self) -> None:
        self._accounts: dict[int, int] = {}
        self._anonymous = 0
        self._total = 0

    @property
    def total(self) -> int:
        """All masks together; the interrupt is masked unless it is 0."""
        return self._total

    def booked(self, owner: int) -> int:
        """What is on this account; what is nobody's, if it has none."""
        return self._accounts.get(owner, self._anonymous)

    def open_account(self, owner: int) -> None:
        """Book what `owner` masks on an account of its own from now on."""
        self._accounts.setdefault(owner, 0)

    def close_account(self, owner: int) -> int:
        """Give back what is on this account; returns how much that was. Without an account nothing is."""
        given_back = self._accounts.pop(owner, 0)
        self._total -= given_back
        return given_back

    def mask(self, owner: int) -> int:
        """One more; returns all of them together."""
        if owner in self._accounts:
            self._accounts[owner] += 1
        else:
            self._anonymous += 1
        self._total += 1
        return self._total

    def unmask(self, owner: int) -> int:
        """One less; returns how many are left, of all together.

        Raises:
            OSError: EAGAIN, there is none on this account; nothing has changed.
        QNX: InterruptUnmask; what one too many does is said by QNX OS 8 alone.
        """
        if not self.booked(owner):
            raise OSError(errno.EAGAIN, self._refusal(owner))
        if owner in self._accounts:
            self._accounts[owner] -= 1
        else:
            self._anonymous -= 1
        self._total -= 1
        return self._total

    def _refusal(self, owner: int) -> str:
        if owner in self._accounts:
            others = f"; the masks are those of {self.holders()}" if self._total else ""
            return f"cannot unmask by id {owner}: it has no mask to release{others}"
        if self._total:
            return f"cannot unmask: the masks are those of {self.holders()}; unmask by that id, or detach it"
        return "cannot unmask: the interrupt is not masked"

    def holders(self) -> str:
        """Who has masked it, and how often: for messages."""
        holders = [f"id {owner} ({masks})" for owner, masks in self._accounts.items() if masks]
        return ", ".join(holders + [f"nobody ({self._anonymous})"] * bool(self._anonymous))
