"""Awkward moments: forks, refusals, exceptions of signal handlers, and hands where they do not belong."""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import threading
from contextlib import suppress

import pytest
from helpers import DEADLINE_S, Background, Stage, await_queue
from qnx_rig import DEADLINE_NS, TRACKED, Note, fire, in_thread, settle

from uio_workloop import SoftwareInterrupt
from uio_workloop.qnx import (
    Channel,
    IntrFlags,
    SigevIntr,
    SigevNone,
    SigevSem,
    SignalReceiver,
    WaitFlags,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_disable,
    interrupt_enable,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unmask,
    interrupt_wait,
    sigevent,
    timer_timeout,
)
from uio_workloop.qnx import dispatcher as dispatching

forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


class Refusing(SoftwareInterrupt):
    """A line that can be told to refuse being masked or unmasked."""

    refused = ""

    def mask(self) -> None:
        self._check("mask")
        super().mask()

    def unmask(self) -> None:
        self._check("unmask")
        super().unmask()

    def _check(self, operation: str) -> None:
        if operation == self.refused:
            raise OSError(errno.EIO, "no answer")


def exit_code(child: int) -> int | None:
    """How it ended; None if it hangs, and had to be killed."""
    pidfd = os.pidfd_open(child)
    try:
        ended = select.select([pidfd], [], [], DEADLINE_S)[0]
    finally:
        os.close(pidfd)
    if not ended:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if ended else None


def errno_of(call, *arguments):
    with pytest.raises(OSError) as refused:  # noqa: PT011
        call(*arguments)
    return refused.value.errno


# Forks


@forks
def test_a_child_does_not_end_what_other_threads_of_its_parent_had_attached(attached, soft):
    attached.event(soft, SigevNone())
    stage = Stage()

    def attach_and_stay() -> None:
        interrupt_attach_event(soft, SigevIntr())
        with dispatching.current().loop.dispatch.poll_set._wake_lock:  # as any thread has it now and then
            stage.hold()

    thread = Background(attach_and_stay)
    stage.await_reached()
    child = os.fork()
    if not child:
        os._exit(0)
    code = exit_code(child)
    stage.release()
    thread.result()
    assert code == 0
    settle()


@forks
def test_in_a_child_a_word_of_memory_can_be_changed_whatever_the_parent_was_doing():
    with sigevent._memory:
        child = os.fork()
        if not child:
            os._exit(1 if sigevent._memory.locked() else 0)
    assert exit_code(child) == 0


@forks
def test_a_child_forked_in_a_handler_delivers_nothing_of_its_parent(attached, soft):
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    children = []

    def handler(area, id):  # noqa: A002
        child = os.fork()
        if child:
            children.append(child)

    attached.event(soft, SigevSem(fd), TRACKED | IntrFlags.END)
    attached.handler(soft, handler)
    fire(soft)
    exit_code(children[0])
    posted = os.eventfd_read(fd)
    os.close(fd)
    assert posted == 1


@forks
def test_what_a_child_receives_from_an_inherited_channel_leaves_the_parents_alone():
    with Channel() as channel:
        channel.send_pulse(1, 1)
        child = os.fork()
        if not child:
            try:
                channel.receive_pulse(0)
            finally:
                os._exit(0)
        exit_code(child)
        assert channel.receive_pulse(0).code == 1


# Nothing is left behind by what fails


class Unhashable(SoftwareInterrupt):
    __hash__ = None  # type: ignore[assignment]


def test_a_provider_that_cannot_be_hashed_is_attached_to_as_any_other(attached):
    with Unhashable() as line:
        told = []
        id = attached.event(line, Note(told, "fired"))  # noqa: A001
        fire(line)
        assert interrupt_unmask(line, id) == 0
        assert told == ["fired"]
        attached.detach_all()


def test_a_line_that_refuses_as_a_thread_ends_keeps_nothing_of_that_thread(attached):
    with Refusing() as bad, SoftwareInterrupt() as good:
        for line in (bad, good):
            attached.event(line, SigevNone())

        def attach_mask_and_die() -> None:
            for line in (bad, good):
                interrupt_mask(line, interrupt_attach_event(line, SigevIntr()))
            bad.refused = "unmask"

        in_thread(attach_mask_and_die)
        settle()
        bad.refused = ""
        assert interrupt_mask_count(good) == 0
        assert dispatching.current().users == 2
        attached.detach_all()


def test_a_wait_that_cannot_unmask_one_line_unmasks_the_others_the_next_time(attached):
    with Refusing() as bad, SoftwareInterrupt() as good:
        for line in (bad, good):
            attached.event(line, SigevIntr())
        fire(bad)
        fire(good)
        interrupt_wait(timeout_ns=DEADLINE_NS)
        bad.refused = "unmask"
        assert errno_of(interrupt_wait, WaitFlags.UNMASK, 0) == errno.EIO
        bad.refused = ""
        assert errno_of(interrupt_wait, WaitFlags.UNMASK, 0) == errno.ETIMEDOUT
        assert [interrupt_mask_count(line) for line in (bad, good)] == [0, 0]
        attached.detach_all()


def test_of_a_firing_whose_line_refuses_to_be_masked_everybody_is_told(attached):
    with Refusing() as line:
        told = []
        attached.event(line, Note(told, "fired"))
        line.refused = "mask"
        fire(line)
        line.refused = ""
        attached.detach_all()
        assert told == ["fired"]


# interrupt_disable


def test_once_disable_has_returned_nothing_is_delivered(attached, soft):
    stage, told, returned = Stage(), [], threading.Event()

    def handler(area, id):  # noqa: A002
        told.append(returned.wait(0.3))

    def disable() -> None:
        interrupt_disable()
        returned.set()

    attached.handler(soft, lambda area, id: stage.hold())  # noqa: A006
    attached.handler(soft, handler, flags=TRACKED | IntrFlags.END)
    soft.cause()
    stage.await_reached()
    disabling = Background(disable)
    while not dispatching.current().delivering.waiting:
        os.sched_yield()
    stage.release()
    disabling.result()
    settle()
    interrupt_enable()
    assert True not in told


def test_a_disable_that_is_refused_changes_nothing(attached, soft, work_loop):
    stage = Stage()

    def handler(area, id):  # noqa: A002
        stage.hold()
        work_loop.run_action(lambda: None)

    attached.handler(soft, handler)
    with work_loop.gate:
        soft.cause()
        stage.await_reached()
        stage.release()
        await_queue(work_loop)
        assert errno_of(interrupt_disable) == errno.EDEADLK
        disabled = dispatching.disabled
    interrupt_enable()
    assert not disabled


# Events of others


def test_an_event_of_ones_own_made_from_one_of_these_may_wait_for_who_masks(attached, soft):
    stage = Stage()

    class Waiting(SigevNone):
        def deliver(self, thread, id):  # noqa: A002
            stage.hold()
            return True

    id = attached.event(soft, Waiting())  # noqa: A001
    soft.cause()
    stage.await_reached()
    masked = threading.Event()
    masking = Background(lambda: (interrupt_mask(soft, id), masked.set()))
    finished = masked.wait(0.3)
    stage.release()
    masking.result()
    assert finished


# Arguments


def test_a_receiver_of_signals_may_have_a_descriptor_beyond_1023():
    soft_limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
    taken = [os.dup(0) for _ in range(1100)]
    try:
        with SignalReceiver([signal.SIGRTMIN + 3]) as receiver:
            assert errno_of(receiver.receive, 1_000_000) == errno.ETIMEDOUT
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft_limit, hard))


@pytest.mark.parametrize("states", ["1", 1.5, float("nan")])
def test_a_state_that_is_no_number_is_a_type_error(states):
    with pytest.raises(TypeError):
        timer_timeout(states, 1)


@pytest.mark.parametrize("flags", [None, "", 0.0, []])
def test_flags_of_a_wait_that_are_no_number_are_a_type_error(attached, soft, flags):
    attached.event(soft, SigevIntr())
    with pytest.raises(TypeError):
        interrupt_wait(flags, 0)


def test_what_is_no_spin_is_a_type_error():
    from uio_workloop.qnx import interrupt_lock

    with pytest.raises(TypeError):
        interrupt_lock(None)


# Exceptions of signal handlers


def test_a_receiver_that_a_signal_takes_away_leaves_the_pulse_to_another():
    before = signal.getsignal(signal.SIGUSR1)
    with Channel() as channel:
        handling, sent, received = threading.Event(), threading.Event(), []
        other = threading.Thread(target=lambda: received.append(channel.receive_pulse(DEADLINE_NS)))

        def handler(number, frame):
            handling.set()
            sent.wait(DEADLINE_S)
            raise InterruptedError

        def interrupt_and_send() -> None:
            while not channel._receivers:
                os.sched_yield()
            other.start()
            while channel._receivers < 2:
                os.sched_yield()
            while not handling.is_set():
                signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
                handling.wait(0.05)
            channel.send_pulse(1, 1)
            sent.set()

        signal.signal(signal.SIGUSR1, handler)
        try:
            helper = Background(interrupt_and_send)
            with pytest.raises(InterruptedError):
                channel.receive_pulse(DEADLINE_NS)
            helper.result()
        finally:
            signal.signal(signal.SIGUSR1, before)
        other.join(0.3)
        got = list(received)
        with suppress(OSError):
            channel.send_pulse(1, 2)  # wakes it at last
        other.join(DEADLINE_S)
        assert [each.code for each in got] == [1]


def test_a_signal_that_comes_when_an_attachment_is_made_leaves_the_count_of_users_right(attached, soft, monkeypatch):
    """The exception comes after the attachment is on the list; before, its interrupts ended with another's detach."""
    keeper = attached.event(soft, SigevNone())
    record_attach = dispatching.ThreadRecord.attach

    def interrupted(self, id, *, masked):  # noqa: A002
        record_attach(self, id, masked=masked)
        raise KeyboardInterrupt

    monkeypatch.setattr(dispatching.ThreadRecord, "attach", interrupted)
    with pytest.raises(KeyboardInterrupt):
        interrupt_attach_event(soft, SigevIntr())
    assert dispatching.current().users == len(dispatching.current().attachments) == 1
    interrupt_detach(keeper)
    assert dispatching.current() is None


def test_a_detach_that_a_signal_interrupts_ends_nothing_of_others_and_can_be_repeated(attached, soft, monkeypatch):
    told = []
    attached.event(soft, Note(told, "other"))
    id = attached.event(soft, SigevIntr())  # noqa: A001

    def interrupted(self, id):  # noqa: A002
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dispatching.ThreadRecord, "detach", interrupted)
        with pytest.raises(KeyboardInterrupt):
            interrupt_detach(id)
    interrupt_detach(id)
    assert dispatching.current().users == 1
    fire(soft)
    assert told == ["other"]
