"""Interrupts as QNX has them: what is refused there has an errno, and Python picks the class."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from helpers import DEADLINE_S, Departing

from error_cases.case import Case, Outcome
from uio_workloop import InterruptEventSource, SoftwareInterrupt, WorkLoop, qnx
from uio_workloop._linux import signals
from uio_workloop.qnx import dispatcher as dispatching
from uio_workloop.qnx.thread_record import my_record
from uio_workloop.testing import fence

ANY_SIGNAL = signal.SIGUSR1


def execute(line: str, names: dict[str, Any]) -> Outcome:
    """Execute the line; an error by its errno, if it is one that has it."""
    try:
        exec(line, names)
    except OSError as error:
        code, sentence = name_of(error.errno), str(error.strerror)
    except BaseException as error:  # what comes is what is wanted
        return Outcome(type(error).__name__, str(error))
    else:
        return Outcome("nothing", "")
    return Outcome(code, re.sub(r"(attachment|id|to interrupt) [1-9][0-9]{0,4}\b", r"\1 N", sentence))


def execute_in_child(line: str, names: dict[str, Any]) -> Outcome:
    """As `execute`, in a process that was forked for it."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with threads
        child = os.fork()
    if child == 0:
        try:
            os.write(writer, "\n".join(execute(line, names)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as told:
        error, _, sentence = told.read().partition("\n")
    os.waitpid(child, 0)
    return Outcome(error, sentence)


def name_of(code: int | None) -> str:
    """As QNX's pages spell it; Linux has two words for one number."""
    return "EDEADLK" if code == errno.EDEADLK else errno.errorcode.get(code or 0, str(code))


class Meanwhile:
    """What happens while this thread waits."""

    def __init__(self, undo: ExitStack) -> None:
        self._undo = undo

    def soon(self, work: Callable[[], object]) -> None:
        """In another thread, as soon as this one waits for an interrupt."""
        record = my_record()

        def act() -> None:
            while record._bell is None:
                os.sched_yield()
            work()

        self._start(act)

    def signal_comes(self) -> None:
        """A signal whose handler returns, as soon as this thread waits."""
        handled = threading.Event()
        before = signal.signal(ANY_SIGNAL, lambda number, frame: handled.set())
        self._undo.callback(signal.signal, ANY_SIGNAL, before)
        me = threading.get_ident()

        def send() -> None:
            while not handled.is_set():  # one that comes before the thread sleeps is handled when it wakes
                signal.pthread_kill(me, ANY_SIGNAL)
                handled.wait(0.05)

        self.soon(send)

    def in_handler(self, work: Callable[[], object]) -> None:
        """In a handler; what it raises is raised here."""
        raised: list[BaseException] = []

        def handler(area: object, id: int) -> None:  # noqa: A002 - QNX's word
            try:
                work()
            except BaseException as error:  # raised, or told, where the test is
                raised.append(error)
            called.set()

        called = threading.Event()
        with SoftwareInterrupt() as line:
            attached = qnx.interrupt_attach(line, handler)
            line.cause()
            assert called.wait(DEADLINE_S)
            qnx.interrupt_detach(attached)
        for error in raised:
            raise error

    def _start(self, work: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=work)
        self._undo.callback(thread.join)
        thread.start()
        return thread


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Nothing more can be opened."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


def public_names() -> dict[str, Any]:
    return {name: getattr(qnx, name) for name in qnx.__all__}


def detach_all() -> None:
    while (dispatcher := dispatching.current()) is not None:
        for each in tuple(dispatcher.attachments):
            qnx.interrupt_detach(each)


@contextmanager
def interrupts() -> Iterator[dict[str, Any]]:
    """Interrupts of every kind, and whoever gets in the way; nothing is attached yet."""
    with ExitStack() as undo:
        enter = undo.enter_context
        loop = enter(WorkLoop("drivers"))
        names: dict[str, Any] = {
            "line": enter(SoftwareInterrupt(name="line")),
            "other": enter(SoftwareInterrupt(name="other")),
            "closed": SoftwareInterrupt(name="closed"),
            "taken": enter(SoftwareInterrupt(name="taken")),
            "departing": enter(Departing()),
            "loop": loop,
            "channel": enter(qnx.Channel()),
            "closed_channel": qnx.Channel(),
            "small_channel": enter(qnx.Channel(maxsize=1)),
            "receiver": enter(qnx.SignalReceiver([signal.SIGRTMIN])),
            "closed_receiver": qnx.SignalReceiver([signal.SIGRTMIN + 1]),
            "spin": qnx.InterruptSpin(),
            "word": memoryview(bytearray(4)).cast("I"),
            "released": memoryview(bytearray(4)).cast("I"),
            "SIGRTMIN": int(signal.SIGRTMIN),
            "no_descriptor_left": no_descriptor_left(),
        }
        for each in ("closed", "closed_channel", "closed_receiver"):
            names[each].close()
        names["released"].release()
        undo.enter_context(InterruptEventSource(names["taken"], print))
        undo.callback(detach_all)
        meanwhile = Meanwhile(enter(ExitStack()))

        def wait_for_the_gate(area: object, id: int) -> None:  # noqa: A002 - QNX's word
            loop.run_action(int)

        def until_it_waits() -> None:
            while not loop.gate.waiting:
                os.sched_yield()

        helpers = {"wait_for_the_gate": wait_for_the_gate, "until_it_waits": until_it_waits}
        more = {name: getattr(meanwhile, name) for name in ("soon", "signal_comes", "in_handler")}
        yield {**public_names(), **names, **helpers, **more, "run": execute}


@contextmanager
def rare_processor() -> Iterator[dict[str, Any]]:
    """The same, on a machine whose system calls nobody has numbered."""
    known = signals._numbers
    try:
        signals._numbers = lambda: None
        with interrupts() as names:
            yield names
    finally:
        signals._numbers = known


@contextmanager
def attached() -> Iterator[dict[str, Any]]:
    """The same; this thread has attached what it can wait for."""
    with interrupts() as names:
        yield {**names, "id": qnx.interrupt_attach_event(names["line"], qnx.SigevIntr())}


@contextmanager
def forked() -> Iterator[dict[str, Any]]:
    """The same, asked in a child of this process."""
    with attached() as names:
        yield {**names, "run": execute_in_child}


@contextmanager
def left() -> Iterator[dict[str, Any]]:
    """The same, to a device that has left since."""
    with interrupts() as names:
        attachment = qnx.interrupt_attach_event(names["departing"], qnx.SigevIntr())
        names["departing"].leave()
        dispatcher = dispatching.current()
        assert dispatcher is not None
        fence(dispatcher.loop)  # it may be looking again at what it served last
        fence(dispatcher.loop)
        yield {**names, "id": attachment}


def each(error: str, *lines: str) -> list[Case]:
    return [Case(line, error, interrupts) for line in lines]


def with_id(error: str, *lines: str) -> list[Case]:
    return [Case(line, error, attached) for line in lines]


def attach(event: str) -> str:
    return f"interrupt_attach_event(line, {event})"


OTHER = "other_id = interrupt_attach_event(line, SigevNone()); interrupt_mask(line, other_id); "
CROSSED = "with loop.gate: id = interrupt_attach(line, wait_for_the_gate); line.cause(); until_it_waits(); "

CASES = {
    "Interrupts as QNX has them": [
        *each("TypeError", "interrupt_attach_event(4.5, SigevIntr())", "interrupt_attach_event(True, SigevIntr())"),
        *each("TypeError", attach("SigevIntr"), 'interrupt_attach(line, "handler")'),
        *each("EINVAL", "interrupt_attach_event(-1, SigevIntr())", 'interrupt_attach_event("IRQ7", SigevIntr())'),
        *each("EINVAL", "interrupt_attach_event(closed, SigevIntr())", attach("SigevIntr(), 0x10")),
        *each("ENOTSUP", attach("SigevIntr(), 0x80")),
        *each("EBUSY", "interrupt_attach_event(taken, SigevIntr())"),
        *with_id("EBUSY", attach("SigevIntr(), IntrFlags.EXCLUSIVE")),
        *each("EBUSY", f"{attach('SigevIntr(), IntrFlags.EXCLUSIVE')}; {attach('SigevIntr()')}"),
        *each("EAGAIN", "while True: " + attach("SigevNone()")),
        *each("EAGAIN", f"with no_descriptor_left: {attach('SigevIntr()')}"),
        Case("interrupt_mask(departing, id)", "ENODEV", left, "the device has left"),
        *each("TypeError", attach("SigevPulse(print)"), attach("SigevSem(None)"), attach("SigevThread(5)")),
        *each("TypeError", attach("SigevMemory(bytearray(4), 1)")),
        *each("EINVAL", attach("SigevPulse(closed_channel)"), attach("SigevPulse(channel, code=128)")),
        *each("EINVAL", attach("SigevPulse(channel, priority=256)"), attach("SigevSem(-1)")),
        *each("EINVAL", attach("SigevSignal(0)"), attach("SigevSignalCode(SIGRTMIN, code=0)")),
        *each("EINVAL", attach("SigevSignal(SIGRTMIN, 1 << 31)")),
        *each("EINVAL", attach("SigevMemory(memoryview(bytearray(4)), 1)"), attach("SigevMemory(word, -1)")),
        *each("EINVAL", attach("SigevMemory(word, 1, 9)"), attach("SigevMemory(released, 1)")),
        *each("ENOTSUP", attach("SigevUnblock()")),
        Case(attach("SigevSignal(SIGRTMIN, 1)"), "ENOTSUP", rare_processor, "on a processor that is not known"),
        *with_id("EINVAL", "interrupt_detach(id); interrupt_detach(id)"),
        *each("EDEADLK", CROSSED + "interrupt_detach(id)"),
        *with_id("EINVAL", "interrupt_mask(None)", "interrupt_mask(other)"),
        *with_id("EINVAL", "interrupt_mask(other, id)"),
        *with_id("EINVAL", "interrupt_mask(id)"),
        *each("ESRCH", "interrupt_mask(line, 99999999)"),
        *with_id("EAGAIN", "interrupt_unmask(line)", "interrupt_unmask(line, id)"),
        *with_id("EAGAIN", f"{OTHER}interrupt_unmask(line, id)", f"{OTHER}interrupt_unmask(line)"),
        Case("interrupt_unmask(line, id)", "EPERM", forked, "in the child of a fork"),
        *each("EPERM", "interrupt_wait()"),
        *with_id("EINVAL", "interrupt_wait(4)", "interrupt_wait(timeout_ns=-1)"),
        *with_id("ENOTSUP", "interrupt_wait(WaitFlags.FAST, timeout_ns=0)"),
        *with_id("ETIMEDOUT", "interrupt_wait(timeout_ns=0)"),
        *with_id("ETIMEDOUT", "interrupt_mask(line, id); interrupt_wait(timeout_ns=1_000_000)"),
        *with_id("TypeError", "interrupt_wait(IntrFlags.NO_UNMASK)", attach("SigevIntr(), WaitFlags.UNMASK")),
        *with_id("ESRCH", "soon(lambda: interrupt_detach(id)); interrupt_wait()"),
        Case("interrupt_wait()", "ENODEV", left, "the device has left"),
        *with_id("EINTR", "signal_comes(); interrupt_wait()"),
        *each("EDEADLK", "in_handler(interrupt_wait)", "in_handler(channel.receive_pulse)"),
        *each("EINVAL", "timer_timeout(TimeoutState(0), 1)", "timer_timeout(TimeoutState.INTR, 0.5)"),
        *each("EINVAL", "Channel(maxsize=0)", "channel.send_pulse(10, -129)", "channel.send_pulse(256, 0)"),
        *each("EAGAIN", "with no_descriptor_left: Channel()"),
        *each("EAGAIN", "small_channel.send_pulse(10, 0); small_channel.send_pulse(10, 0)"),
        *each("EBADF", "closed_channel.send_pulse(10, 0)"),
        *each("ESRCH", "closed_channel.receive_pulse()"),
        *each("ETIMEDOUT", "channel.receive_pulse(0)", "receiver.receive(0)"),
        *each("EINVAL", "SignalReceiver([0])"),
        *each("EAGAIN", "with no_descriptor_left: SignalReceiver([SIGRTMIN])"),
        *each("ESRCH", "closed_receiver.receive()"),
        *each("EDEADLK", "interrupt_lock(spin); interrupt_lock(spin)"),
        *each("EPERM", "interrupt_unlock(spin)"),
        *each("TypeError", "interrupt_lock(None)"),
    ]
}
