"""A driver for QEMU's educational PCI card, which computes factorials and interrupts when one is ready.

    python -m uio_workloop run examples/edu_driver.py:EduDriver        Ctrl-C ends it

Source of the register numbers: docs/specs/edu.rst of QEMU.
"""

from uio_workloop import Driver, InterruptEventSource, PciDevice, PciId, TimerEventSource

FACTORIAL, STATUS, CAUSE, ACKNOWLEDGE = 0x08, 0x20, 0x24, 0x64
INTERRUPT_WHEN_DONE = 0x80


class EduDriver(Driver):
    match = PciId("1234:11e8")

    def start(self, device: PciDevice) -> None:
        self.registers = device.bar(0)
        self.n = 0
        self.timer = self.add(TimerEventSource(self.on_tick))
        interrupt = self.add(InterruptEventSource(device, self.on_interrupt))
        self.registers.write32(ACKNOWLEDGE, self.registers.read32(CAUSE))  # what somebody may have left
        self.registers.write32(STATUS, INTERRUPT_WHEN_DONE)
        interrupt.enable()  # created disabled
        self.timer.set_timeout_ms(0)

    def on_tick(self, sender: TimerEventSource) -> None:  # actions: on the loop's thread, gate held
        self.n = self.n % 12 + 1
        self.registers.write32(FACTORIAL, self.n)  # the card begins to compute

    def on_interrupt(self, sender: InterruptEventSource, count: int) -> None:
        self.registers.write32(ACKNOWLEDGE, self.registers.read32(CAUSE))
        self.log.info("%d! = %d", self.n, self.registers.read32(FACTORIAL))
        self.timer.set_timeout_ms(500)

    def stop(self) -> None:
        self.registers.write32(STATUS, 0)
