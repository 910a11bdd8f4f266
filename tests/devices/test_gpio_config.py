"""What a GPIO line is told to be, in the kernel's words. Source: include/uapi/linux/gpio.h."""

from __future__ import annotations

import pytest

from uio_workloop.devices.gpio_config import GpioConfig

INPUT, OUTPUT, RISING, FALLING, PULL_UP, PULL_DOWN, NO_BIAS = 0x4, 0x8, 0x10, 0x20, 0x100, 0x200, 0x400


@pytest.mark.parametrize(
    ("how", "flags"),
    [
        ({}, INPUT),
        ({"edge": "rising"}, INPUT | RISING),
        ({"edge": "falling"}, INPUT | FALLING),
        ({"edge": "both"}, INPUT | RISING | FALLING),
        ({"bias": "pull_up"}, INPUT | PULL_UP),
        ({"bias": "pull_down", "edge": "rising"}, INPUT | PULL_DOWN | RISING),
        ({"bias": "disable"}, INPUT | NO_BIAS),
        ({"output": True}, OUTPUT),
        ({"output": True, "bias": "pull_up"}, OUTPUT | PULL_UP),
        ({"edge": "rising", "debounce_us": 5}, INPUT | RISING),
        ({"edge": "rising", "debounce_us": 5, "debounce": "software"}, INPUT | RISING | FALLING),  # a bounce has both
        ({"edge": "none", "debounce_us": 5, "debounce": "software"}, INPUT),
    ],
)
def test_a_line_is_told_what_it_is_in_the_kernels_flags(how, flags):
    assert GpioConfig(**how).flags == flags


def test_either_the_kernel_debounces_or_we_do():
    by_kernel = GpioConfig(edge="both", debounce_us=5)
    assert (by_kernel.kernel_debounce_us, by_kernel.in_software) == (5, False)
    here = GpioConfig(edge="both", debounce_us=5, debounce="software")
    assert (here.kernel_debounce_us, here.in_software, here.period_ns) == (0, True, 5_000)


@pytest.mark.parametrize(
    ("edge", "wanted"), [("none", set()), ("rising", {True}), ("falling", {False}), ("both", {True, False})]
)
def test_the_changes_that_interrupt_are_those_asked_for(edge, wanted):
    assert GpioConfig(edge=edge).wanted == wanted


@pytest.mark.parametrize(
    "how", [{"debounce_us": 0}, {"debounce_us": (1 << 32) - 1}, {"output": True, "bias": "disable"}]
)
def test_what_goes_together_is_not_refused(how):
    GpioConfig(**how).check("gpiochip0:1")
