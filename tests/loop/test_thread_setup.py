"""What the loop's thread does before it serves."""

from __future__ import annotations

import threading

import pytest
from helpers import Background, Stage, attach

from uio_workloop import BadArgumentError, WorkLoop
from uio_workloop.testing import fence


def test_the_setup_runs_on_the_loops_thread_before_the_constructor_returns():
    ran_on = []
    with WorkLoop(thread_setup=lambda: ran_on.append(threading.current_thread())) as loop:
        assert ran_on == [loop.thread]


def test_the_constructor_waits_for_the_setup():
    stage = Stage()
    making = Background(WorkLoop, "slow")
    making.result().close()

    making = Background(lambda: WorkLoop(thread_setup=stage.hold))
    stage.await_reached()
    assert not making.finished
    stage.release()
    making.result().close()


def test_a_loop_that_was_set_up_serves(line, seen):
    with WorkLoop(thread_setup=int) as loop:
        attach(loop, line, seen)
        line.cause()
        seen.wait_for_total(1)
        fence(loop)


@pytest.mark.parametrize("error", [OSError(1, "no"), SystemExit(3)], ids=["an error", "an exit"])
def test_what_the_setup_raises_is_the_constructors_and_nothing_is_left(error):
    def fail():
        raise error

    with pytest.raises(type(error)) as raised:
        WorkLoop(thread_setup=fail)
    assert raised.value is error  # and no thread and no descriptor: the fixture of all tests looks


def test_a_setup_that_is_no_plain_function_is_refused():
    async def later():
        pass

    with pytest.raises(BadArgumentError, match="cannot have an async function as its thread_setup"):
        WorkLoop(thread_setup=later)
    with pytest.raises(BadArgumentError, match="its thread_setup is a function"):
        WorkLoop(thread_setup=40)
