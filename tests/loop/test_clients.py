"""What clients do on a loop: their actions run on their own threads, under the gate."""

from __future__ import annotations

import os

import pytest
from helpers import Background, Stage, attach

from uio_workloop import GateBusyError, WorkLoop
from uio_workloop.testing import fence


def test_an_attempt_on_a_busy_loop_is_refused_at_once(work_loop):
    stage = Stage()
    holder = Background(work_loop.run_action, stage.hold)
    stage.await_reached()

    with pytest.raises(GateBusyError):
        work_loop.attempt_action(lambda: None)

    stage.release()
    holder.result()
    assert work_loop.attempt_action(lambda: 7) == 7


@pytest.mark.statement(29)
def test_clients_and_actions_never_overlap(work_loop, line, seen):
    inside = 0
    worst = 0

    def visit(*_) -> None:
        nonlocal inside, worst
        inside += 1
        worst = max(worst, inside)
        inside -= 1

    def action(sender, count):
        visit()
        seen(sender, count)

    attach(work_loop, line, action)

    def client():
        for _ in range(1000):
            work_loop.run_action(visit)
            line.cause()

    clients = [Background(client) for _ in range(3)]
    for each in clients:
        each.result()
    seen.wait_for_total(3000)

    assert worst == 1
    assert seen.total == 3000


def times_scheduled(work_loop: WorkLoop) -> int:
    """How often the loop's thread was put on a processor; every one of its system calls that waits adds to it."""
    with open(f"/proc/self/task/{work_loop.thread.native_id}/schedstat") as file:
        return int(file.read().split()[2])


def test_clients_leave_the_loops_thread_asleep(work_loop, line, seen):
    attach(work_loop, line, seen).disable()
    fence(work_loop)
    before = -1
    while before != (before := times_scheduled(work_loop)):  # until it has gone back to sleep
        for _ in range(100):
            os.sched_yield()

    for _ in range(1000):
        work_loop.run_action(line.cause)  # and a disabled source, ready all the while

    assert times_scheduled(work_loop) == before
