"""Loops end with the interpreter, and a fork leaves parent and child usable."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def run_script(body: str) -> subprocess.CompletedProcess[str]:
    script = "from uio_workloop import *\n" + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_interpreter_exit_lets_the_running_action_end():
    outcome = run_script(
        """
        import threading
        line, loop, begun = SoftwareInterrupt(), WorkLoop(), threading.Event()

        def action(sender, count):
            begun.set()
            sum(range(3_000_000))
            print("ended", flush=True)

        source = InterruptEventSource(line, action)
        loop.add_event_source(source)
        source.enable()
        line.cause()
        begun.wait()
        """
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "ended\n", "")


def test_a_fork_with_the_gate_held_leaves_parent_and_child_usable():
    outcome = run_script(
        """
        import os
        loop = WorkLoop()
        child = loop.run_action(os.fork)
        if child == 0:
            os._exit(0 if loop.closed else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert loop.run_action(int) == 0
        loop.close()
        print("fine")
        """
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "fine\n", "")


def test_the_child_of_a_fork_has_a_closed_loop_and_the_parent_a_working_one():
    outcome = run_script(
        """
        import os, threading
        line, loop = SoftwareInterrupt(), WorkLoop()
        delivered = threading.Event()
        source = InterruptEventSource(line, lambda sender, count: delivered.set())
        timer = TimerEventSource(lambda sender: None)
        loop.add_event_source(source)
        loop.add_event_source(timer)
        source.enable()
        stop = threading.Event()

        def hammer():
            while not stop.is_set():
                loop.run_action(int)

        hammering = threading.Thread(target=hammer)
        hammering.start()          # so that the gate is often held by a thread the child does not have
        for _ in range(20):
            child = os.fork()
            if child == 0:
                status = 0
                try:
                    loop.run_action(print)
                    status = 1
                except ClosedError:
                    pass
                status |= 2 * (not source.closed) | 4 * (not timer.closed) | 8 * line.masked
                loop.close()
                os._exit(status)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        hammering.join()
        line.cause()
        assert delivered.wait(10)
        loop.close()
        print("fine")
        """
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "fine\n", "")
