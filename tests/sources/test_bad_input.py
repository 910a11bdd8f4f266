"""What a source, a timer or the gate cannot take is refused in one sentence, and nothing has changed."""

from __future__ import annotations

import functools

import pytest

from uio_workloop import (
    BadArgumentError,
    CommandGate,
    Deadline,
    EventSource,
    FilterInterruptEventSource,
    InterruptEventSource,
    SharedInterrupt,
    SoftwareInterrupt,
    TimerEventSource,
    WaitResult,
)


def nothing(*arguments):
    pass


@pytest.mark.parametrize(
    "make",
    [
        lambda: InterruptEventSource(None, 5),
        lambda: FilterInterruptEventSource(None, 5, nothing),
        lambda: TimerEventSource(5),
        lambda: CommandGate(5),
        lambda: EventSource(5),
        lambda: EventSource(nothing).set_action(5),
    ],
)
def test_an_action_that_cannot_be_called_is_refused(make):
    with pytest.raises(BadArgumentError, match="cannot call 5: its action is a function"):
        make()


async def asynchronous(*arguments):
    pass


def generator(*arguments):
    yield


class Asynchronous:
    async def __call__(self, *arguments):
        pass

    async def method(self, *arguments):
        pass


@pytest.mark.parametrize(
    ("fn", "kind"),
    [
        (asynchronous, "an async function"),
        (generator, "a generator function"),
        (functools.partial(asynchronous, 1), "an async function"),
        (Asynchronous().method, "an async function"),
        (Asynchronous(), "an async function"),
    ],
)
def test_what_would_do_nothing_when_called_is_refused(fn, kind):
    with pytest.raises(BadArgumentError, match=f"InterruptEventSource cannot have {kind} as its action: nobody would"):
        InterruptEventSource(None, fn)
    with pytest.raises(BadArgumentError, match=f"shy cannot have {kind} as its filter"):
        FilterInterruptEventSource(None, nothing, fn, name="shy")


@pytest.mark.parametrize("fn", [nothing, functools.partial(nothing, 1), print, str.upper, [].append, dict])
def test_whatever_can_be_called_is_an_action(fn):
    InterruptEventSource(None, fn).close()


def test_a_line_is_not_left_taken_by_a_source_that_was_refused(line):
    with pytest.raises(BadArgumentError):
        InterruptEventSource(line, 5)
    InterruptEventSource(line, nothing).close()


def test_what_provides_no_interrupts_is_refused_with_what_does():
    with pytest.raises(BadArgumentError, match=r"'/dev/uio0' provides no interrupts; give what find_device.. opens"):
        InterruptEventSource("/dev/uio0", nothing)


def test_a_trigger_is_taken_by_name_too_and_another_word_is_refused():
    with SoftwareInterrupt("level") as line:
        source = InterruptEventSource(line, nothing)
        assert source.auto_disable
    with pytest.raises(BadArgumentError, match=r"cannot be 'falling'-triggered; write Trigger.LEVEL or Trigger.EDGE"):
        SoftwareInterrupt("falling")


class Uninitialised(EventSource):
    def __init__(self):
        pass

    def __repr__(self):
        return "uninitialised"


@pytest.mark.parametrize("source", [3, Uninitialised()], ids=["a number", "a source whose base was not initialised"])
def test_what_is_no_event_source_is_not_added(work_loop, source):
    with pytest.raises(BadArgumentError, match="it is no EventSource whose super"):
        work_loop.add_event_source(source)
    assert work_loop.event_sources == ()


def test_a_number_is_no_deadline(work_loop):
    with work_loop.gate, pytest.raises(BadArgumentError, match=r"50 is no deadline; write Deadline.after\(NS\)"):
        work_loop.gate.sleep("token", 50)
    with pytest.raises(BadArgumentError, match="50 is no deadline"), work_loop.gate.within(50):
        pass
    with work_loop.gate:
        assert work_loop.gate.sleep("token", Deadline(1)) is WaitResult.TIMED_OUT


@pytest.mark.parametrize("scale", [0, -1])
def test_a_scale_below_one_is_refused(scale):
    with TimerEventSource(nothing) as timer:
        with pytest.raises(BadArgumentError, match=f"in units of {scale} ns: a scale is 1 or more"):
            timer.set_timeout(1, scale)
        with pytest.raises(BadArgumentError, match=f"in units of {scale} ns: a scale is 1 or more"):
            timer.wake_at_time(1, scale)
        assert timer.abstime == 0


def test_sources_are_called_what_they_are_named(line):
    named = [
        InterruptEventSource(line, nothing, name="a name"),
        FilterInterruptEventSource(None, nothing, nothing, name="a name"),
        TimerEventSource(nothing, name="a name"),
        CommandGate(nothing, name="a name"),
    ]
    assert {each.name for each in named} == {"a name"}
    for each in named:
        each.close()
    with SharedInterrupt(line) as shared:
        assert shared.name == "SharedInterrupt on line"
