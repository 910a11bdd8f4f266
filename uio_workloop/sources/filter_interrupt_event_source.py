"""Interrupts that a filter judges before anybody is bothered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Self

from uio_workloop.errors import BadArgumentError
from uio_workloop.interrupts.interrupt_line import InterruptProvider
from uio_workloop.loop.callback import check_callback
from uio_workloop.sources.interrupt_event_source import InterruptAction, InterruptEventSource

InterruptFilter = Callable[[Any], bool]
"""`filter(sender)`: whether the interrupt is the sender's."""


class FilterInterruptEventSource(InterruptEventSource):
    """An interrupt source whose `filter(sender)` says whether an interrupt is its own.

    The filter is asked once each time the line is drained, before the action and with the gate open, also while an
    action runs on another thread. True: the interrupts count, and the action is called. False: they do not
    (`statistics.rejected` has them), and the line is opened again at once, unless the source is disabled. A filter that
    raises counts as false, and the loop's rule for errors applies.

    In a filter: read status, count, `signal_interrupt()`, `disable()` its own source. No gate, no waiting; whatever
    takes the gate raises `UsageError`.

    Args:
        filter: called on the work-loop thread, gate open (or on a thread that enables the source or runs the sources).

    Raises:
        BadArgumentError: there is no filter.
    IOKit: IOFilterInterruptEventSource.
    """

    def __init__(
        self,
        provider: InterruptProvider | None,
        action: InterruptAction | None,
        filter: InterruptFilter,  # noqa: A002 - IOKit's word
        *,
        index: int = 0,
        owner: object = None,
        name: str | None = None,
    ) -> None:
        check_callback(filter, name or type(self).__name__, "filter")
        self._filter = filter
        self._filter_raised = False
        super().__init__(provider, action, index=index, owner=owner, name=name)

    @classmethod
    def filter_interrupt_event_source(
        cls,
        owner: object,
        action: InterruptAction | None,
        filter: InterruptFilter,  # noqa: A002
        provider: InterruptProvider,
        int_index: int = 0,
    ) -> Self:
        """The constructor with IOKit's order of arguments. IOKit: filterInterruptEventSource."""
        return cls(provider, action, filter, index=int_index, owner=owner)

    @classmethod
    def interrupt_event_source(cls, *args: object, **kwargs: object) -> NoReturn:
        """Refused: it has no place for the filter. IOKit: hidden, and fails, too."""
        raise BadArgumentError(f"a {cls.__name__} needs a filter; make it with filter_interrupt_event_source()")

    @property
    def filter_action(self) -> InterruptFilter:
        """The filter. IOKit: getFilterAction."""
        return self._filter

    def signal_interrupt(self, n: int = 1) -> None:
        """Count `n` interrupts and have the action called, without touching line or timestamp.

        A filter that has dealt with the device itself calls this and answers false: the action runs, the line stays
        open.

        Context: any thread, gate held or open; never waits.
        Raises:
            NotAttachedError: the source is on no loop.
            BadArgumentError: `n` is not positive.
        IOKit: IOFilterInterruptEventSource::signalInterrupt.
        """
        loop = self._loop_to_trigger_on(n)
        self._occurred.append(n)
        loop.dispatch.signal(self)

    def normal_interrupt_occurred(self, provider: InterruptProvider | None, source: int, n: int = 1) -> None:
        """Ask the filter. IOKit: IOFilterInterruptEventSource::normalInterruptOccurred."""
        self._ask(n)

    def disable_interrupt_occurred(self, provider: InterruptProvider | None, source: int, n: int = 1) -> None:
        """Ask the filter. IOKit: disableInterruptOccurred; here the kernel has masked before the filter is asked."""
        self._ask(n)

    def _ask(self, n: int) -> None:
        try:
            mine = bool(self._filter(self))
        except BaseException:
            self._filter_raised = True
            self._reject(n)
            raise
        if self._filter_raised:
            self._filter_raised = False
            self._errors_in_a_row = 0  # the filter's; those of the action end with its next success
        if mine:
            self._occurred.append(n)  # whoever asked has the source visited
        else:
            self._reject(n)

    def _reject(self, n: int) -> None:
        if self._work_loop is not None and self._work_loop.dispatch.in_ready_phase:  # not if software triggered it
            self._rejected += n
            if self._enabled and self._pending:  # else whoever asked opens the line
                self._unmask()
