"""What clients do on a loop: their actions run on their own threads, under the gate."""

from __future__ import annotations

import os

import pytest
from helpers import Background, Stage, attach

from uio_workloop import GateBusyError, WorkLoop
from uio_workloop.testing import fence


def test_run_action_runs_on_the_callers_thread_under_the_gate_and_gives_back_its_result(work_loop):
    result = work_loop.run_action(lambda a, b: (a + b, work_loop.in_gate(), work_loop.on_thread()), 1, b=2)

    assert result == (3, True, False)
    assert not work_loop.in_gate()


def test_what_an_action_raises_reaches_its_client_and_the_gate_is_free_again(work_loop):
    with pytest.raises(ZeroDivisionError):
        work_loop.run_action(lambda: 1 // 0)

    Background(work_loop.run_action, lambda: None).result()


def test_an_attempt_on_a_busy_loop_is_refused_at_once(work_loop):
    stage = Stage()
    holder = Background(work_loop.run_action, stage.hold)
    stage.await_reached()

    with pytest.raises(GateBusyError):
        work_loop.attempt_action(lambda: None)

    stage.release()
    holder.result()
    assert work_loop.attempt_action(lambda: 7) == 7


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
