"""What a source can call: a plain function, which does its work when it is called."""

from __future__ import annotations

from types import CodeType
from typing import Final

from uio_workloop.errors import BadArgumentError

DOES_NOTHING_WHEN_CALLED: Final = {0x20: "a generator function", 0x80: "an async function", 0x200: "an async generator"}
"""CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR. Source: Python's Include/cpython/code.h, as in `inspect`, which would
take longer to load than the rest of this package that a small program needs."""


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
    code = _code_of(fn)
    for flag, kind in DOES_NOTHING_WHEN_CALLED.items():
        if code is not None and code.co_flags & flag:
            raise BadArgumentError(
                f"{who} cannot have {kind} as its {role}: nobody would run what {fn!r} returns; give a plain function"
            )


def _code_of(fn: object) -> CodeType | None:
    while hasattr(fn, "func"):  # functools.partial
        fn = fn.func
    if not hasattr(fn, "__code__") and not hasattr(fn, "__func__"):
        fn = getattr(type(fn), "__call__", None)  # noqa: B004 - an object of a class that can be called
    code = getattr(getattr(fn, "__func__", fn), "__code__", None)
    return code if isinstance(code, CodeType) else None
