"""Signals with code and value."""

from __future__ import annotations

import errno
import os
import resource
import select
import signal

import pytest
from qnx_rig import DEADLINE_NS, errno_of, fire, in_thread

from uio_workloop.qnx import (
    SigevNone,
    SigevSignal,
    SigevSignalCode,
    SigevSignalThread,
    SignalInfo,
    SignalReceiver,
)

NUMBER = signal.SIGRTMIN + 2


def pending(receiver: SignalReceiver) -> bool:
    return bool(select.select([receiver], [], [], 0)[0])


@pytest.mark.qnx(76)
def test_a_signal_arrives_with_number_code_and_value(rig, attached):
    attached.event(rig.provider, SigevNone())  # the hidden thread runs before the signal is blocked
    with SignalReceiver([NUMBER]) as receiver:
        attached.event(rig.provider, SigevSignalCode(NUMBER, 2**31 - 1, -100))
        assert not pending(receiver)
        fire(rig)
        assert pending(receiver)
        assert receiver.receive(DEADLINE_NS) == SignalInfo(NUMBER, -100, 2**31 - 1, os.getpid())


def test_a_value_can_be_negative_and_a_plain_signal_has_none(rig, attached):
    with SignalReceiver([NUMBER]) as receiver:
        attached.event(rig.provider, SigevSignal(NUMBER, -(2**31)))
        attached.event(rig.provider, SigevSignal(NUMBER))
        fire(rig)
        assert [(info.code, info.value) for info in (receiver.receive(0), receiver.receive(0))] == [
            (0, 0),
            (-1, -(2**31)),
        ]


@pytest.mark.qnx(77)
def test_a_signal_for_a_thread_is_seen_by_a_receiver_in_that_thread_alone(rig, attached):
    with SignalReceiver([NUMBER]) as receiver:
        attached.event(rig.provider, SigevSignalThread(NUMBER, 4, -70))
        fire(rig)
        assert not in_thread(pending, receiver)
        assert receiver.receive(0)[:3] == (NUMBER, -70, 4)


def test_without_a_signal_the_wait_ends_after_the_timeout():
    with SignalReceiver([NUMBER]) as receiver, pytest.raises(TimeoutError):
        receiver.receive(10_000_000)


def test_closing_drops_what_is_pending_and_unblocks():
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, [NUMBER])
    try:
        receiver = SignalReceiver([NUMBER])
        os.kill(os.getpid(), NUMBER)
        receiver.close()
        receiver.close()
        assert NUMBER not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with pytest.raises(ProcessLookupError):
        receiver.receive()


def test_a_signal_that_was_blocked_before_stays_so():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [NUMBER])
    try:
        SignalReceiver([NUMBER]).close()
        assert NUMBER in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_signal_that_there_is_not_is_einval():
    with pytest.raises(OSError, match="no signal 65") as refused:
        SignalReceiver([65])
    assert refused.value.errno == errno.EINVAL


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


@pytest.mark.parametrize("signals", ["12", [12.0], 12], ids=repr)
def test_what_is_no_number_of_a_signal_is_a_type_error(signals):
    with pytest.raises(TypeError):
        SignalReceiver(signals)
