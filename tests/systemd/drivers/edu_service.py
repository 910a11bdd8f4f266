"""A driver for QEMU's edu card that interrupts ten times a second, and can be told to hang."""

from __future__ import annotations

import threading
from pathlib import Path

from uio_workloop import Driver, InterruptEventSource, PciDevice, PciId, TimerEventSource

HANG = Path("/run/uio-workloop-lab/hang")  # while it is there, the action never ends
RAISE, STATUS, ACKNOWLEDGE = 0x60, 0x24, 0x64


class Edu(Driver):
    match = PciId("1234:11e8")

    def start(self, device: PciDevice) -> None:
        self.heard = False
        self.registers = device.bar(0)
        self.interrupt = self.add(InterruptEventSource(device, self.on_interrupt))
        self.timer = self.add(TimerEventSource(self.on_tick))
        self.interrupt.enable()
        self.timer.set_timeout_ms(0)

    def on_tick(self, sender: TimerEventSource) -> None:
        self.registers.write32(RAISE, 1)
        sender.set_timeout_ms(100)

    def on_interrupt(self, sender: InterruptEventSource, count: int) -> None:
        self.registers.write32(ACKNOWLEDGE, self.registers.read32(STATUS))
        if not self.heard:
            self.log.info("has interrupted")
        self.heard = True
        while HANG.exists():
            threading.Event().wait()
