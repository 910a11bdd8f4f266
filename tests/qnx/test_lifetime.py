"""Attachments end with their thread, unless they are for the process."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading

import pytest
from helpers import DEADLINE_S
from qnx_rig import DEADLINE_NS, TRACKED, Note, exists, fire, in_thread, settle, unmask

from uio_workloop.qnx import (
    Channel,
    IntrFlags,
    MemOp,
    SigevIntr,
    SigevMemory,
    SigevNone,
    SigevPulse,
    SigevSem,
    SigevSignal,
    SigevSignalCode,
    SigevSignalThread,
    SigevThread,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_info,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_wait,
)
from uio_workloop.qnx import dispatcher as dispatching

OF_THE_THREAD = {
    "sem": SigevSem(threading.Semaphore(0)),
    "memory": SigevMemory(memoryview(bytearray(4)).cast("I"), 1, MemOp.ADD),
    "thread": SigevThread(lambda value: None),
    "signal to a thread": SigevSignalThread(signal.SIGRTMIN),
    "none": SigevNone(),
}


@pytest.mark.qnx(53)
def test_an_attachment_ends_with_its_thread_and_gives_its_masks_back(rig, attached, told):
    attached.event(rig.provider, Note(told, "other"))

    def attach_and_mask() -> int:
        id = interrupt_attach_event(rig.provider, SigevIntr())  # noqa: A001 - QNX's word
        for _ in range(3):
            interrupt_mask(rig.provider, id)
        return id

    gone = in_thread(attach_and_mask)
    settle()
    assert not exists(gone)
    assert interrupt_mask_count(rig.provider) == 0
    fire(rig)
    assert told == ["other"]


@pytest.mark.qnx(54)
@pytest.mark.parametrize("kind", ["pulse", "signal", "signal code"])
def test_an_event_for_the_process_outlives_the_thread(rig, attached, kind):
    with Channel() as channel:
        event = {
            "pulse": SigevPulse(channel),
            "signal": SigevSignal(signal.SIGRTMIN),
            "signal code": SigevSignalCode(signal.SIGRTMIN),
        }[kind]
        id = in_thread(attached.event, rig.provider, event)  # noqa: A001 - QNX's word
        settle()
        assert exists(id)


@pytest.mark.qnx(55)
@pytest.mark.parametrize("kind", OF_THE_THREAD)
def test_any_other_event_ends_with_the_thread(rig, attached, kind):
    attached.event(rig.provider, SigevNone())
    gone = in_thread(interrupt_attach_event, rig.provider, OF_THE_THREAD[kind])
    settle()
    assert not exists(gone)


def test_the_last_attachment_of_the_process_can_end_with_its_thread(rig):
    def attach_and_die() -> threading.Thread:
        interrupt_attach_event(rig.provider, SigevIntr())
        return dispatching.current().loop.thread

    in_thread(attach_and_die).join(DEADLINE_S)
    assert dispatching.current() is None
    assert rig.seems_masked()


@pytest.mark.qnx(56)
def test_an_intr_event_for_the_process_fails_once_its_thread_has_ended_and_can_be_detached(rig, attached):
    id = in_thread(attached.event, rig.provider, SigevIntr(), TRACKED | IntrFlags.PROCESS)  # noqa: A001 - QNX's word
    fire(rig)
    info = interrupt_info(id)
    assert (info.booked, info.delivered, info.failed) == (1, 0, 1)
    interrupt_detach(id)


@pytest.mark.qnx(57)
def test_a_thread_that_dies_with_the_line_masked_by_its_delivery_opens_it_for_the_others(rig, attached, told):
    other = attached.event(rig.provider, Note(told, "other"))

    def attach_wait_and_die() -> None:
        ready.put(interrupt_attach_event(rig.provider, SigevIntr()))
        interrupt_wait(timeout_ns=DEADLINE_NS)

    ready: queue.Queue[int] = queue.Queue()
    thread = threading.Thread(target=attach_wait_and_die)
    thread.start()
    ready.get(timeout=DEADLINE_S)
    fire(rig)
    thread.join(DEADLINE_S)
    settle()
    assert unmask(rig, other) == 0
    for _ in range(3):
        fire(rig)
        unmask(rig, other)
    assert told == ["other"] * 4


@pytest.mark.qnx(53)
def test_a_thread_that_is_still_referred_to_has_ended_all_the_same(rig, attached):
    attached.event(rig.provider, SigevNone())
    ids = []
    thread = threading.Thread(target=lambda: ids.append(interrupt_attach_event(rig.provider, SigevIntr())))
    thread.start()
    thread.join(DEADLINE_S)
    settle()
    assert not exists(ids[0])
    assert not thread.is_alive()


@pytest.mark.qnx(53)
def test_a_firing_that_comes_before_the_end_of_a_thread_was_dealt_with_tells_nobody_of_that_thread(
    rig, attached, told, monkeypatch
):
    attached.event(rig.provider, SigevNone())
    with monkeypatch.context() as patch:
        patch.setattr(dispatching.ThreadEnds, "check_for_work", lambda self: False)  # the loop has not come to it
        gone = in_thread(interrupt_attach_event, rig.provider, Note(told, "gone"))
        fire(rig)
    assert told == []
    assert not exists(gone)
    assert interrupt_mask_count(rig.provider) == 1


PROGRAM = """
import atexit, threading
from uio_workloop import SoftwareInterrupt

line = SoftwareInterrupt()
waiting, running, release = threading.Event(), threading.Event(), threading.Event()

def tell():  # the last that is done
    print("masked" if line.masked else "open")
    print("the thread waits" if record[0]._bell else "the thread was woken")

atexit.register(tell)

from uio_workloop.qnx import *
from uio_workloop.qnx.thread_record import my_record

def wait():
    interrupt_attach_event(line, SigevIntr())
    record.append(my_record())
    waiting.set()
    interrupt_wait()

def handler(area, id):
    running.set()
    release.wait()
    print("the handler has ended")

record = []
threading.Thread(target=wait, daemon=True).start()
waiting.wait()
while record[0]._bell is None:
    pass
"""


def run_to_its_end(rest: str) -> tuple[int, str, str]:
    """What becomes of a program that has a daemon thread which waits."""
    run = subprocess.run([sys.executable, "-c", PROGRAM + rest], capture_output=True, text=True, timeout=DEADLINE_S)
    return run.returncode, run.stdout, run.stderr


@pytest.mark.qnx(58)
def test_at_the_end_of_the_program_the_line_is_masked_and_a_thread_that_waits_is_told_of_nothing():
    rest = "interrupt_attach_event(line, SigevPulse(Channel()))"
    assert run_to_its_end(rest) == (0, "masked\nthe thread waits\n", "")


@pytest.mark.qnx(58)
def test_at_the_end_of_the_program_the_handler_that_runs_is_waited_for_and_nothing_hangs():
    rest = """
other = SoftwareInterrupt()
interrupt_attach(other, handler)
other.cause()
running.wait()
atexit.register(release.set)
"""
    assert run_to_its_end(rest) == (0, "the handler has ended\nmasked\nthe thread waits\n", "")
