"""A broken action breaks itself, not the loop."""

from __future__ import annotations

import logging
from collections.abc import Callable

from uio_workloop.errors import BadArgumentError
from uio_workloop.loop.callback import check_callback
from uio_workloop.loop.event_source import EventSource

ErrorHandler = Callable[[EventSource, BaseException], object]

log = logging.getLogger("uio_workloop")


class ErrorRule:
    """What happens to a source whose action, or whose own code, raises.

    The exception is logged with the source's name and counted. After `max_consecutive_errors` in a row the source is
    disabled and one error says so: a level line whose action keeps failing must not storm. A handler of the user's
    takes the place of all that; if it fails itself, the rule applies after all.

    Args:
        loop: whose rule it is, for messages.

    Context: gate of the source's loop held.
    """

    def __init__(self, loop: str, on_error: ErrorHandler | None, max_consecutive_errors: int) -> None:
        if on_error is not None:
            check_callback(on_error, loop, "on_error")
        if not isinstance(max_consecutive_errors, int) or max_consecutive_errors < 1:
            raise BadArgumentError(
                f"{loop} cannot go on for {max_consecutive_errors!r} errors in a row: give a whole number, 1 or more"
            )
        self._on_error = on_error
        self._limit = max_consecutive_errors

    def apply(self, source: EventSource, error: BaseException, where: str = "the action") -> None:
        in_a_row = source.count_error()
        if self._on_error is not None:
            try:
                self._on_error(source, error)
                return
            except BaseException:  # even sys.exit(): the loop's thread is nobody's to end
                log.exception("%s: on_error raised; the default rule applies", source.name)
        log.error("%s: %s raised", source.name, where, exc_info=error)
        if in_a_row >= self._limit and source.enabled:
            log.error(
                "%s: disabled after %d errors in a row; enable() it when the cause is gone", source.name, in_a_row
            )
            try:
                source.disable()
            except BaseException:  # its line or descriptor may be broken, too; the loop is not
                source._enabled = False
                log.exception("%s: disable() raised", source.name)
