"""Whatever is given as a name, an offset, a value or a time: a sentence of ours, at once, and nothing left behind."""

from __future__ import annotations

import math
import mmap
import os

import pytest

from uio_workloop import (
    BadArgumentError,
    ClosedError,
    Deadline,
    DriverHost,
    GpioLine,
    PciDevice,
    PciId,
    PortRegisters,
    Register,
    RegisterBlock,
    RegisterError,
    Registers,
    SoftwareInterrupt,
    UioDevice,
    WorkLoopError,
    find_device,
)

NO_NUMBERS = (None, 1.5, 4.0, math.nan, math.inf, "0", b"0", [], {})
HUGE = (-1, 2**31, 2**64, 2**200, -(2**200))
NO_NAMES = (None, 3, 1.5, True, b"/dev/uio0", [], "", "#0", "\0", "/dev/\0", "/dev/\ud800", "irq:" + 5000 * "9")
MORE_NAMES = (
    "gpiochip0:" + 5000 * "1",
    "1234:11e8#" + 5000 * "9",
    "/dev/" + 5000 * "x",
    5000 * "x",
    "uio:\n",
    "gpio:\x1b",
)
LONGEST_SENTENCE = 500


@pytest.fixture(params=["memory", "ports", "big endian"])
def registers(request):
    if request.param == "ports":
        fd = os.memfd_create("ports")
        os.truncate(fd, 0x40)
        made = PortRegisters(fd, "card BAR 1", 0x40)
    else:
        made = Registers(mmap.mmap(-1, mmap.PAGESIZE), "card BAR 0", 0, 0x40)
    yield made.big_endian if request.param == "big endian" else made
    made.invalidate(lambda: ClosedError("over"))


@pytest.mark.parametrize("width", [8, 16, 32, 64])
@pytest.mark.parametrize("offset", [*NO_NUMBERS, *HUGE], ids=repr)
def test_no_offset_reaches_the_bus_but_a_whole_number_within(registers, width, offset):
    for access in (getattr(registers, f"read{width}"), lambda at: getattr(registers, f"write{width}")(at, 0)):
        with pytest.raises(RegisterError, match=r"cannot (read|write) "):
            access(offset)


@pytest.mark.parametrize("width", [8, 16, 32])
@pytest.mark.parametrize("value", [*NO_NUMBERS, -1, 2**64, 2**200], ids=repr)
def test_no_value_reaches_the_bus_but_a_whole_number_that_fits(registers, width, value):
    with pytest.raises(RegisterError, match=f"it does not fit {width} bits"):
        getattr(registers, f"write{width}")(0, value)
    assert registers.read32(0) == 0


@pytest.mark.parametrize("timeout_ns", [*NO_NUMBERS, -1], ids=repr)
def test_no_wait_begins_without_an_end(registers, timeout_ns):
    with pytest.raises(BadArgumentError, match="a timeout is a whole number of nanoseconds"):
        registers.wait_until(0, 1, 1, timeout_ns)
    with pytest.raises(BadArgumentError, match="a delay is a whole number"):
        Deadline.after(timeout_ns)


@pytest.mark.parametrize("width", [*NO_NUMBERS, 0, 7, True], ids=repr)
def test_no_register_is_waited_for_that_has_no_width(registers, width):
    with pytest.raises(RegisterError, match="only 8, 16, 32 or 64"):
        registers.wait_until(0, 1, 1, 0, width=width)


@pytest.mark.parametrize("number", NO_NUMBERS, ids=repr)
def test_a_layout_takes_whole_numbers(number):
    for arguments in ({"offset": number}, {"offset": 0, "width": number}):
        with pytest.raises(RegisterError, match=r"Made.a cannot be"):
            type(RegisterBlock)("Made", (RegisterBlock,), {"a": Register(**arguments)}, size=8)
    with pytest.raises(RegisterError, match="Made cannot have a size of"):
        type(RegisterBlock)("Made", (RegisterBlock,), {}, size=number)


@pytest.mark.parametrize("find", [find_device, UioDevice.find, PciDevice.find, GpioLine.find, PciDevice, UioDevice])
@pytest.mark.parametrize("name", [*NO_NAMES, *MORE_NAMES], ids=lambda name: repr(name)[:30])
def test_what_is_no_name_gets_a_short_sentence_on_one_line(find, name):
    with pytest.raises(WorkLoopError) as refused:
        find(name)
    sentence = str(refused.value)
    assert len(sentence) < LONGEST_SENTENCE
    assert sentence.isprintable()


@pytest.mark.parametrize("chip", [None, "", "..", "../null", "gpiochip0\0", "null", b"gpiochip0"], ids=repr)
def test_a_chip_is_called_as_one(chip):
    with pytest.raises(BadArgumentError, match="names no GPIO chip"):
        GpioLine(chip, 1)


@pytest.mark.parametrize("offset", [*NO_NUMBERS, True, -1], ids=repr)
def test_the_offset_of_a_line_is_a_whole_number(offset):
    with pytest.raises(BadArgumentError, match="lines are numbered from 0"):
        GpioLine("gpiochip0", offset)


@pytest.mark.parametrize("n", [*NO_NUMBERS, 0, -1, 2**64], ids=repr)
def test_a_number_of_interrupts_is_a_whole_one(n):
    with SoftwareInterrupt() as line, pytest.raises(BadArgumentError, match="n is 1 to "):
        line.cause(n)


@pytest.mark.parametrize("drivers", [None, 5, PciId, [None], [5], ["x"], [int]], ids=repr)
def test_a_host_takes_a_list_of_drivers(drivers):
    with pytest.raises(BadArgumentError, match=r"is no (list of drivers|driver)"):
        DriverHost(drivers)
