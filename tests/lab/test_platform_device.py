"""A platform device on uio_pdrv_genirq: a comparator of the HPET, with a level-triggered line and two maps."""

from __future__ import annotations

import pytest
from lab_devices import write
from programs import Program

from uio_workloop import DeviceGoneError, InterruptEventSource, MapError, UioDevice, WorkLoop, find_device
from uio_workloop._linux import irq
from uio_workloop.testing import Recorder, fence

NAME = "UIOW0001:00"
DRIVER = "/sys/bus/platform/drivers/uio_pdrv_genirq"
COMPARATOR = 0x140  # where its registers begin in the page
CONTROL, LINES, VALUE = 0x00, 0x04, 0x08
INTERRUPTS, COUNTER = 0x20, 0xF0
ALARM = 1 << 2
LEVEL_ENABLED_32_BITS_LINE_20 = 1 << 1 | 1 << 2 | 1 << 8 | 20 << 9
TICKS_OF_A_MS = 100_000
DEADLINE_NS = 10_000_000_000


class Hpet:
    def __init__(self) -> None:
        self.device = UioDevice.find("uio:hpet-alarm")
        self.common = self.device.map(0)
        self.comparator = self.device.map(1)

    def set_alarm(self) -> None:
        self.comparator.write32(VALUE, (self.common.read32(COUNTER) + 20 * TICKS_OF_A_MS) % (1 << 32))
        self.comparator.write32(CONTROL, LEVEL_ENABLED_32_BITS_LINE_20)

    @property
    def alarm(self) -> bool:
        return bool(self.common.read32(INTERRUPTS) & ALARM)

    def acknowledge(self) -> None:
        self.common.write32(INTERRUPTS, ALARM)


@pytest.fixture
def hpet():
    opened = Hpet()
    opened.acknowledge()
    yield opened
    opened.comparator.write32(CONTROL, 0)
    opened.acknowledge()
    opened.device.close()


def test_a_platform_device_is_found_by_its_name_and_by_its_interrupt(hpet, show):
    (number,) = irq.numbers_of("hpet-alarm")
    for name in ("uio:hpet-alarm", f"irq:{number}", hpet.device.node):
        with find_device(name) as found:
            assert found.node == hpet.device.node
    show(f"{hpet.device.node} is found by uio:hpet-alarm, irq:{number}")


def test_a_map_begins_where_its_registers_do(hpet, show):
    assert [each.offset for each in hpet.device.maps] == [0, COMPARATOR]
    assert hpet.comparator.read32(LINES) == hpet.common.read32(COMPARATOR + LINES) != 0
    show(f"maps of {hpet.device.name}: {hpet.device.maps}")


def test_a_name_that_two_maps_have_is_refused(hpet, show):
    with pytest.raises(MapError) as refused:
        hpet.device.map(NAME)
    show(f"refused: {refused.value}")
    assert str(refused.value).endswith(f"0 ({NAME}), 1 ({NAME}); give the index")


def test_a_level_line_interrupts_until_the_device_is_acknowledged(hpet):
    hpet.set_alarm()
    assert hpet.device.wait(DEADLINE_NS) == 1
    assert hpet.alarm

    assert hpet.device.wait(DEADLINE_NS) == 1  # unmasked, and still asserted
    hpet.acknowledge()
    hpet.comparator.write32(CONTROL, 0)

    assert not hpet.alarm
    assert hpet.device.wait(0) == 0


def test_every_alarm_runs_the_action_once(hpet, show):
    def on_alarm(sender: InterruptEventSource, count: int) -> None:
        seen(sender, count)
        hpet.acknowledge()
        if sender.statistics.interrupts < 20:
            hpet.set_alarm()

    seen = Recorder()
    with WorkLoop() as loop:
        source = InterruptEventSource(hpet.device, on_alarm)
        loop.add_event_source(source)
        source.enable()
        hpet.set_alarm()
        seen.wait_for(lambda calls: len(calls) == 20)
        fence(loop)
    assert [call.count for call in seen.calls] == [1] * 20
    show("HPET: 20 alarms, 20 calls, none spurious")


def test_a_platform_device_that_is_unbound_is_gone():
    hpet = Hpet()
    write(f"{DRIVER}/unbind", NAME)
    try:
        with pytest.raises(DeviceGoneError):
            hpet.device.wait(DEADLINE_NS)
    finally:
        write(f"{DRIVER}/bind", NAME)
        hpet.device.close()


def heard(program: Program, wanted: str) -> str:
    """The next line with these words; in between the program may say that a device has left."""
    lines = []
    while not lines or wanted not in lines[-1]:
        lines.append(program.line())
        assert lines[-1], f"it ended, and had said {lines}"
    return lines[-1]


def test_the_alarm_driver_comes_and_goes_with_its_device(show):
    with Program("-m", "uio_workloop", "run", "examples/hpet_alarm.py:HpetAlarm") as program:
        node = heard(program, "HpetAlarm drives ").split()[-1]
        show(heard(program, f"{node}: alarm 2, "))
        write(f"{DRIVER}/unbind", NAME)
        try:
            heard(program, f"HpetAlarm stopped on {node}")
        finally:
            write(f"{DRIVER}/bind", NAME)
        heard(program, "HpetAlarm drives ")
        heard(program, "alarm 1, ")
        assert program.interrupt()[-1].startswith("HpetAlarm stopped on ")
