"""The interrupt thread that every QNX driver begins with, line by line in Python; beside each line what it is in C.

    python examples/qnx_interrupt_thread.py [1234:11e8]        the card is bound to uio_pci_generic

The card is QEMU's educational one; without a name, an imitation of it is served, on any machine. Source of the register
numbers: docs/specs/edu.rst of QEMU.
"""

import sys
from threading import Semaphore, Thread

from uio_workloop import PciDevice, SoftwareInterrupt, Trigger
from uio_workloop.qnx import IntrFlags, SigevIntr, interrupt_attach_event, interrupt_unmask, interrupt_wait

STATUS, RAISE, ACKNOWLEDGE = 0x24, 0x60, 0x64
INTERRUPTS = 10_000


class Imitation(SoftwareInterrupt):
    """As much of the card as is needed here."""

    status = 0

    def read32(self, register: int) -> int:
        return self.status

    def write32(self, register: int, value: int) -> None:
        self.status = self.status | value if register == RAISE else self.status & ~value
        if register == RAISE:
            self.cause()


def interrupt_thread() -> None:  #                          void *interrupt_thread(void *arg) {
    global served, spurious
    #                                                       ThreadCtl(_NTO_TCTL_IO, 0): who may open the card may attach
    event = SigevIntr()  #                                  SIGEV_INTR_INIT(&event);
    intr_id = interrupt_attach_event(intr, event, IntrFlags.TRK_MSK)
    #                                                       id = InterruptAttachEvent(INTR, &event, ..._FLAGS_TRK_MSK);
    done.release()
    while served < INTERRUPTS:  #                           while (1) {
        interrupt_wait()  #                                     InterruptWait(0, NULL);
        status = registers.read32(STATUS)  #                    status = in32(base + STATUS);
        registers.write32(ACKNOWLEDGE, status)  #               out32(base + ACKNOWLEDGE, status);
        interrupt_unmask(intr, intr_id)  #                      InterruptUnmask(INTR, id);
        served, spurious = served + (status != 0), spurious + (status == 0)
        done.release()


with PciDevice.find(sys.argv[1]) if sys.argv[1:] else Imitation(Trigger.LEVEL) as intr:
    registers = intr.bar(0) if isinstance(intr, PciDevice) else intr
    done = Semaphore(0)
    served = spurious = raised = 0
    thread = Thread(target=interrupt_thread, daemon=True)
    thread.start()  #                                       pthread_create(NULL, NULL, &interrupt_thread, NULL);
    while raised < INTERRUPTS and done.acquire(timeout=5):
        registers.write32(RAISE, 1)
        raised += 1
    thread.join(timeout=5)

print(f"{raised} interrupts raised, {served} served, {spurious} spurious")
