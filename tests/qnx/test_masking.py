"""Masked on delivery, and counted."""

from __future__ import annotations

import errno
import random
import threading

import pytest
from helpers import DEADLINE_S, Background, LoggedInterrupt
from qnx_rig import DEADLINE_NS, TRACKED, Note, delivery, errno_of, fire, settle, unmask

from uio_workloop import SoftwareInterrupt, Trigger
from uio_workloop.qnx import (
    Channel,
    IntrFlags,
    SigevNone,
    SigevPulse,
    interrupt_detach,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unmask,
)
from uio_workloop.testing.lab import guest

UNTRACKED = IntrFlags(0)
NOBODY = -1
FIRINGS = 200 if guest.in_lab() else 1000  # an emulated machine takes 4 ms for each


# Masked on delivery


@pytest.mark.qnx(15)
def test_the_line_is_masked_before_the_receiver_is_told(rig, attached, told):
    attached.event(rig.provider, Note(told, "fired", lambda: told.append(rig.seems_masked())))
    fire(rig)
    assert told == ["fired", True]
    assert interrupt_mask_count(rig.provider) == 1


@pytest.mark.qnx(16, 17)
def test_interrupts_of_a_masked_line_arrive_as_one_after_the_unmask(rig, attached, told):
    attached.event(rig.provider, Note(told, "fired"))
    fire(rig)
    rig.acknowledge()
    for _ in range(5):
        fire(rig)
    assert told == ["fired"]
    with delivery(rig):
        assert interrupt_unmask(rig.provider, attached.ids[0]) == 0
    assert told == ["fired", "fired"]
    assert interrupt_mask_count(rig.provider) == 1


@pytest.mark.qnx(19)
def test_with_two_attachments_the_line_opens_when_both_have_unmasked(rig, attached, told):
    ids = [attached.event(rig.provider, Note(told, name)) for name in "AB"]
    fire(rig)
    assert interrupt_mask_count(rig.provider) == 2
    assert unmask(rig, ids[0]) == 1
    fire(rig)
    assert sorted(told) == ["A", "B"]
    with delivery(rig):
        assert interrupt_unmask(rig.provider, ids[1]) == 0
    assert sorted(told) == ["A", "A", "B", "B"]


@pytest.mark.qnx(20)
def test_the_line_is_never_open_between_two_deliveries_of_one_firing(rig, attached):
    left, masked = [], []
    unmasked = threading.Semaphore(0)

    class Watching(SigevNone):
        def deliver(self, thread, id):  # noqa: A002 - QNX's word
            masked.append(rig.seems_masked())
            return True

    class Lingering(Channel):
        def send_pulse(self, priority, code, value=0):
            super().send_pulse(priority, code, value)
            assert unmasked.acquire(timeout=DEADLINE_S)  # so that the first has unmasked before the second is told

    with Lingering() as channel:
        second = attached.event(rig.provider, Watching())
        first = attached.event(rig.provider, SigevPulse(channel))  # in front

        def unmask_at_once() -> None:
            for _ in range(FIRINGS):
                channel.receive_pulse(DEADLINE_NS)
                left.append(unmask(rig, first))
                masked.append(rig.seems_masked())
                unmasked.release()

        receiver = Background(unmask_at_once)
        for _ in range(FIRINGS):
            fire(rig)
            unmask(rig, second)
        receiver.result()
    assert left == [1] * FIRINGS
    assert masked == [True] * 2 * FIRINGS


@pytest.mark.qnx(21)
def test_of_a_none_event_nobody_is_told_and_the_line_is_masked_all_the_same(rig, attached):
    attached.event(rig.provider, SigevNone())
    fire(rig)
    assert interrupt_mask_count(rig.provider) == 1
    assert rig.seems_masked()


@pytest.mark.parametrize("trigger", list(Trigger))
def test_a_line_that_masks_itself_or_not_is_masked_once_and_opened_by_the_last_unmask(attached, trigger):
    with LoggedInterrupt(trigger) as line:
        ids = [attached.event(line, SigevNone()) for _ in range(2)]
        fire(line)
        del line.log[: line.log.index("unmask") + 1]
        assert line.log == ["mask"]
        for each in ids:
            interrupt_unmask(line, each)
        assert line.log == ["mask", "unmask"]
        attached.detach_all()


@pytest.mark.qnx(18)
def test_a_device_that_was_not_quieted_fires_again_at_once_and_one_that_was_does_not(level_rig, attached, told):
    id = attached.event(level_rig.provider, Note(told, "fired"))  # noqa: A001 - QNX's word
    before = level_rig.accepted()
    fire(level_rig)
    level_rig.reassert()
    with delivery(level_rig):
        assert interrupt_unmask(level_rig.provider, id) == 0
    assert told == ["fired"] * 2
    assert unmask(level_rig, id) == 0
    fire(level_rig)
    assert told == ["fired"] * 3
    assert before is None or level_rig.accepted() == before + 3


class Asserted(SoftwareInterrupt):
    """A level line that stays asserted until its device is quieted: opened before, it fires again at once."""

    asserted = False

    def assert_it(self) -> None:
        self.asserted = True
        self.cause()

    def unmask(self) -> None:
        super().unmask()
        if self.asserted:
            self.cause()


@pytest.mark.qnx(18)
def test_a_level_that_is_still_asserted_fires_again_at_once_and_one_that_is_cleared_does_not(attached, told):
    with Asserted(Trigger.LEVEL) as line:
        id = attached.event(line, Note(told, "fired"))  # noqa: A001 - QNX's word
        line.assert_it()
        settle()
        interrupt_unmask(line, id)
        settle()
        assert told == ["fired", "fired"]
        line.asserted = False
        assert interrupt_unmask(line, id) == 0
        settle()
        assert told == ["fired", "fired"]
        attached.detach_all()


# Counting


@pytest.mark.qnx(25)
def test_masks_nest_and_the_line_changes_twice(attached):
    with LoggedInterrupt(Trigger.EDGE) as line:
        id = attached.event(line, SigevNone())  # noqa: A001 - QNX's word
        line.log.clear()
        assert [interrupt_mask(line, id) for _ in range(3)] == [1, 2, 3]
        assert [interrupt_unmask(line, id) for _ in range(3)] == [2, 1, 0]
        assert line.log == ["mask", "unmask"]
        attached.detach_all()


@pytest.mark.qnx(26)
def test_a_mask_beside_that_of_the_delivery_keeps_the_line_masked(rig, attached):
    id = attached.event(rig.provider, SigevNone())  # noqa: A001 - QNX's word
    fire(rig)
    assert interrupt_mask(rig.provider, id) == 2
    assert interrupt_unmask(rig.provider, id) == 1
    assert rig.seems_masked()


@pytest.mark.qnx(27)
def test_one_unmask_too_many_is_eagain_and_changes_nothing(rig, attached):
    id = attached.event(rig.provider, SigevNone())  # noqa: A001 - QNX's word
    assert errno_of(interrupt_unmask, rig.provider, id) == errno.EAGAIN
    interrupt_mask(rig.provider, NOBODY)
    assert errno_of(interrupt_unmask, rig.provider, id) == errno.EAGAIN
    assert interrupt_mask_count(rig.provider) == 1


@pytest.mark.qnx(28)
def test_an_id_that_there_is_not_is_esrch_and_to_detach_einval(rig, attached):
    attached.event(rig.provider, SigevNone())
    gone = attached.event(rig.provider, SigevNone())
    interrupt_detach(gone)
    for id in (gone, 1_000_000, 0, -2):  # noqa: A001 - QNX's word
        assert errno_of(interrupt_mask, rig.provider, id) == errno.ESRCH
        assert errno_of(interrupt_unmask, rig.provider, id) == errno.ESRCH
        assert errno_of(interrupt_detach, id) == errno.EINVAL


@pytest.mark.qnx(29)
def test_an_unmask_by_one_id_leaves_what_is_booked_to_another(rig, attached):
    a, b = attached.event(rig.provider, SigevNone()), attached.event(rig.provider, SigevNone())
    fire(rig)
    unmask(rig, b)
    assert (interrupt_mask_count(rig.provider, a), interrupt_mask_count(rig.provider, b)) == (1, 0)


@pytest.mark.qnx(30)
def test_what_is_booked_to_an_id_cannot_be_released_by_nobody(rig, attached):
    attached.event(rig.provider, SigevNone())
    fire(rig)
    assert errno_of(interrupt_unmask, rig.provider, NOBODY) == errno.EAGAIN
    assert interrupt_mask_count(rig.provider) == 1


@pytest.mark.qnx(31)
@pytest.mark.parametrize("by_id", [True, False])
def test_a_delivery_that_is_not_tracked_is_released_by_its_id_or_by_nobody(rig, attached, by_id):
    id = attached.event(rig.provider, SigevNone(), UNTRACKED)  # noqa: A001 - QNX's word
    fire(rig)
    assert unmask(rig, id if by_id else NOBODY) == 0
    assert rig.seems_open()


@pytest.mark.qnx(32)
def test_any_thread_of_the_process_may_mask_and_unmask_by_an_id(rig, attached):
    id = attached.event(rig.provider, SigevNone())  # noqa: A001 - QNX's word
    results = []
    thread = threading.Thread(
        target=lambda: results.extend([interrupt_mask(rig.provider, id), interrupt_unmask(rig.provider, id)]),
        daemon=True,
    )
    thread.start()
    thread.join(DEADLINE_S)
    assert results == [1, 0]


@pytest.mark.qnx(33)
def test_the_interrupt_and_the_id_have_to_belong_together(rig, attached):
    id = attached.event(rig.provider, SigevNone())  # noqa: A001 - QNX's word
    with SoftwareInterrupt() as other:
        assert errno_of(interrupt_mask, other, NOBODY) == errno.EINVAL
        attached.event(other, SigevNone())
        assert errno_of(interrupt_mask, other, id) == errno.EINVAL
        assert interrupt_mask(None, id) == 1
        assert errno_of(interrupt_mask, None, NOBODY) == errno.EINVAL
        attached.detach_all()


@pytest.mark.qnx(34)
def test_balanced_masks_of_many_threads_end_at_0_with_the_line_open(rig, attached, threads_take_turns_often):
    id = attached.event(rig.provider, SigevNone())  # noqa: A001 - QNX's word
    seen = []

    def mask_and_unmask(seed: int) -> None:
        dice = random.Random(seed)
        held = 0
        for _ in range(50):
            if held and dice.random() < 0.5:
                held -= 1
                seen.append(interrupt_unmask(rig.provider, id))
            else:
                held += 1
                seen.append(interrupt_mask(rig.provider, id))
        seen.extend([interrupt_unmask(rig.provider, id) for _ in range(held)])

    threads = [threading.Thread(target=mask_and_unmask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert interrupt_mask_count(rig.provider) == 0
    assert rig.seems_open()
    assert min(seen) >= 0


# Order and flags


@pytest.mark.qnx(35)
def test_the_last_that_attached_is_told_first(rig, attached, told):
    for name in "AB":
        attached.event(rig.provider, Note(told, name))
    fire(rig)
    assert told == ["B", "A"]


@pytest.mark.qnx(36)
def test_who_attaches_at_the_end_is_told_last(rig, attached, told):
    for name, flags in (("A", TRACKED), ("B", TRACKED | IntrFlags.END), ("C", TRACKED)):
        attached.event(rig.provider, Note(told, name), flags)
    fire(rig)
    assert told == ["C", "A", "B"]


@pytest.mark.qnx(37)
def test_the_more_urgent_pulse_is_received_first_whatever_the_order_of_the_list(rig, attached):
    with Channel() as channel:
        attached.event(rig.provider, SigevPulse(channel, 10, 1))
        attached.event(rig.provider, SigevPulse(channel, 20, 2), TRACKED | IntrFlags.END)
        fire(rig)
        assert [channel.receive_pulse(0).code for _ in range(2)] == [2, 1]


@pytest.mark.qnx(38)
@pytest.mark.parametrize("flags", [TRACKED, UNTRACKED])
def test_attached_without_unmask_nothing_arrives_until_the_first_unmask(rig, attached, told, flags):
    id = attached.event(rig.provider, Note(told, "fired"), flags | IntrFlags.NO_UNMASK)  # noqa: A001 - QNX's word
    fire(rig)
    assert told == []
    with delivery(rig):
        assert interrupt_unmask(rig.provider, id) == 0
    assert told == ["fired"]


@pytest.mark.qnx(39)
def test_on_a_line_that_is_open_an_attachment_without_unmask_begins_with_a_mask_of_its_own(rig, attached):
    attached.event(rig.provider, SigevNone())
    late = attached.event(rig.provider, SigevNone(), TRACKED | IntrFlags.NO_UNMASK)
    assert interrupt_mask_count(rig.provider) == 1
    assert interrupt_unmask(rig.provider, late) == 0
    assert rig.seems_open()


def test_an_id_in_the_place_of_an_interrupt_is_noticed(attached, soft):
    id = attached.event(soft, SigevNone())  # noqa: A001 - QNX's word
    with pytest.raises(OSError, match="if that is an id, give it second"):
        interrupt_mask(id)
