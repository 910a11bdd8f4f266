"""Real limits of the kernel, in a program of its own: who may not is told the limit, and how to raise it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from uio_workloop._linux import scheduling

NOBODY = 65534
PROGRAM = """
import ctypes, os, resource, sys, threading
from uio_workloop import RealtimeError, RealtimeProfile, WorkLoop
from uio_workloop._linux import scheduling

def limit(what, value):
    resource.setrlimit(what, (value, value))

def give_up_privileges():
    scheduling.timer_slack_ns()  # loads what could not be read later
    if os.geteuid() == 0:
        os.setresuid({nobody}, {nobody}, {nobody})

def memory():
    return scheduling.locked_kib() > 0
"""


def outcome(script):
    program = PROGRAM.format(nobody=NOBODY) + script
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_who_may_not_have_a_real_time_policy_is_told_the_limit_and_three_ways():
    (line,) = outcome("""
limit(resource.RLIMIT_RTPRIO, 0)
give_up_privileges()
try:
    WorkLoop("driver", thread_setup=RealtimeProfile("fifo", 80, required=True).apply)
except RealtimeError as error:
    print(error)
""")
    assert line == (
        "cannot give thread 'driver' policy fifo at priority 80: RLIMIT_RTPRIO allows no priority and CAP_SYS_NICE is "
        "missing; LimitRTPRIO=80 in the systemd service, or rtprio 80 for a group of yours in "
        "/etc/security/limits.conf, or run as root"
    )


def test_who_may_not_lock_memory_is_told_the_limit_and_three_ways_and_the_loop_runs_all_the_same():
    report, locked, logged = outcome("""
import logging
logging.basicConfig(stream=sys.stdout, format="%(message)s")
limit(resource.RLIMIT_MEMLOCK, 1 << 20)
give_up_privileges()
realtime = RealtimeProfile(lock_memory=True)
logging.disable()
with WorkLoop(thread_setup=realtime.apply) as loop:
    print(realtime.report())
    print(memory())
logging.disable(logging.NOTSET)
realtime.close()
RealtimeProfile(lock_memory=True).__enter__()
""")
    assert report.startswith("the process: locked memory: not granted: RLIMIT_MEMLOCK allows 1024 KiB, ")
    assert report.endswith(
        " KiB are mapped, and CAP_IPC_LOCK is missing; LimitMEMLOCK=infinity in the systemd service, or memlock "
        "unlimited for a group of yours in /etc/security/limits.conf, or run as root"
    )
    assert locked == "False"
    assert logged.startswith("cannot give the process locked memory: RLIMIT_MEMLOCK allows 1024 KiB, ")


def test_who_may_not_write_to_the_device_of_wake_up_latencies_is_told_the_group():
    if not os.path.exists(scheduling.CPU_DMA_LATENCY):
        pytest.skip(f"{scheduling.CPU_DMA_LATENCY} is not there")
    (line,) = outcome("""
give_up_privileges()
if os.access(scheduling.CPU_DMA_LATENCY, os.W_OK):
    os.open = lambda *arguments: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
try:
    RealtimeProfile(cpu_latency_ns=0, required=True).__enter__()
except RealtimeError as error:
    print(error)
""")
    assert line == (
        "cannot give the process processors awake within 0 us: /dev/cpu_dma_latency is root's; make install-udev gives "
        "it to group uio: join that, or run as root"
    )


def test_what_needs_no_privilege_is_granted_to_everybody_and_put_back():
    lines = outcome("""
give_up_privileges()
cpu = min(os.sched_getaffinity(0))
before = os.sched_getaffinity(0), scheduling.timer_slack_ns(), sys.getswitchinterval()
with RealtimeProfile("other", cpus=[cpu], timer_slack_ns=1, switch_interval=0.0001, required=True) as realtime:
    realtime.apply()
    print(len(realtime.report().granted))
print(before == (os.sched_getaffinity(0), scheduling.timer_slack_ns(), sys.getswitchinterval()))
policy, priority = scheduling.policy_of(threading.get_native_id())
print(policy & ~os.SCHED_RESET_ON_FORK, priority)
""")
    assert lines == ["4", "True", "0 0"]


def test_without_a_privilege_the_timer_slack_of_another_thread_stays_and_the_log_says_so():
    lines = outcome("""
import logging
logging.basicConfig(stream=sys.stdout, format="%(message)s")
give_up_privileges()
realtime = RealtimeProfile(timer_slack_ns=1)
with WorkLoop(thread_setup=realtime.apply):
    realtime.close()
""")
    assert lines == ["thread 'WorkLoop' keeps a timer slack of 1 ns until it ends: Operation not permitted"]


@pytest.mark.skipif(not scheduling.has_capability(scheduling.CAP_IPC_LOCK), reason="takes CAP_IPC_LOCK, as root has it")
def test_memory_is_really_locked_and_unlocked():
    assert outcome("""
with RealtimeProfile(lock_memory=True, required=True):
    print(memory())
print(memory())
""") == ["True", "False"]


@pytest.mark.skipif(not scheduling.has_capability(24), reason="takes CAP_SYS_RESOURCE, to raise limits; the lab has it")
def test_a_limit_that_is_high_enough_is_all_it_takes():
    lines = outcome("""
limit(resource.RLIMIT_RTPRIO, 50)
limit(resource.RLIMIT_MEMLOCK, 1 << 31)
give_up_privileges()
realtime = RealtimeProfile("fifo", 50, lock_memory=True)
with WorkLoop(thread_setup=realtime.apply) as loop:
    print(realtime.report())
    print(scheduling.policy_of(loop.thread.native_id) == (os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 50))
    realtime.close()
    policy, priority = scheduling.policy_of(loop.thread.native_id)
    print(policy & ~os.SCHED_RESET_ON_FORK, priority, memory())
with RealtimeProfile("fifo", 51) as realtime:
    realtime.apply()
    print(realtime.report())
resource.setrlimit(resource.RLIMIT_RTPRIO, (10, 50))
with RealtimeProfile("fifo", 20) as realtime:
    realtime.apply()
    print(realtime.report())
""")
    assert lines == [
        "the process: locked memory: granted: with more than RLIMIT_MEMLOCK, 2048 MiB, it gets no more memory",
        "thread 'WorkLoop': policy fifo at priority 50: granted",
        "True",
        "0 0 False",
        "thread 'MainThread': policy fifo at priority 51: not granted: RLIMIT_RTPRIO allows priorities up to 50 and "
        "CAP_SYS_NICE is missing; LimitRTPRIO=51 in the systemd service, or rtprio 51 for a group of yours in "
        "/etc/security/limits.conf, or run as root",
        "thread 'MainThread': policy fifo at priority 20: not granted: RLIMIT_RTPRIO allows priorities up to 10, but "
        "may be raised to that: ulimit -r 20 in the shell that starts the program",
    ]
