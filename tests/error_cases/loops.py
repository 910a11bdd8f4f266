"""The work loop, its gate and its sources."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from error_cases.case import Case, public_names
from uio_workloop import (
    CommandGate,
    EventSource,
    InterruptEventSource,
    SharedInterrupt,
    SoftwareInterrupt,
    TimerEventSource,
    WorkLoop,
)
from uio_workloop.loop import deadlock


class PlainFile(EventSource):
    """A source whose descriptor cannot be polled."""

    def __init__(self, fd: int) -> None:
        super().__init__(name="plain file")
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


class Threads:
    """What other threads do in between."""

    def __init__(self, loop: WorkLoop, other: WorkLoop, undo: ExitStack) -> None:
        self._loop, self._other, self._undo = loop, other, undo
        self._main = threading.get_ident()

    def _start(self, work: Callable[[threading.Event], object]) -> threading.Thread:
        begun = threading.Event()
        thread = threading.Thread(target=work, args=(begun,), name="another thread")
        self._undo.callback(thread.join)
        thread.start()
        begun.wait()
        return thread

    def _hold(self, gate: Any, until: threading.Event) -> None:
        def hold(begun: threading.Event) -> None:
            with gate:
                begun.set()
                until.wait()

        self._start(hold)

    def do(self, work: Callable[[], object]) -> None:
        """In another thread; what it raises is raised here."""
        with ThreadPoolExecutor(1) as pool:
            pool.submit(work).result()

    def hold_the_gate(self) -> None:
        """Until the end."""
        over = threading.Event()
        self._hold(self._loop.gate, over)
        self._undo.callback(over.set)

    def close_the_loop(self) -> None:
        """Once this thread waits for its gate."""

        def close(begun: threading.Event) -> None:
            with self._loop.gate:
                begun.set()
                until_waiting(self._main)
                self._loop.close()

        self._start(close)

    def take_both_gates(self) -> None:
        """The other one first; returns when it waits for ours."""

        def take(begun: threading.Event) -> None:
            with self._other.gate:
                begun.set()
                self._loop.run_action(int)

        until_waiting(self._start(take).ident)


def until_waiting(thread: int | None) -> None:
    while thread not in deadlock._waits:
        os.sched_yield()


@contextmanager
def loops() -> Iterator[dict[str, Any]]:
    """Two loops, sources of every kind, and whoever gets in the way."""
    with ExitStack() as undo:
        enter = undo.enter_context
        file = os.memfd_create("plain")  # epoll takes no file of a disk, and none of memory
        undo.callback(os.close, file)
        loop, other, closed = enter(WorkLoop("drivers")), enter(WorkLoop("others")), WorkLoop("old")
        closed.close()
        undo.callback(loop.close)
        another = enter(SoftwareInterrupt())
        line, taken = enter(SoftwareInterrupt()), enter(SoftwareInterrupt(name="taken line"))
        shared = enter(SharedInterrupt(enter(SoftwareInterrupt(name="shared line"))))
        gone = TimerEventSource(print, name="old timer")
        gone.close()
        made: dict[str, Any] = {
            "timer": TimerEventSource(print),
            "idle": TimerEventSource(),
            "gate": CommandGate(),
            "source": InterruptEventSource(line, print),
            "client": InterruptEventSource(shared, print),
            "other_client": InterruptEventSource(shared, print),
            "plain": PlainFile(file),
            "holder": InterruptEventSource(taken, print),
        }
        for each in made.values():
            undo.callback(each.close)
        threads = undo.enter_context(ExitStack())
        elsewhere = Threads(loop, other, threads)

        def soon(work: Callable[[], object]) -> None:
            """On the loop's thread, once the gate is let go."""
            timer = threads.enter_context(TimerEventSource(lambda sender: work()))
            loop.add_event_source(timer)
            timer.set_timeout_ns(0)

        async def wait_for_data(sender: Any, count: int) -> None: ...

        names = {
            "another": another,
            "loop": loop,
            "other": other,
            "closed": closed,
            "line": line,
            "taken": taken,
            "shared": shared,
        }
        more = {"gone": gone, "elsewhere": elsewhere, "soon": soon, "wait_for_data": wait_for_data}
        yield {**public_names(), **made, **names, **more}


@contextmanager
def attached() -> Iterator[dict[str, Any]]:
    """The same, with a command gate and a timer on the loop."""
    with loops() as names:
        names["loop"].add_event_source(names["gate"])
        names["loop"].add_event_source(names["timer"])
        yield names


def each(error: str, *lines: str) -> list[Case]:
    return [Case(line, error, loops) for line in lines]


def on_loop(error: str, line: str, did: str = "") -> Case:
    return Case(line, error, attached, did)


CLIENT = "other.add_event_source(client); loop.add_event_source(shared); client.enable()"
SHARED_LATER = "loop.add_event_source(client); client.enable()"
REMOVED = "with loop.gate: gate.disable(); soon(lambda: loop.remove_event_source(gate)); gate.run_action(print)"
CLOSED = "with loop.gate: gate.disable(); soon(loop.close); gate.run_action(print)"

CASES = {
    "Work loops and their gates": [
        *each("BadArgumentError", "WorkLoop(max_consecutive_errors=0)", "WorkLoop(on_error=5)"),
        *each("BadArgumentError", "loop.set_maximum_lock_time(1.5)", "loop.run_action(5)", "loop.attempt_action(None)"),
        *each("BadArgumentError", "loop.add_event_source(print)", "loop.add_event_source(plain)"),
        on_loop("AlreadyAttachedError", "other.add_event_source(timer)"),
        *each("NotAttachedError", "loop.remove_event_source(timer)", "timer.signal_work_available()"),
        *each("ClosedError", "closed.run_action(print)", "loop.add_event_source(gone)", "gone.set_timeout_ms(1)"),
        *each("GateNotHeldError", 'loop.gate.sleep("data")'),
        *each("BadArgumentError", 'with loop.gate: loop.gate.sleep("data", 1000)', "Deadline.after(-1)"),
        *each("GateBusyError", "elsewhere.hold_the_gate(); loop.attempt_action(print)"),
        *each("DeadlineExceededError", "elsewhere.hold_the_gate()\nwith loop.gate.within(Deadline.after(0)): pass"),
        *each("AbortedError", "elsewhere.close_the_loop(); loop.run_action(print)"),
        *each("DeadlockError", "with loop.gate: elsewhere.take_both_gates(); other.run_action(print)"),
        *each("UsageError", "with loop.gate: loop.run_until_signal()"),
        *each("WrongThreadError", "elsewhere.do(loop.run_until_signal)"),
    ],
    "Event sources": [
        *each("BadArgumentError", 'InterruptEventSource("/dev/uio0", print)', 'InterruptEventSource(line, "print")'),
        *each("BadArgumentError", "InterruptEventSource(UioDevice, print)", "SharedInterrupt(5)"),
        *each("BadArgumentError", "InterruptEventSource(line, wait_for_data)"),
        *each("BadArgumentError", "FilterInterruptEventSource.interrupt_event_source(line, print)"),
        *each("BadArgumentError", "FilterInterruptEventSource(line, print, None)", 'SoftwareInterrupt("rising")'),
        *each("NoInterruptError", "InterruptEventSource(another, print, index=1)"),
        *each("NoInterruptError", "InterruptEventSource(shared, print, index=1)"),
        *each("NoResourcesError", "InterruptEventSource(taken, print)"),
        *each("BadArgumentError", "shared.claim_interrupt(0, line)"),
        *each(
            "NotAttachedError",
            "source.enable()",
            "source.interrupt_occurred(None, None, 1)",
            "source.warm_cpu(1)",
            SHARED_LATER,
        ),
        *each("UsageError", CLIENT),
        *each("BadArgumentError", "source.interrupt_occurred(None, None, 0)", "line.cause(0)"),
        *each("ClosedError", "line.close(); line.cause()"),
        *each("BadArgumentError", "timer.set_timeout_ms(-1)", "timer.wake_at_time_ns(0)", "timer.set_timeout(1, 0)"),
        *each("BadArgumentError", "timer.set_timeout_ms(1, leeway_ns=-1)"),
        *each("TypeError", "timer.set_timeout_ms(0.5)"),
        *each("NoResourcesError", "idle.set_timeout_ms(1)"),
        *each("NotAttachedError", "gate.run_action(print)"),
        on_loop("BadArgumentError", "gate.run_command()"),
        on_loop("BadArgumentError", "gate.run_action(5)"),
        on_loop("SourceDisabledError", "with loop.gate: gate.disable(); gate.attempt_action(print)"),
        on_loop("DeadlineExceededError", "with loop.gate: gate.disable(); gate.run_action(print, timeout_ns=0)"),
        on_loop("AbortedError", REMOVED),
        on_loop("AbortedError", CLOSED),
    ],
}
