"""Who has the interrupt of a node: one object of one program at a time. Any file can be locked, so any will do."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from helpers import DEADLINE_S

from uio_workloop import NoInterruptError, NoResourcesError
from uio_workloop.devices.node_claim import NodeClaim


class Holder:
    name = "a holder"

    def close(self) -> None:
        pass


@pytest.fixture
def opened(tmp_path):
    fds = []

    def open_claim() -> NodeClaim:
        fds.append(os.open(tmp_path / "node", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC))
        return NodeClaim("the node", fds[-1])

    yield open_claim
    for fd in fds:
        os.close(fd)


def test_a_second_object_on_the_node_hears_that_the_interrupt_is_taken(opened):
    first, second = opened(), opened()
    first.take(0, Holder())
    with pytest.raises(NoResourcesError, match="the interrupt of the node is taken by another object of this program"):
        second.take(0, Holder())
    first.give_back()
    second.take(0, Holder())


def test_what_was_refused_can_be_tried_again_and_has_taken_nothing(opened):
    first, second = opened(), opened()
    first.take(0, Holder())
    for _ in range(2):
        with pytest.raises(NoResourcesError, match="another object"):
            second.take(0, Holder())
    second.give_back()
    with pytest.raises(NoResourcesError, match="another object"):
        second.take(0, Holder())


def test_who_gave_the_interrupt_back_can_take_it_again(opened):
    claim = opened()
    for _ in range(2):
        claim.take(0, Holder())
        claim.give_back()


def test_a_second_claimant_on_one_object_hears_of_the_first(opened):
    claim = opened()
    claim.take(0, Holder())
    with pytest.raises(NoResourcesError, match="is taken by a holder; close that one first"):
        claim.take(0, Holder())


def test_an_index_that_is_not_there_takes_nothing(opened):
    first, second = opened(), opened()
    with pytest.raises(NoInterruptError):
        first.take(1, Holder())
    second.take(0, Holder())


def test_another_program_is_named_and_its_death_frees_the_interrupt(opened, tmp_path):
    script = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)\n"
    script += "print('has it', flush=True); sys.stdin.read()"
    claim = opened()
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "node")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"has it\n"
        with pytest.raises(NoResourcesError, match=rf"is taken by process {other.pid} \(python|another program"):
            claim.take(0, Holder())
        other.kill()
        other.wait(DEADLINE_S)
    claim.take(0, Holder())


def test_a_claim_whose_descriptor_is_gone_leaves_whoever_has_its_number_alone(opened, tmp_path):
    claim = opened()
    claim.take(0, Holder())
    claim.forget_descriptor()
    claim.give_back()  # the lock is still there: it goes with the descriptor
    with pytest.raises(NoResourcesError):
        opened().take(0, Holder())
