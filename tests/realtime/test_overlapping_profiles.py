"""What belongs to the whole process, when several profiles ask for it."""

from __future__ import annotations

import sys

import pytest

from uio_workloop import RealtimeProfile
from uio_workloop._linux import scheduling


@pytest.fixture(autouse=True)
def usual_interval():
    before = sys.getswitchinterval()
    yield before
    sys.setswitchinterval(before)


def interval():
    return round(sys.getswitchinterval(), 6)


def test_entering_a_profile_is_enough_for_what_belongs_to_the_process(usual_interval):
    with RealtimeProfile(switch_interval=0.0005) as realtime:
        assert interval() == 0.0005
        assert str(realtime.report()) == "the process: a switch interval of 500 us: granted"
    assert sys.getswitchinterval() == usual_interval


def test_the_smallest_switch_interval_counts_whoever_closes_first(usual_interval):
    first, second, third = (RealtimeProfile(switch_interval=each) for each in (0.002, 0.0005, 0.001))
    first.apply()
    second.apply()
    assert interval() == 0.0005
    third.apply()
    assert interval() == 0.0005
    assert "another profile has it at 500 us" in str(third.report())

    first.close()
    assert interval() == 0.0005
    second.close()
    assert interval() == 0.001
    third.close()
    assert sys.getswitchinterval() == usual_interval


def test_an_interval_that_somebody_else_has_set_meanwhile_is_left_alone():
    with RealtimeProfile(switch_interval=0.0005):
        sys.setswitchinterval(0.003)
    assert interval() == 0.003


def test_every_former_interval_comes_back_to_the_microsecond():
    for microseconds in range(1, 300):
        sys.setswitchinterval(microseconds * 1e-6 + 1e-7)
        before = sys.getswitchinterval()
        with RealtimeProfile(switch_interval=0.0005):
            pass
        assert sys.getswitchinterval() == before


@pytest.fixture
def memory(monkeypatch):
    """What is asked of the kernel, which is not asked: locking takes a privilege, and much memory."""
    asked = []
    monkeypatch.setattr(scheduling, "lock_memory", lambda: asked.append("lock"))
    monkeypatch.setattr(scheduling, "unlock_memory", lambda: asked.append("unlock"))
    return asked


def test_memory_stays_locked_until_the_last_profile_lets_go(memory):
    first, second = RealtimeProfile(lock_memory=True), RealtimeProfile(lock_memory=True)
    first.apply()
    second.apply()
    first.close()
    assert "unlock" not in memory
    second.close()
    assert memory[-1] == "unlock"


def test_memory_that_the_program_had_locked_itself_stays_locked(memory, monkeypatch):
    monkeypatch.setattr(scheduling, "locked_kib", lambda: 4)
    with RealtimeProfile(lock_memory=True):
        pass
    assert "unlock" not in memory
