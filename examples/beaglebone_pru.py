"""Events from a PRU of the BeagleBone's AM335x to a Python driver. Not run on the board.

    python -m uio_workloop run examples/beaglebone_pru.py:PruEvents        Ctrl-C ends it

For uio_pruss, and for uio_pdrv_genirq with a node named pruss: docs/boards.md. Firmware makes system event 19 by
writing 32 | 3 to R31; until there is some, a timer does. The tests run this driver on memory instead of registers.

Source of the registers: AM335x Technical Reference Manual (SPRUH73), 4.5.3 PRU_ICSS_INTC; of the order of the steps:
drivers/irqchip/irq-pruss-intc.c, and uio_pruss.c, whose pruss_evt0 is host interrupt 2.
"""

from uio_workloop import Driver, InterruptEventSource, Register, RegisterBlock, TimerEventSource, UioDevice, UioName

INTC = 0x20000  # where the interrupt controller begins in the PRU subsystem
EVENT, CHANNEL, HOST = 19, 2, 2


class Intc(RegisterBlock, size=0x1504):
    enable = Register(0x10)  # GER
    set_event = Register(0x20, access="wo")  # SISR; this and the next three take a number, not a bit
    clear_event = Register(0x24, access="wo")  # SICR
    enable_event = Register(0x28, access="wo")  # EISR
    enable_host = Register(0x34, access="wo")  # HIEISR
    disable_host = Register(0x38, access="wo")  # HIDISR
    channels = Register(0x410)  # CMR4: of the events 16 to 19
    channel = channels.bits(24, 27)  # of event 19
    hosts = Register(0x800)  # HMR0: of the channels 0 to 3
    host = hosts.bits(16, 19)  # of channel 2
    polarity = Register(0xD00)  # SIPR0: of the events 0 to 31, 1 is active high
    edge = Register(0xD80)  # SITR0: 0 is a level or a pulse, and PRUs make pulses


class PruEvents(Driver):
    match = UioName("pruss_evt0") | UioName("pruss")

    def start(self, device: UioDevice) -> None:
        self.intc = Intc(device.map(0), INTC)
        interrupt = self.add(InterruptEventSource(device, self.on_event))
        self.timer = self.add(TimerEventSource(self.on_tick))
        self.intc.polarity, self.intc.edge = 0xFFFFFFFF, 0
        self.intc.modify(channel=CHANNEL)
        self.intc.modify(host=HOST)
        self.intc.clear_event = EVENT
        self.intc.enable_event = EVENT
        self.intc.enable_host = HOST
        self.intc.enable = 1
        interrupt.enable()
        self.timer.set_timeout_ms(0)

    def on_tick(self, sender: TimerEventSource) -> None:
        self.intc.set_event = EVENT
        sender.set_timeout_ms(1000)

    def on_event(self, sender: InterruptEventSource, count: int) -> None:
        self.intc.clear_event = EVENT  # first the event, or the host interrupt comes again at once
        self.intc.enable_host = HOST  # uio_pruss has disabled it; an event since then interrupts now
        self.log.info("event %d, %d in all", EVENT, sender.statistics.interrupts)

    def stop(self) -> None:
        self.intc.disable_host = HOST
