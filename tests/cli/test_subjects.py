"""How subjects raise, stamp and count."""

from __future__ import annotations

import pytest

from uio_workloop import DeviceGoneError, DeviceNotFoundError
from uio_workloop.cli import known_devices
from uio_workloop.cli.kernel_count import KernelCount, signed
from uio_workloop.cli.known_devices import PERIOD_NS, DummySubject, EduSubject
from uio_workloop.cli.subjects import BURST, OtherSubject, SoftwareSubject, open_subject
from uio_workloop.clock import monotonic_ns

MAX = (1 << 32) - 1


@pytest.fixture
def software():
    subject = SoftwareSubject()
    yield subject
    subject.close()


@pytest.fixture
def period_ns(tmp_path, monkeypatch):
    """The sysfs attribute of a dummy that somebody else has set to 5 ms."""
    monkeypatch.setattr(known_devices, "_sysfs_directory", lambda device: tmp_path)
    (tmp_path / "name").write_text("uio_dummy.0\n")
    (tmp_path / "device").mkdir()
    attribute = tmp_path / "device" / "period_ns"
    attribute.write_text("5000000\n")
    return attribute


# Software


def test_without_a_name_software_interrupts_are_opened():
    subject = open_subject(None)
    subject.close()

    assert isinstance(subject, SoftwareSubject)


def test_an_unknown_name_is_the_error_of_find_device():
    with pytest.raises(DeviceNotFoundError, match="/dev/nonesuch"):
        open_subject("/dev/nonesuch")


def test_a_stamp_is_taken_once_and_only_with_its_own_interrupt(software):
    software._cause(1)
    software._cause(BURST)  # finds a stamp that nobody has taken, and leaves it

    assert software.take_stamp(0) is None
    assert software.take_stamp(1) <= monotonic_ns()
    assert software.take_stamp(1 + BURST) is None


def test_a_stamp_after_the_first_belongs_to_the_interrupt_caused_next(software):
    software._cause(1)
    software.take_stamp(1)

    software._cause(BURST)

    assert software.take_stamp(1) is None
    assert software.take_stamp(2) is not None


def test_software_counts_what_it_raised(software):
    software._cause(1)
    software._cause(BURST)

    assert software.raised == 1 + BURST
    assert software.outstanding(1) == BURST


def test_a_subject_that_was_never_started_stops_and_closes_twice(software):
    software.stop()
    software.close()
    software.close()


# The edu card


def test_the_card_is_raised_again_only_when_it_was_acknowledged(device, work_loop):
    card = EduSubject(device)
    work_loop.add_event_source(card._timer)

    card._cause(card._timer)
    card._cause(card._timer)
    raised_before = card.raised
    card.acknowledge()
    card._cause(card._timer)
    card.close()

    assert (raised_before, card.raised) == (1, 2)


def test_raising_writes_one_and_acknowledging_writes_the_status_back(device, work_loop):
    card = EduSubject(device)
    work_loop.add_event_source(card._timer)
    device.registers.write32(EduSubject.STATUS, 5)

    card._cause(card._timer)
    card.acknowledge()
    card.close()

    assert device.registers.read32(EduSubject.RAISE) == 1
    assert device.registers.read32(EduSubject.ACKNOWLEDGE) == 5


# uio_dummy


def test_a_dummy_is_recognised_by_name_and_magic(device, period_ns):
    assert not DummySubject.recognises(device)

    device.registers.write32(0, DummySubject.MAGIC)

    assert DummySubject.recognises(device)


def test_the_registers_of_a_stranger_are_not_read(device, period_ns):
    (period_ns.parent.parent / "name").write_text("precious\n")
    device.map = None  # calling it would be an error

    assert not DummySubject.recognises(device)


def test_the_period_of_a_dummy_is_set_for_the_run_and_put_back(device, period_ns, work_loop):
    dummy = DummySubject(device)

    dummy.start(work_loop)
    during = period_ns.read_text()
    dummy.stop()
    dummy.stop()

    assert (during, period_ns.read_text()) == (str(PERIOD_NS), "5000000")


def test_a_dummy_that_left_has_no_period_to_put_back(device, period_ns, work_loop):
    dummy = DummySubject(device)
    dummy.start(work_loop)
    period_ns.unlink()
    period_ns.parent.rmdir()

    dummy.stop()

    assert not period_ns.parent.exists()


def test_a_dummy_without_its_attribute_cannot_be_started(device, period_ns, work_loop):
    dummy = DummySubject(device)
    period_ns.unlink()
    period_ns.parent.rmdir()

    with pytest.raises(DeviceGoneError, match="period_ns"):
        dummy.start(work_loop)


def test_the_stamp_of_a_dummy_is_that_of_the_first_raise_not_answered(device, period_ns):
    dummy = DummySubject(device)
    device.registers.write64(DummySubject.RAISED, 3)
    device.registers.write64(DummySubject.LAST_RAISE_NS, 10 * PERIOD_NS)

    assert dummy.take_stamp(1) == 8 * PERIOD_NS
    assert dummy.take_stamp(2) is None


# What the kernel counts


@pytest.mark.parametrize(("difference", "nearest"), [(0, 0), (5, 5), (MAX, -1), (1 << 31, -(1 << 31))])
def test_a_wrapped_difference_is_the_number_nearest_to_zero(difference, nearest):
    assert signed(difference) == nearest


@pytest.mark.parametrize(("delivered", "outstanding"), [(2, 3), (5, 0), (6, -1)])
def test_the_kernels_count_may_wrap(device, delivered, outstanding):
    device.event_count = MAX - 1
    count = KernelCount(device)
    count.begin()

    device.event_count = 3  # five more

    assert count.outstanding(delivered) == outstanding


@pytest.mark.parametrize(("delivered", "outstanding"), [(4, 1), (5, 0), (7, 0), (8, -1)])
def test_what_came_between_opening_and_beginning_may_be_delivered_or_not(device, delivered, outstanding):
    count = KernelCount(device)
    device.event_count = 2
    count.begin()

    device.event_count = 7

    assert count.outstanding(delivered) == outstanding


def test_an_unknown_device_is_only_listened_to(device, work_loop):
    other = OtherSubject(device)

    other.start(work_loop)
    other.acknowledge()
    other.stop()

    assert not any(map(device.registers.read8, range(device.registers.size)))
    assert not other.can_acknowledge
