"""What a profile asks for is in force, on the threads that asked, and gone afterwards."""

from __future__ import annotations

import os
import threading

import pytest
from helpers import DEADLINE_S, Background, on_loop

from uio_workloop import BadArgumentError, ClosedError, RealtimeError, RealtimeProfile, WorkLoop
from uio_workloop._linux import scheduling
from uio_workloop.testing.leaks import open_descriptors

CPU = min(os.sched_getaffinity(0))
NO_SUCH_CPU = 1023
privileged = pytest.mark.skipif(
    not scheduling.has_capability(scheduling.CAP_SYS_NICE), reason="takes CAP_SYS_NICE, as root has it"
)


def state():
    """What the kernel has for the calling thread."""
    thread = threading.get_native_id()
    return scheduling.policy_of(thread), os.sched_getaffinity(thread), scheduling.timer_slack_ns()


def state_of(loop):
    return on_loop(loop, state)


def test_processors_and_slack_are_those_of_the_loops_thread_alone():
    before = state()
    with (
        RealtimeProfile(cpus=[CPU], timer_slack_ns=1234) as realtime,
        WorkLoop(thread_setup=realtime.apply) as loop,
        WorkLoop() as other,
    ):
        assert state_of(loop) == (before[0], {CPU}, 1234)
        assert state_of(other) == before
        assert state() == before


@privileged
@pytest.mark.parametrize(("policy", "number"), [("fifo", os.SCHED_FIFO), ("rr", os.SCHED_RR)])
def test_a_real_time_policy_is_not_inherited_by_what_the_thread_starts(policy, number):
    with RealtimeProfile(policy, 7) as realtime, WorkLoop(thread_setup=realtime.apply) as loop:
        assert state_of(loop)[0] == (number | os.SCHED_RESET_ON_FORK, 7)

        child = on_loop(loop, Background, state)
        assert child.result()[0] == (os.SCHED_OTHER, 0)


@privileged
def test_without_a_priority_it_is_below_the_kernels_interrupt_threads():
    with RealtimeProfile("fifo") as realtime, WorkLoop(thread_setup=realtime.apply) as loop:
        assert state_of(loop)[0][1] == 40
        (grant,) = realtime.report().granted
    assert str(grant) == "thread 'WorkLoop': policy fifo at priority 40: granted"


@privileged
def test_above_them_the_report_says_what_that_means():
    with RealtimeProfile("fifo", 80) as realtime, WorkLoop(thread_setup=realtime.apply):
        assert "its interrupts come from kernel threads at 50" in str(realtime.report())


@privileged
def test_closing_puts_a_thread_that_goes_on_back_to_exactly_what_it_was():
    with WorkLoop() as loop:
        on_loop(loop, scheduling.set_timer_slack_ns, 4321)
        before = state_of(loop)
        realtime = RealtimeProfile("fifo", 3, cpus=[CPU], timer_slack_ns=1)
        on_loop(loop, realtime.apply)
        assert state_of(loop)[0][1] == 3
        realtime.close()  # from another thread
        assert state_of(loop) == before

        realtime = RealtimeProfile("fifo", 3, cpus=[CPU], timer_slack_ns=1)
        on_loop(loop, realtime.apply)
        on_loop(loop, realtime.close)
        assert state_of(loop) == before


@privileged
def test_closing_after_the_thread_has_ended_touches_nobody():
    before = state()
    realtime = RealtimeProfile("fifo", 3, cpus=[CPU], timer_slack_ns=1)
    WorkLoop(thread_setup=realtime.apply).close()
    realtime.close()
    assert state() == before


def test_one_profile_serves_several_loops():
    with (
        RealtimeProfile(cpus=[CPU]) as realtime,
        WorkLoop("one", thread_setup=realtime.apply),
        WorkLoop("two", thread_setup=realtime.apply) as second,
    ):
        assert [each.whose for each in realtime.report().grants] == ["thread 'one'", "thread 'two'"]
        realtime.close()
        assert state_of(second) == state()


def test_asking_twice_on_one_thread_is_asking_once():
    before = state()
    with RealtimeProfile(cpus=[CPU]) as realtime:
        realtime.apply()
        realtime.apply()
        assert len(realtime.report().grants) == 1
    assert state() == before


def test_threads_that_have_ended_are_forgotten():
    with RealtimeProfile(cpus=[CPU]) as realtime:
        for _ in range(3):
            WorkLoop(thread_setup=realtime.apply).close()
        assert len(realtime.report().grants) == 1


def test_processors_that_are_not_there_are_not_granted_in_part(caplog):
    with RealtimeProfile(cpus=[CPU, NO_SUCH_CPU]) as realtime, WorkLoop(thread_setup=realtime.apply) as loop:
        assert state_of(loop) == state()
        (grant,) = realtime.report().refused
    here = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
    why = f"{NO_SUCH_CPU} of them are not there, or not in its cpuset; it has {here}"
    assert grant.remark == why
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot give thread 'WorkLoop' processors {CPU}, {NO_SUCH_CPU}: {why}"
    ]


def test_what_is_required_and_not_granted_is_the_constructors_error_and_leaves_nothing(caplog):
    before = state()
    realtime = RealtimeProfile(cpus=[NO_SUCH_CPU], timer_slack_ns=7, switch_interval=0.001, required=True)
    with pytest.raises(RealtimeError, match=r"^cannot give thread 'mine' processors 1023: 1023 of them are not there"):
        WorkLoop("mine", thread_setup=realtime.apply)
    with pytest.raises(RealtimeError):
        realtime.apply()
    assert state() == before
    assert str(realtime.report()) == "nothing is in force"
    assert caplog.records == []


def test_what_nobody_foresaw_leaves_nothing_in_force_either(monkeypatch):
    def break_down(slack_ns):
        raise MemoryError

    before = state()
    monkeypatch.setattr(scheduling, "set_timer_slack_ns", break_down)
    with pytest.raises(MemoryError):
        RealtimeProfile(cpus=[CPU], timer_slack_ns=1).apply()
    assert state() == before


def test_a_closed_profile_cannot_be_applied_and_can_be_closed_again():
    realtime = RealtimeProfile(cpus=[CPU])
    realtime.close()
    realtime.close()
    with pytest.raises(ClosedError, match="make a new one"):
        realtime.apply()


def test_in_the_child_of_a_fork_closing_leaves_the_parents_thread_alone():
    with RealtimeProfile(cpus=[CPU]) as realtime:
        realtime.apply()
        child = os.fork()
        if not child:
            realtime.close()
            os._exit(0)
        assert os.waitpid(child, 0) == (child, 0)
        assert state()[1] == {CPU}


def test_the_wake_up_latency_is_asked_for_as_long_as_the_profile_is_open(tmp_path, monkeypatch):
    device = tmp_path / "cpu_dma_latency"
    device.touch()
    monkeypatch.setattr(scheduling, "CPU_DMA_LATENCY", str(device))
    with RealtimeProfile(cpu_latency_ns=20_000):
        assert device.read_bytes() == (20).to_bytes(4, "little")
        assert str(device) in open_descriptors().values()
    assert str(device) not in open_descriptors().values()


def test_a_kernel_without_that_device_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(scheduling, "CPU_DMA_LATENCY", str(tmp_path / "none"))
    with RealtimeProfile(cpu_latency_ns=0) as realtime:
        (grant,) = realtime.report().refused
    assert grant.remark.endswith("none: No such file or directory; this kernel has no such thing: do without")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"policy": "FIFO"}, "cannot have policy 'FIFO': it is 'fifo', 'rr', 'other' or None"),
        ({"policy": "fifo", "priority": 0}, "cannot have priority 0: it is a whole number, 1 to 99"),
        ({"policy": "rr", "priority": 100}, "cannot have priority 100"),
        ({"priority": 5}, "priority 5 goes with policy 'fifo' or 'rr', not with None"),
        ({"policy": "other", "priority": 5}, "not with 'other'"),
        ({"cpus": []}, "cannot have cpus []"),
        ({"cpus": [-1]}, "cannot have cpus [-1]"),
        ({"timer_slack_ns": 0}, "the kernel takes 0 for its default"),
        ({"timer_slack_ns": 1.5}, "cannot have timer_slack_ns 1.5"),
        ({"switch_interval": 50_000}, "it is in seconds"),
        ({"switch_interval": 0}, "it is in seconds"),
        ({"cpu_latency_ns": -1}, "cannot have cpu_latency_ns -1"),
    ],
    ids=str,
)
def test_what_no_kernel_could_grant_is_refused_at_once(arguments, complaint):
    with pytest.raises(BadArgumentError) as refused:
        RealtimeProfile(**arguments)
    assert complaint in str(refused.value)


def test_threads_apply_and_report_at_once():
    with RealtimeProfile(cpus=[CPU]) as realtime:
        together = threading.Barrier(8)

        def take_part():
            together.wait(DEADLINE_S)
            realtime.apply()
            together.wait(DEADLINE_S)
            return len(realtime.report().grants)

        crowd = [Background(take_part) for _ in range(8)]
        assert all(each.result() == 8 for each in crowd)
