"""Masks are counted, and booked to who made them."""

from __future__ import annotations

import errno
import random

import pytest

from uio_workloop.qnx.mask_count import MaskCount

A, B, NOBODY = 1, 2, -1


@pytest.fixture
def count() -> MaskCount:
    count = MaskCount()
    count.open_account(A)
    return count


def test_masks_add_up_and_unmasks_tell_what_is_left(count):
    assert [count.mask(A), count.mask(NOBODY), count.mask(A)] == [1, 2, 3]
    assert [count.unmask(A), count.unmask(A), count.unmask(NOBODY)] == [2, 1, 0]


@pytest.mark.parametrize("owner", [A, NOBODY])
def test_one_unmask_too_many_is_refused_and_changes_nothing(count, owner):
    with pytest.raises(BlockingIOError) as refused:
        count.unmask(owner)
    assert (refused.value.errno, count.total) == (errno.EAGAIN, 0)


def test_nobody_cannot_release_what_is_booked_to_an_id(count):
    count.mask(A)
    with pytest.raises(BlockingIOError, match=r"those of id 1 \(1\); unmask by that id"):
        count.unmask(NOBODY)
    assert count.total == 1


def test_an_id_cannot_release_what_is_nobodys_if_it_has_an_account(count):
    count.mask(NOBODY)
    with pytest.raises(BlockingIOError, match=r"no mask to release; the masks are those of nobody \(1\)"):
        count.unmask(A)
    assert count.total == 1


def test_who_has_no_account_shares_what_is_nobodys(count):
    count.mask(B)
    assert (count.booked(B), count.booked(NOBODY)) == (1, 1)
    assert count.unmask(NOBODY) == 0


def test_closing_an_account_gives_back_what_is_on_it_and_nothing_else(count):
    count.open_account(B)
    for owner in (A, A, B, NOBODY):
        count.mask(owner)
    assert count.close_account(A) == 2
    assert (count.total, count.booked(B), count.booked(NOBODY)) == (2, 1, 1)


def test_closing_an_account_that_is_not_there_gives_nothing_back(count):
    count.mask(B)
    assert count.close_account(B) == 0
    assert count.total == 1


def test_opening_an_account_twice_keeps_what_is_on_it(count):
    count.mask(A)
    count.open_account(A)
    assert count.booked(A) == 1


def test_the_worked_example_of_a_tracked_and_an_untracked_attachment(count):
    count.mask(A)  # a firing books on both
    count.mask(B)
    assert count.unmask(A) == 1
    assert [count.mask(A), count.mask(A)] == [2, 3]
    assert count.close_account(A) == 2
    assert count.unmask(B) == 0


def test_the_total_is_always_the_sum_of_the_accounts_and_never_negative(count):
    dice = random.Random(1)
    owners = [A, B, NOBODY]
    for _ in range(1000):
        owner = dice.choice(owners)
        if dice.random() < 0.5:
            count.mask(owner)
        elif count.booked(owner):
            count.unmask(owner)
        assert count.total == count.booked(A) + count.booked(NOBODY) >= 0
