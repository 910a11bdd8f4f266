"""The kernel module as a product: parameters, attributes, loading and unloading."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager

import pytest
from helpers import Background
from lab_devices import Dummy, load_dummy, write

from uio_workloop import Trigger, UioDevice
from uio_workloop.testing.lab.kernel_log import Record, parse_record

LOAD_UNLOAD = 50
ATTRIBUTES = "/sys/devices/platform/uio_dummy.0/"


@contextmanager
def kernel_log():
    """What the kernel writes during a `with` block, but for what the lab knows to say nothing of drivers."""
    records: list[Record] = []
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.lseek(fd, 0, os.SEEK_END)
    try:
        yield records
        while True:
            record = parse_record(os.read(fd, 8192).decode().partition("\n")[0])
            if record is not None and not record.harmless:
                records.append(record)
    except BlockingIOError:
        pass
    finally:
        os.close(fd)


@pytest.fixture
def reload_afterwards():
    yield
    load_dummy()


@pytest.mark.timeout(180)
def test_it_loads_and_unloads_50_times_with_an_empty_kernel_log(reload_afterwards, show):
    with kernel_log() as log:
        for turn in range(LOAD_UNLOAD):
            load_dummy(trigger=list(Trigger)[turn % 2].value, irqcontrol=turn // 2 % 2, devices=1 + turn % 16)
            write(ATTRIBUTES + "period_ns", "100000")
            write(ATTRIBUTES + "raise", "10")
    show(f"uio_dummy: loaded and unloaded {LOAD_UNLOAD} times under load, {len(log)} lines in the kernel log")
    assert log == []


@pytest.mark.parametrize(
    "parameter",
    [
        *("devices=0", "devices=17", "devices=x", "trigger=none", "trigger=", "irqcontrol=2"),
        *("automask=2", "trigger=level automask=0", "first_event=4294967296"),
    ],
)
def test_an_unknown_parameter_value_refuses_the_load(reload_afterwards, parameter):
    subprocess.run(["modprobe", "-r", "uio_dummy"], check=True)
    outcome = subprocess.run(["modprobe", "uio_dummy", *parameter.split()], capture_output=True, text=True, check=False)
    assert outcome.returncode != 0
    assert "Invalid" in outcome.stderr
    assert not os.path.exists("/sys/module/uio_dummy")


@pytest.mark.parametrize("attribute", ["raise", "period_ns"])
@pytest.mark.parametrize("value", ["", "-1", "x", "1 2", "99999999999999999999", "0x"])
def test_an_unknown_attribute_value_is_refused(make_dummy, attribute, value):
    make_dummy()
    with pytest.raises(OSError, match=r"Invalid argument|out of range"):
        os.write(fd := os.open(ATTRIBUTES + attribute, os.O_WRONLY), value.encode() + b"\n")
    os.close(fd)


@pytest.mark.parametrize(("attribute", "value"), [("raise", "0"), ("raise", "1000001"), ("period_ns", "9999")])
def test_values_just_outside_the_range_are_refused(make_dummy, attribute, value):
    dummy = make_dummy()
    with pytest.raises(OSError, match="Invalid argument"):
        write(ATTRIBUTES + attribute, value)
    assert dummy.raised == 0


def test_it_raises_by_itself_until_told_to_stop(make_dummy):
    dummy = make_dummy(trigger=Trigger.EDGE, irqcontrol=False)
    write(ATTRIBUTES + "period_ns", "1000000")
    total = 0
    while total < 20:
        total += dummy.device.wait(10 * 10**9)
    write(ATTRIBUTES + "period_ns", "0")
    assert dummy.raised >= total


def test_four_writers_raise_exactly_what_they_say(make_dummy):
    dummy = make_dummy(trigger=Trigger.EDGE, irqcontrol=False)
    for writer in [Background(lambda: [dummy.cause(7) for _ in range(100)]) for _ in range(4)]:
        writer.result()
    assert dummy.raised == dummy.registers.read64(Dummy.TAKEN) == 2800


def test_the_register_page_says_what_it_is(make_dummy):
    registers = make_dummy().registers
    assert (registers.read32(0), registers.read32(4)) == (0x4F495544, 1)


def test_devices_can_be_listed(make_dummy):
    make_dummy()
    assert {"uio_dummy.0", "uio_dummy.1", "uio_pci_generic"} <= set(UioDevice.list().values())
