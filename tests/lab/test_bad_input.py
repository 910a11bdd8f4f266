"""What goes wrong gets one sentence that names the object and the way out; nothing is left open."""

from __future__ import annotations

import os

import pytest
from lab_devices import said_to_nobody

from uio_workloop import (
    AlreadyAttachedError,
    BadArgumentError,
    ClosedError,
    DeviceError,
    DeviceNotFoundError,
    GpioLine,
    InterruptEventSource,
    MapError,
    NoInterruptError,
    NoResourcesError,
    PciDevice,
    TimerEventSource,
    UioDevice,
    WorkLoop,
    find_device,
)
from uio_workloop.testing.lab import guest


def nothing(sender, count) -> None:
    """An action for sources that never come to one."""


@pytest.fixture
def card_without_interrupt():
    address = guest.plug("pci-testdev", "testdev", "10")  # registers, and no interrupt
    with PciDevice.find(address) as card:
        yield card
    guest.unplug("testdev")


def test_a_device_without_an_interrupt_is_refused_and_its_registers_stay_usable(card_without_interrupt, show):
    with pytest.raises(NoInterruptError) as refused:
        InterruptEventSource(card_without_interrupt, nothing)
    show(f"no interrupt: {refused.value}")
    assert "has no interrupt: its kernel driver registered none; its registers can still be mapped" in str(
        refused.value
    )
    with pytest.raises(NoInterruptError):
        card_without_interrupt.wait(0)
    card_without_interrupt.bar(0).read8(0)


def test_a_card_of_no_uio_driver_is_refused_with_the_command_that_binds_it(show):
    address = "0000:00:00.0"  # the host bridge
    with pytest.raises(DeviceError) as refused:
        PciDevice.find(address)
    show(f"not bound: {refused.value}")
    assert f"PCI device {address} is on no driver, not on a UIO driver; PciDevice.bind({address!r}) gives" in str(
        refused.value
    )


@pytest.mark.parametrize("name", ["/dev/uio77", "uio:uio_dummy.9", "0000:00:1f.7", "1234:0001", "gpiochip7:0"])
def test_a_device_that_is_not_there_is_refused(name, show):
    with pytest.raises(DeviceNotFoundError) as refused:
        find_device(name)
    show(f"not there: {refused.value}")


def test_a_line_beyond_its_chip_is_refused(show):
    with pytest.raises(DeviceNotFoundError) as refused:
        GpioLine.find(f"{guest.gpio_chip().name}:99")
    show(f"not there: {refused.value}")
    assert f"{guest.gpio_chip()} has lines 0 to 31" in str(refused.value)


def test_a_gpio_line_in_use_is_refused_with_its_user(show):
    name = f"{guest.gpio_chip().name}:5"
    with GpioLine.find(name), pytest.raises(DeviceError) as refused:
        GpioLine.find(name)
    show(f"in use: {refused.value}")
    assert str(refused.value) == f"GPIO line {name} is in use by 'uio_workloop'; free it there first"
    GpioLine.find(name).close()


def test_a_map_that_is_not_there_is_refused_with_those_that_are(make_dummy, show):
    with pytest.raises(MapError) as refused:
        make_dummy().device.map(3)
    show(f"no map: {refused.value}")
    assert "has no memory map 3; there are: 0 (registers)" in str(refused.value)


def test_a_wait_below_zero_is_refused(make_dummy, show):
    with pytest.raises(BadArgumentError) as refused:
        make_dummy().device.wait(-1)
    show(f"below zero: {refused.value}")


def test_a_timer_below_zero_a_source_added_twice_and_a_closed_loop_are_refused(make_dummy, show):
    loop = WorkLoop("driver")
    source = InterruptEventSource(make_dummy().device, nothing)
    loop.add_event_source(source)
    with TimerEventSource(nothing) as timer, pytest.raises(BadArgumentError) as below_zero:
        timer.set_timeout_ms(-5)
    with pytest.raises(AlreadyAttachedError) as twice:
        loop.add_event_source(source)
    loop.close()
    with pytest.raises(ClosedError) as closed:
        loop.run_action(nothing, None, 0)
    for refused in below_zero, twice, closed:
        show(f"refused: {refused.value}")
    assert source.closed


def test_a_wait_on_a_device_with_a_source_is_refused(make_dummy):
    dummy = make_dummy()
    with (
        InterruptEventSource(dummy.device, nothing),
        pytest.raises(NoResourcesError, match="is taken by InterruptEventSource on /dev/uio"),
    ):
        dummy.device.wait(0)
    assert dummy.device.wait(0) == 0


@pytest.mark.parametrize("name", ["/dev/uio0", "gpiochip0:4", "1234:11e8"])
def test_no_permission_says_who_would_have_it(name, show):
    sentence = said_to_nobody(f"find_device({name!r})")
    show(f"no permission: {sentence}")
    assert sentence.startswith("uio_workloop.errors.PrivilegeError: cannot open /dev/")
    assert (
        "no permission; it belongs to root:root, mode crw-------; run as root, or make install-udev: its " in sentence
    )
    assert sentence.endswith("70-uio-workloop.rules gives it to group uio")


def test_a_device_can_be_opened_again_after_every_refusal(make_dummy):
    dummy = make_dummy()
    for _ in range(3):
        with pytest.raises(MapError):
            dummy.device.map(1)
        with pytest.raises(NoInterruptError):
            InterruptEventSource(dummy.device, nothing, index=1)
    InterruptEventSource(dummy.device, nothing).close()
    with UioDevice.find(os.path.basename(dummy.device.node)) as again:
        assert again.event_count == 0


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/null", path)])
def test_what_is_called_like_a_gpio_chip_and_is_none_hides_no_line(make):
    make("/dev/gpiochip9")
    try:
        with pytest.raises(DeviceNotFoundError, match="there is no GPIO chip gpiochip9; there are: "):
            GpioLine("gpiochip9", 0)
        GpioLine.find("gpio:button").close()
    finally:
        os.rmdir("/dev/gpiochip9") if os.path.isdir("/dev/gpiochip9") else os.unlink("/dev/gpiochip9")


@pytest.mark.parametrize("how", [{"edge": ""}, {"edge": []}, {"debounce_us": "5"}, {"keep_edges": -1}, {"bias": {}}])
def test_a_gpio_line_set_up_without_sense_is_refused_and_stays_free(how):
    with pytest.raises(BadArgumentError):
        GpioLine.find("gpio:button", **how)
    with GpioLine.find("gpio:button") as line:
        for name, value in how.items():
            if name != "keep_edges":
                with pytest.raises(BadArgumentError):
                    setattr(line, name, value)


@pytest.mark.parametrize("which", [True, 0.0, None, [], b"0", -1, 2**70, "x" * 5000])
def test_only_the_number_or_the_name_of_a_map_is_one(which, make_dummy):
    with pytest.raises(MapError, match="has no memory map"):
        make_dummy().device.map(which)
