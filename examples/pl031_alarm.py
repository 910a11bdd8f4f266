"""An alarm every second from a PL031, the clock of Arm's boards, as a platform UIO device.

    python examples/pl031_alarm.py [of:pl031@9010000]        Ctrl-C ends it

Run on QEMU's arm64 machine "virt" with Debian's kernel 6.12; docs/boards.md says how the clock gets to uio_pdrv_genirq.

Source of the registers: Arm DDI 0224, PrimeCell Real Time Clock (PL031), chapter 3.
"""

import sys

from uio_workloop import InterruptEventSource, Register, RegisterBlock, UioDevice, WorkLoop

PART = 0x31


class Pl031(RegisterBlock, size=0x1000):
    seconds = Register(0x000, access="ro")
    match = Register(0x004)  # the interrupt comes when the seconds get there
    interrupt_enable = Register(0x010)
    interrupt_pending = Register(0x018, access="ro")
    interrupt_clear = Register(0x01C, access="wo")
    part = Register(0xFE0, access="ro")


with UioDevice.find(sys.argv[1] if sys.argv[1:] else "of:pl031@9010000") as device, WorkLoop() as loop:
    clock = Pl031(device.map(0))
    if clock.part != PART:
        sys.exit(f"{device.name} is no PL031: its part number is {clock.part:#x}, not {PART:#x}")

    def on_alarm(sender: InterruptEventSource, count: int) -> None:
        pending = clock.interrupt_pending
        clock.interrupt_clear = 1  # the line is level: quiet it before it is unmasked
        seconds = clock.seconds
        clock.match = seconds + 1
        print(f"alarm {sender.statistics.interrupts} at {seconds}, pending {pending}", flush=True)

    alarm = InterruptEventSource(device, on_alarm)
    loop.add_event_source(alarm)
    clock.interrupt_clear = 1
    clock.match = clock.seconds + 1
    clock.interrupt_enable = 1
    alarm.enable()
    print(f"alarms of {device.name}", flush=True)
    loop.run_until_signal()
    clock.interrupt_enable = 0
