"""QNX's interrupt thread, call by call, on QEMU's educational PCI card.

    python examples/qnx_interrupt_thread.py [1234:11e8]        the card is bound to uio_pci_generic

In C: InterruptAttachEvent(intr, &event, _NTO_INTR_FLAGS_TRK_MSK), then for ever InterruptWait(0, NULL), serve the
device, InterruptUnmask(intr, id). Source of the register numbers: docs/specs/edu.rst of QEMU.
"""

import sys
from threading import Semaphore, Thread

from uio_workloop import PciDevice
from uio_workloop.qnx import IntrFlags, SigevIntr, interrupt_attach_event, interrupt_unmask, interrupt_wait

STATUS, RAISE, ACKNOWLEDGE = 0x24, 0x60, 0x64
INTERRUPTS = 10_000

with PciDevice.find(sys.argv[1] if sys.argv[1:] else "1234:11e8") as card:
    registers = card.bar(0)
    ready = Semaphore(0)
    served = spurious = 0

    def interrupt_thread() -> None:
        global served, spurious
        event = SigevIntr()
        id = interrupt_attach_event(card, event, IntrFlags.TRK_MSK)  # noqa: A001 - QNX's word
        ready.release()
        while served < INTERRUPTS:
            interrupt_wait()
            status = registers.read32(STATUS)
            registers.write32(ACKNOWLEDGE, status)  # quiet the device first, or the level fires again at once
            interrupt_unmask(card, id)
            served += status != 0
            spurious += status == 0
            ready.release()  # its attachment ends with this thread

    thread = Thread(target=interrupt_thread)
    thread.start()
    for _ in range(INTERRUPTS):
        ready.acquire()
        registers.write32(RAISE, 1)
    thread.join()

print(f"{served} of {INTERRUPTS} interrupts served, {spurious} spurious")
