"""A GPIO line is set up, and set up anew under a source: the descriptor stays, and so does what is queued."""

from __future__ import annotations

import errno
import os

import pytest
from helpers import attach
from lab_devices import LINE, Toggle

from uio_workloop import (
    BadArgumentError,
    ClosedError,
    DeviceError,
    GpioLine,
    InterruptEventSource,
    NoInterruptError,
    UnsupportedError,
    UsageError,
)
from uio_workloop._linux import gpio
from uio_workloop.testing import fence
from uio_workloop.testing.lab import guest

pytestmark = pytest.mark.usefixtures("own_affinity")


def open_line(**how) -> GpioLine:
    return GpioLine.find(f"gpio:lab/{LINE}", **how)


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


# Outputs


@pytest.mark.parametrize(("direction", "high"), [("out", False), ("low", False), ("high", True)])
def test_an_output_begins_at_the_level_asked_for(direction, high):
    with open_line(direction=direction) as line:
        assert guest.gpio_value(LINE) is high
        assert line.value is high
        assert (line.direction, line.edge) == ("out", "none")


def test_an_output_is_driven_by_setting_its_value():
    with open_line(direction="out") as line:
        for high in (True, False, True):
            line.value = high
            assert guest.gpio_value(LINE) is high


@pytest.mark.parametrize("high", [True, False])
def test_a_bias_given_to_an_output_leaves_its_level_alone(high):
    with open_line(direction="out") as line:
        line.value = high
        line.bias = "pull_down" if high else "pull_up"
        assert guest.gpio_value(LINE) is high
        assert line.bias != "default"


def test_an_output_has_no_edges_and_an_input_is_not_set(show):
    with open_line(direction="out") as line:
        with pytest.raises(NoInterruptError, match="does not interrupt: it is an output") as claimed:
            InterruptEventSource(line, None)
        with pytest.raises(BadArgumentError, match="is an output, which has no edges") as edged:
            line.edge = "rising"
    with open_line() as line, pytest.raises(UsageError, match="it is an input; find it with direction=") as driven:
        line.value = True
    for refused in claimed, edged, driven:
        show(f"refused: {refused.value}")


# Inputs


@pytest.mark.parametrize("bias", ["pull_up", "pull_down"])
def test_a_bias_pulls_an_input(bias):
    with open_line(bias=bias) as line:
        assert line.value is (bias == "pull_up")
        line.bias = "pull_down" if bias == "pull_up" else "pull_up"
        assert line.value is (bias == "pull_down")


def test_an_input_without_edges_is_only_read_until_it_is_given_some(work_loop, seen, show):
    with open_line(edge="none") as line:
        with pytest.raises(NoInterruptError, match="does not interrupt: set its edge") as refused:
            InterruptEventSource(line, seen)
        line.edge = "both"
        attach(work_loop, line, seen)
        Toggle()(2)
        seen.wait_for_total(2)
    show(f"no edges: {refused.value}")


@pytest.mark.parametrize(
    ("attribute", "setting"),
    [("edge", "falling"), ("edge", "none"), ("bias", "pull_up"), ("debounce_us", 1_000), ("debounce_us", 200_000)],
)
def test_edges_queued_before_a_line_is_set_up_anew_are_read_after_it(work_loop, seen, attribute, setting, show):
    with open_line() as line:
        source = attach(work_loop, line, seen)
        source.disable()
        descriptor = source.fileno()
        Toggle()(5)

        setattr(line, attribute, setting)
        source.enable()
        seen.wait_for_total(5)
        fence(work_loop)

        show(f"5 edges queued, then {attribute} = {setting!r}: {seen.total} read, {source.statistics.lost} lost")
        assert getattr(line, attribute) == setting
        assert source.fileno() == descriptor
        assert (seen.total, source.statistics.lost) == (5, 0)


def test_edges_go_on_being_numbered_and_stamped_alike_after_every_change(work_loop, seen):
    with open_line(keep_edges=64) as line:
        source = attach(work_loop, line, seen)
        toggle = Toggle()
        for n, bias in enumerate(["disable", "default", "disable"], start=1):
            line.bias = bias
            toggle(4)
            seen.wait_for_total(4 * n)
        with work_loop.gate:
            edges = line.take_edges()
        stamps = [edge.timestamp_ns for edge in edges]
        assert stamps == sorted(stamps)
        assert [edge.rising for edge in edges] == [True, False] * 6
        assert source.statistics.lost == 0


def test_a_source_hears_the_edges_that_its_line_is_set_to_under_it(work_loop, seen):
    with open_line() as line:
        attach(work_loop, line, seen)
        Toggle()(4)
        seen.wait_for_total(4)
        line.edge = "rising"
        Toggle()(4)  # another one: with other edges the line gets another interrupt thread
        seen.wait_for_total(6)
        line.edge = "none"
        Toggle()(4)
        fence(work_loop)
        line.edge = "both"
        Toggle()(2)
        seen.wait_for_total(8)
    assert seen.total == 8


# Edges one by one


def test_a_line_that_only_counts_says_so_when_asked_for_its_edges(gpio_line):
    for ask in (gpio_line.take_edges, lambda: gpio_line.edges_dropped):
        with pytest.raises(UsageError, match="only counts its edges; find it with keep_edges=64"):
            ask()


def test_the_edges_kept_are_the_newest_and_those_pushed_out_are_counted(work_loop, seen):
    with open_line(keep_edges=3) as line:
        source = attach(work_loop, line, seen)
        source.disable()
        Toggle()(8)
        source.enable()
        seen.wait_for_total(8)
        with work_loop.gate:
            assert [edge.rising for edge in line.take_edges()] == [False, True, False]
            assert line.edges_dropped == 5
            assert source.statistics.lost == 0


def test_edges_before_a_source_are_nobodys(work_loop, seen):
    with open_line(keep_edges=8) as line:
        toggle = Toggle()
        toggle(4)
        attach(work_loop, line, seen)
        toggle(1)
        seen.wait_for_total(1)
        with work_loop.gate:
            assert [edge.rising for edge in line.take_edges()] == [True]


# Refusals that this chip does not give, so the kernel's answer is put in its mouth


@pytest.fixture
def refuse(monkeypatch):
    """The kernel gives up half way, as it may, with the answer given, whenever `when` is asked for."""
    set_config = gpio.set_config

    def prepare(code: int, when=lambda flags, debounce_us: True) -> None:
        def refusing(fd, flags, *, debounce_us=None, value=None):
            if when(flags, debounce_us):
                set_config(fd, gpio.INPUT)
                raise OSError(code, os.strerror(code))
            set_config(fd, flags, debounce_us=debounce_us, value=value)

        monkeypatch.setattr(gpio, "set_config", refusing)

    return prepare


def test_a_line_without_an_interrupt_is_refused_and_nothing_is_left_open(refuse, show):
    before = descriptors()
    refuse(errno.ENXIO, lambda flags, debounce_us: flags & gpio.EDGE_RISING)
    with pytest.raises(NoInterruptError) as refused:
        open_line()
    show(f"no interrupt: {refused.value}")
    assert str(refused.value).endswith(
        'cannot interrupt: its chip has none for it; find it with edge="none" to read its level'
    )
    assert descriptors() == before
    with open_line(edge="none") as line:
        assert line.value is False


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ERANGE, errno.EOPNOTSUPP, 524])
def test_a_debounce_that_the_chip_refuses_is_refused_and_the_edges_go_on(refuse, code, work_loop, seen, show):
    refuse(code, lambda flags, debounce_us: bool(debounce_us))
    before = descriptors()
    with pytest.raises(UnsupportedError) as refused:
        open_line(debounce_us=5_000)
    show(f"no debounce: {refused.value}")
    assert "cannot be debounced for 5000 us: its chip refuses that; " in str(refused.value)
    assert str(refused.value).endswith('take another time, or debounce="software"')
    assert descriptors() == before

    with open_line() as line:
        attach(work_loop, line, seen)
        with pytest.raises(UnsupportedError):
            line.debounce_us = 5_000
        assert line.debounce_us == 0
        Toggle()(4)
        seen.wait_for_total(4)


def test_a_chip_that_neither_debounces_nor_interrupts_is_refused(refuse, show):
    refuse(errno.ENXIO, lambda flags, debounce_us: bool(debounce_us))
    with pytest.raises(UnsupportedError, match="its chip neither does that nor interrupts") as refused:
        open_line(edge="none", debounce_us=5_000)
    show(f"no debounce: {refused.value}")


def test_any_other_answer_is_passed_on(refuse):
    refuse(errno.EBUSY)
    with pytest.raises(DeviceError, match=f"cannot set up GPIO line .*:{LINE}: Device or resource busy") as refused:
        open_line()
    assert refused.value.errno == errno.EBUSY


def test_a_kernel_without_version_2_is_refused(monkeypatch, show):
    def refuse(fd, offset):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(gpio, "line_info", refuse)
    with pytest.raises(UnsupportedError, match=r"GPIO lines take Linux 5.10 or later") as refused:
        GpioLine.find(f"{guest.gpio_chip().name}:{LINE}")
    show(f"old kernel: {refused.value}")


def test_a_closed_line_says_so():
    line = open_line()
    line.close()
    line.close()
    for use in (lambda: line.value, lambda: setattr(line, "edge", "none"), lambda: InterruptEventSource(line, None)):
        with pytest.raises(ClosedError, match="it is closed; find it again"):
            use()
