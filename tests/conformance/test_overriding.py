"""The hooks of interrupt sources: overriding one changes what happens, as in IOKit."""

from __future__ import annotations

import pytest
from device_rigs import put_to_work

from uio_workloop import FilterInterruptEventSource, InterruptEventSource, Trigger, UsageError
from uio_workloop.testing import fence


class Watched(InterruptEventSource):
    """Writes down which primary handler was called, with what, and by whom."""

    def __init__(self, *args, **how):
        self.primary = []
        super().__init__(*args, **how)

    def normal_interrupt_occurred(self, provider, source, n):
        self._note("normal", provider, source, n)
        super().normal_interrupt_occurred(provider, source, n)

    def disable_interrupt_occurred(self, provider, source, n):
        self._note("disable", provider, source, n)
        super().disable_interrupt_occurred(provider, source, n)

    def _note(self, handler, provider, source, n):
        loop = self.work_loop
        self.primary.append((handler, provider, source, n, loop.on_thread(), loop.in_gate()))


HANDLER = {Trigger.EDGE: "normal", Trigger.LEVEL: "disable"}


@pytest.mark.statement(60, 75)
def test_the_handler_of_the_trigger_is_called_on_the_loops_thread_with_the_gate_open(rig, work_loop, seen):
    source = rig.attach(work_loop, seen, kind=Watched)
    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert source.primary == [(HANDLER[rig.trigger], rig.provider, 0, 1, True, False)]


@pytest.mark.statement(55)
def test_what_software_signals_goes_through_the_handler_that_does_not_mask(rig, work_loop, seen):
    source = rig.attach(work_loop, seen, kind=Watched)
    source.interrupt_occurred(n=3)
    seen.wait_for_calls(1)
    fence(work_loop)

    assert [(handler, provider, n) for handler, provider, _, n, _, _ in source.primary] == [("normal", None, 3)]
    assert seen.counts == [3]


@pytest.mark.statement(55)
def test_what_is_signalled_in_the_providers_name_goes_through_the_handler_of_the_trigger(rig, work_loop, seen):
    source = rig.attach(work_loop, seen, kind=Watched)
    source.interrupt_occurred(rig.provider, 0)
    seen.wait_for_calls(1)

    assert [handler for handler, *_ in source.primary] == [HANDLER[rig.trigger]]


def test_an_interrupt_that_a_subclass_swallows_is_not_counted(rig, work_loop, seen):
    class Deaf(InterruptEventSource):
        def normal_interrupt_occurred(self, provider, source, n):
            rig.acknowledge()

        disable_interrupt_occurred = normal_interrupt_occurred

    source = rig.attach(work_loop, seen, kind=Deaf)
    rig.cause()
    fence(work_loop)
    rig.cause()
    fence(work_loop)

    assert (seen.calls, source.producer_count) == ([], 0)


def test_an_interrupt_that_a_subclass_multiplies_is_counted_as_often(rig, work_loop, seen):
    class Eager(InterruptEventSource):
        def normal_interrupt_occurred(self, provider, source, n):
            super().normal_interrupt_occurred(provider, source, 10 * n)

        def disable_interrupt_occurred(self, provider, source, n):
            super().disable_interrupt_occurred(provider, source, 10 * n)

    rig.attach(work_loop, seen, kind=Eager)
    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert seen.counts == [10]


@pytest.mark.statement(55)
def test_the_dispatcher_decides_which_handler_software_reaches_and_hardware_does_not_ask_it(rig, work_loop, seen):
    class AlwaysNormal(Watched):
        def interrupt_occurred(self, provider=None, source=0, n=1):
            self.normal_interrupt_occurred(provider, source, n)
            self.signal_work_available()

    source = rig.attach(work_loop, seen, kind=AlwaysNormal)
    source.interrupt_occurred(rig.provider)
    seen.wait_for_calls(1)
    rig.cause()
    seen.wait_for_calls(2)

    assert [handler for handler, *_ in source.primary] == ["normal", HANDLER[rig.trigger]]


def test_registration_is_asked_of_the_hook_at_construction_and_undone_at_close(rig, work_loop, seen):
    class Registering(InterruptEventSource):
        calls: list[tuple[str, object, int]]

        def register_interrupt_handler(self, provider, index):
            self.calls = [("register", provider, index)]
            super().register_interrupt_handler(provider, index)

        def unregister_interrupt_handler(self, provider, index):
            self.calls.append(("unregister", provider, index))
            super().unregister_interrupt_handler(provider, index)

    source = rig.attach(work_loop, seen, kind=Registering)
    work_loop.remove_event_source(source)
    work_loop.add_event_source(source)
    assert source.calls == [("register", rig.provider, 0)]

    source.close()
    source.close()
    assert source.calls == [("register", rig.provider, 0), ("unregister", rig.provider, 0)]


def test_a_registration_that_is_refused_leaves_nothing_registered(rig, work_loop, seen):
    class Refusing(InterruptEventSource):
        def register_interrupt_handler(self, provider, index):
            super().register_interrupt_handler(provider, index)
            raise UsageError("not today")

    with pytest.raises(UsageError, match="not today"):
        Refusing(rig.provider, seen)

    rig.attach(work_loop, seen)
    rig.cause()
    seen.wait_for_calls(1)


def test_free_is_called_once_and_last(rig, work_loop, seen):
    freed = []

    class Freed(InterruptEventSource):
        def free(self):
            freed.append((self.closed, self.work_loop))
            super().free()

    source = rig.attach(work_loop, seen, kind=Freed)
    source.close()
    source.close()

    assert freed == [(True, None)]
    assert source.int_index == -1


def test_a_subclass_may_keep_the_walk_from_its_source(rig, work_loop, seen):
    class Busy(InterruptEventSource):
        patience = 2

        def check_for_work(self):
            if self.patience:
                self.patience -= 1
                return True
            return super().check_for_work()

    source = rig.attach(work_loop, seen, kind=Busy)
    rig.cause()
    seen.wait_for_calls(1)
    fence(work_loop)

    assert (seen.counts, source.patience) == ([1], 0)


def test_the_handlers_of_a_filter_source_ask_the_filter(rig, work_loop, seen):
    asked = []

    def answer(sender):
        rig.acknowledge()
        asked.append(sender)
        return True

    class Unfiltered(FilterInterruptEventSource):
        """Goes round the filter: counts whatever comes."""

        def normal_interrupt_occurred(self, provider, source, n):
            self.signal_interrupt(n)

        disable_interrupt_occurred = normal_interrupt_occurred

    source = rig.attach_filter(work_loop, seen, answer)
    rig.cause()
    seen.wait_for_calls(1)
    source.close()
    rig.attach_filter(work_loop, seen, answer, kind=Unfiltered)
    rig.cause()
    seen.wait_for_calls(2)
    fence(work_loop)

    assert asked == [source]
    assert seen.counts == [1, 1]


def test_the_loop_tells_a_source_where_it_is_through_the_hook(rig, work_loop, seen):
    told = []

    class Told(InterruptEventSource):
        def set_work_loop(self, work_loop):
            told.append(work_loop)
            super().set_work_loop(work_loop)

    with put_to_work(work_loop, Told(rig.provider, rig.acknowledging(seen))) as source:
        work_loop.remove_event_source(source)

    assert told == [work_loop, None]


def test_the_factories_make_what_the_constructors_make(rig, seen):
    with InterruptEventSource.interrupt_event_source("owner", seen, rig.provider, 0) as source:
        assert (source.owner, source.action, source.provider, source.int_index) == ("owner", seen, rig.provider, 0)
    with FilterInterruptEventSource.filter_interrupt_event_source("owner", seen, bool, rig.provider, 0) as source:
        assert (source.owner, source.filter_action, source.int_index) == ("owner", bool, 0)
