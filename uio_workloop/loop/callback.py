"""What a source can call: a plain function, which does its work when it is called."""

from __future__ import annotations

import inspect
from typing import Final

from uio_workloop.errors import BadArgumentError

DOES_NOTHING_WHEN_CALLED: Final = {
    inspect.iscoroutinefunction: "an async function",
    inspect.isgeneratorfunction: "a generator function",
    inspect.isasyncgenfunction: "an async generator",
}


def check_callback(fn: object, who: str, role: str) -> None:
    """Refuse what cannot be called, and what would only make an object that waits to be run.

    Args:
        who: whose it is to be, for the message.
        role: "action", "filter".

    Raises:
        BadArgumentError: `fn` is not a plain function, method or other callable.
    """
    if not callable(fn):
        raise BadArgumentError(f"{who} cannot call {fn!r}: its {role} is a function")
    for is_one, kind in DOES_NOTHING_WHEN_CALLED.items():
        if is_one(fn) or is_one(type(fn).__call__):  # or an object of a class that can be called
            raise BadArgumentError(
                f"{who} cannot have {kind} as its {role}: nobody would run what {fn!r} returns; give a plain function"
            )
