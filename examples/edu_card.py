"""A driver for QEMU's educational PCI card: a timer makes it interrupt, the action acknowledges it.

    python examples/edu_card.py [1234:11e8]        the card is bound to uio_pci_generic; Ctrl-C ends it

Source of the register numbers: docs/specs/edu.rst of QEMU.
"""

import sys

from uio_workloop import InterruptEventSource, PciDevice, TimerEventSource, WorkLoop

STATUS, RAISE, ACKNOWLEDGE = 0x24, 0x60, 0x64

with PciDevice.find(sys.argv[1] if sys.argv[1:] else "1234:11e8") as card, WorkLoop() as loop:
    registers = card.bar(0)

    def on_interrupt(sender: InterruptEventSource, count: int) -> None:  # work-loop thread, gate held
        status = registers.read32(STATUS)
        registers.write32(ACKNOWLEDGE, status)
        print(f"{card.name} interrupted, status {status:#x}", flush=True)

    def on_tick(sender: TimerEventSource) -> None:
        registers.write32(RAISE, 1)
        sender.set_timeout_ms(100)

    interrupt = InterruptEventSource(card, on_interrupt)
    timer = TimerEventSource(on_tick)
    loop.add_event_source(interrupt)
    loop.add_event_source(timer)
    interrupt.enable()  # created disabled
    timer.set_timeout_ms(100)
    loop.run_until_signal()  # SIGINT, SIGTERM

print(f"{interrupt.statistics.interrupts} interrupts, {interrupt.statistics.action_calls} action calls")
