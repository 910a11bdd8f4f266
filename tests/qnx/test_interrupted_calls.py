"""Exceptions of signal handlers that come in the middle of a call."""

from __future__ import annotations

import signal
import threading

import pytest
from helpers import DEADLINE_S, Background
from qnx_rig import DEADLINE_NS, Note, await_true, fire

from uio_workloop.qnx import Channel, SigevIntr, SigevNone, interrupt_attach_event, interrupt_detach
from uio_workloop.qnx import dispatcher as dispatching


def test_a_receiver_that_a_signal_takes_away_leaves_the_pulse_to_another(restored_handler):
    with Channel() as channel:
        handling, sent, others = threading.Event(), threading.Event(), []

        def handler(number, frame):
            handling.set()
            sent.wait(DEADLINE_S)
            raise InterruptedError

        def interrupt_and_send() -> None:
            await_true(lambda: channel._receivers == 1, "the first receiver")
            others.append(Background(channel.receive_pulse))
            await_true(lambda: channel._receivers == 2, "the second receiver")
            while not handling.is_set():  # one that comes just before the thread sleeps is handled when it wakes
                signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
                handling.wait(0.05)
            channel.send_pulse(1, 1)
            sent.set()

        signal.signal(signal.SIGUSR1, handler)
        sending = Background(interrupt_and_send)
        with pytest.raises(InterruptedError):
            channel.receive_pulse(DEADLINE_NS)
        sending.result()
        assert others[0].result().code == 1


def test_a_signal_that_comes_when_an_attachment_is_made_leaves_the_count_of_users_right(attached, soft, monkeypatch):
    """The exception comes after the attachment is on the list; before, its interrupts ended with another's detach."""
    keeper = attached.event(soft, SigevNone())
    record_attach = dispatching.ThreadRecord.attach

    def interrupted(self, id, *, masked):  # noqa: A002 - QNX's word
        record_attach(self, id, masked=masked)
        raise KeyboardInterrupt

    monkeypatch.setattr(dispatching.ThreadRecord, "attach", interrupted)
    with pytest.raises(KeyboardInterrupt):
        interrupt_attach_event(soft, SigevIntr())
    assert dispatching.current().users == len(dispatching.current().attachments) == 1
    interrupt_detach(keeper)
    assert dispatching.current() is None


def test_a_detach_that_a_signal_interrupts_ends_no_attachment_of_others_and_can_be_repeated(
    attached, soft, told, monkeypatch
):
    attached.event(soft, Note(told, "other"))
    id = attached.event(soft, SigevIntr())  # noqa: A001 - QNX's word

    def interrupted(self, id):  # noqa: A002 - QNX's word
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dispatching.ThreadRecord, "detach", interrupted)
        with pytest.raises(KeyboardInterrupt):
            interrupt_detach(id)
    interrupt_detach(id)
    assert dispatching.current().users == 1
    fire(soft)
    assert told == ["other"]
