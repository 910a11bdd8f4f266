"""Handlers run beside everything but other deliveries: nothing of the package is locked while they do."""

from __future__ import annotations

import errno
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import DEADLINE_S, Background, await_queue
from qnx_rig import TRACKED, Note, await_held_up, errno_of, fire, in_thread, settle

from uio_workloop import SoftwareInterrupt
from uio_workloop.qnx import (
    Channel,
    IntrFlags,
    SigevIntr,
    SigevNone,
    SigevPulse,
    SigevSem,
    interrupt_detach,
    interrupt_info,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unmask,
    interrupt_wait,
)
from uio_workloop.qnx import dispatcher as dispatching


@pytest.fixture
def line(lines) -> SoftwareInterrupt:
    return lines[0]


def test_while_a_handler_runs_other_threads_attach_mask_and_unmask(attached, line, stage):
    id = attached.handler(line, lambda area, id: stage.hold())  # noqa: A001, A006 - QNX's word
    line.cause()
    stage.await_reached()
    assert (interrupt_mask(line, id), interrupt_unmask(line, id)) == (1, 0)
    attached.event(line, SigevNone())


def test_a_handler_may_wait_for_a_lock_whose_holder_unmasks(attached, line, stage):
    lock, served = threading.Lock(), threading.Event()

    def handler(area, id):  # noqa: A002 - QNX's word
        stage.hold()
        with lock:
            served.set()

    id = attached.handler(line, handler)  # noqa: A001 - QNX's word
    with lock:
        line.cause()
        stage.await_reached()
        stage.release()
        interrupt_mask(line, id)
        interrupt_unmask(line, id)
    assert served.wait(DEADLINE_S)


def test_a_receiver_that_unmasks_before_a_handler_behind_it_is_done_opens_the_line_after_it(attached, line, stage):
    masked = []

    def handler(area, id):  # noqa: A002 - QNX's word
        stage.hold()
        masked.append(line.masked)

    told = attached.event(line, SigevNone())
    attached.handler(line, handler, flags=IntrFlags.END)
    line.cause()
    stage.await_reached()
    assert interrupt_unmask(line, told) == 0
    assert line.masked
    stage.release()
    settle()
    assert masked == [True]
    assert not line.masked


def test_a_line_that_is_masked_and_unmasked_in_a_handler_is_open_after_it(attached, line):
    def handler(area, id):  # noqa: A002 - QNX's word
        interrupt_mask(line, id)
        interrupt_unmask(line, id)

    attached.handler(line, handler)
    fire(line)
    assert interrupt_mask_count(line) == 0
    assert not line.masked


@pytest.mark.qnx(47)
def test_a_detach_waits_for_the_handler_that_runs(attached, line, stage, told):

    def handler(area, id):  # noqa: A002 - QNX's word
        stage.hold()
        told.append("handler")

    id = attached.handler(line, handler)  # noqa: A001 - QNX's word
    line.cause()
    stage.await_reached()
    with ThreadPoolExecutor(1) as thread:
        detaching = thread.submit(interrupt_detach, id)
        await_held_up()
        assert told == []
        stage.release()
        detaching.result(DEADLINE_S)
        assert told == ["handler"]


def test_a_detach_while_a_handler_waits_for_a_gate_of_the_caller_is_edeadlk_and_changes_nothing(
    attached, line, stage, work_loop
):
    def handler(area, id):  # noqa: A002 - QNX's word
        stage.hold()
        work_loop.run_action(lambda: None)

    id = attached.handler(line, handler)  # noqa: A001 - QNX's word
    with work_loop.gate:
        line.cause()
        stage.await_reached()
        stage.release()
        await_queue(work_loop)
        with pytest.raises(OSError, match="deadlock") as refused:
            interrupt_detach(id)
        assert in_thread(interrupt_mask_count, line, id) == 0
    assert refused.value.errno == errno.EDEADLK
    interrupt_detach(id)


def test_a_handler_that_calls_sys_exit_stops_nobody_else(attached, line, caplog, told):
    broken = attached.handler(line, lambda area, id: sys.exit("broken"))  # noqa: A006 - QNX's word
    attached.event(line, Note(told, "behind"), IntrFlags.END)
    fire(line)
    assert told == ["behind"]
    assert interrupt_info(broken).failed == 1
    assert [record.exc_info[0] for record in caplog.records] == [SystemExit]


@pytest.mark.qnx(84)
def test_a_handler_that_returns_an_intr_event_ends_the_wait_of_the_thread_that_attached_it(attached, line):
    id = attached.handler(line, lambda area, id: SigevIntr())  # noqa: A001, A006 - QNX's word
    fire(line)
    assert interrupt_wait(timeout_ns=0) == (id,)
    with pytest.raises(TimeoutError):
        interrupt_wait(timeout_ns=0)
    interrupt_detach(id)
    with pytest.raises(PermissionError):
        interrupt_wait(timeout_ns=0)


@pytest.mark.parametrize("nonsense", ["SigevIntr", 5, SigevIntr, [None]])
def test_a_handler_that_returns_no_event_has_failed_and_the_log_says_what_it_returns(attached, line, caplog, nonsense):
    id = attached.handler(line, lambda area, id: nonsense)  # noqa: A001, A006 - QNX's word
    fire(line)
    assert interrupt_info(id).failed == 1
    assert "the handler returned" in str(caplog.records[0].exc_info[1])


def test_an_event_made_from_one_that_never_waits_may_wait_for_who_masks(attached, line, stage):
    class Waiting(SigevNone):
        def deliver(self, thread, id):  # noqa: A002 - QNX's word
            stage.hold()
            return True

    id = attached.event(line, Waiting())  # noqa: A001 - QNX's word
    line.cause()
    stage.await_reached()
    assert Background(interrupt_mask, line, id).result() == 2


def test_closing_a_device_waits_for_the_handler_that_runs_on_it(attached, line, stage, told):
    def handler(area, id):  # noqa: A002 - QNX's word
        stage.hold()
        told.append(line.fileno())  # refused if it is closed

    attached.handler(line, handler)
    line.cause()
    stage.await_reached()
    closing = Background(line.close)
    await_held_up()
    assert not closing.finished
    stage.release()
    closing.result()
    assert len(told) == 1


def test_a_handler_can_close_its_device_itself(attached, line, told):
    def handler(area, id):  # noqa: A002 - QNX's word
        line.close()
        told.append("closed")

    id = attached.handler(line, handler)  # noqa: A001 - QNX's word
    line.cause()
    settle()
    assert told == ["closed"]
    assert errno_of(interrupt_unmask, line, id) == errno.ENODEV


class GateWatch(Channel):
    """Notes whether the gate of the hidden loop is held when a pulse is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[bool] = []

    def send_pulse(self, priority: int, code: int, value: object = 0) -> None:
        self.held.append(dispatching.current().loop.gate.held)


class Subclass(SigevNone):
    """Code of others, whatever it is made from."""

    def deliver(self, thread, id):  # noqa: A002 - QNX's word
        return True


def test_events_that_never_wait_are_delivered_with_the_gate_held(attached, line):
    with GateWatch() as watch:
        attached.event(line, SigevPulse(watch))
        attached.event(line, SigevNone())
        fire(line)
        assert watch.held == [True]


CODE_OF_OTHERS = {
    "handler": lambda attached, line, flags: attached.handler(line, lambda area, id: None, None, flags),  # noqa: A006 - QNX's word
    "semaphore": lambda attached, line, flags: attached.event(line, SigevSem(threading.Semaphore(0)), flags),
    "subclass": lambda attached, line, flags: attached.event(line, Subclass(), flags),
}


@pytest.mark.parametrize("flags", [TRACKED, TRACKED | IntrFlags.END], ids=["in front", "behind"])
@pytest.mark.parametrize("kind", CODE_OF_OTHERS)
def test_with_code_of_others_in_the_list_everything_is_delivered_with_the_gate_open(attached, line, kind, flags):
    with GateWatch() as watch:
        attached.event(line, SigevPulse(watch))
        CODE_OF_OTHERS[kind](attached, line, flags)
        fire(line)
        assert watch.held == [False]
