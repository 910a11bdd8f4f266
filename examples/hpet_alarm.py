"""A driver for an alarm: comparator 2 of a PC's HPET, a platform device on uio_pdrv_genirq.

    python -m uio_workloop run examples/hpet_alarm.py:HpetAlarm        Ctrl-C ends it

The lab has it; docs/boards.md says how a platform device gets to uio_pdrv_genirq. It has two maps, of which the second
begins in the middle of a page: `map` takes care of that.

Source of the registers: IA-PC HPET specification 1.0a, 2.3.
"""

from uio_workloop import Driver, InterruptEventSource, Register, RegisterBlock, UioDevice, UioName

PERIOD_NS = 500_000_000
INPUT = 20  # of the interrupt controller; the ACPI table that declares the device says so
FEMTOSECONDS_PER_NS = 1_000_000


class Hpet(RegisterBlock, size=0x100):
    tick_fs = Register(0x04, access="ro")
    interrupts = Register(0x20, access="w1c")
    alarm = interrupts.bit(2)
    counter = Register(0xF0, access="ro")  # its lower half, which comes round after 42 s at 100 MHz


class Comparator(RegisterBlock, size=0x20):
    control = Register(0x00)
    level = control.bit(1)
    enabled = control.bit(2)
    lower_half = control.bit(8)  # compare with that
    input = control.bits(9, 13)
    value = Register(0x08)


class HpetAlarm(Driver):
    match = UioName("hpet-alarm")

    def start(self, device: UioDevice) -> None:
        self.hpet, self.comparator = Hpet(device.map(0)), Comparator(device.map(1))
        interrupt = self.add(InterruptEventSource(device, self.on_interrupt))
        self.hpet.clear(Hpet.alarm)  # what somebody may have left
        self.set_alarm()
        self.comparator.modify(level=True, enabled=True, lower_half=True, input=INPUT)
        interrupt.enable()

    def set_alarm(self) -> None:  # always ahead: only when counter and value are equal does it go off
        ticks = PERIOD_NS * FEMTOSECONDS_PER_NS // self.hpet.tick_fs
        self.comparator.value = (self.hpet.counter + ticks) % (1 << 32)

    def on_interrupt(self, sender: InterruptEventSource, count: int) -> None:
        late = (self.hpet.counter - self.comparator.value) % (1 << 32) * self.hpet.tick_fs // FEMTOSECONDS_PER_NS
        self.hpet.clear(Hpet.alarm)  # a level line: quiet it before the line is unmasked
        self.log.info("alarm %d, %d us late", sender.statistics.interrupts, late // 1000)
        self.set_alarm()

    def stop(self) -> None:
        self.comparator.modify(enabled=False)
