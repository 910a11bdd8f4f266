"""The INTx line of a PCI function: events from /dev/uioN, mask in the PCI command register."""

from __future__ import annotations

from uio_workloop._linux import pci
from uio_workloop.interrupts.claim import Claim
from uio_workloop.interrupts.interrupt_line import Trigger
from uio_workloop.interrupts.uio_interrupt import UioInterrupt


class PciInterrupt(UioInterrupt):
    """A level-triggered line behind a UIO driver without irqcontrol, which is what uio_pci_generic is.

    The kernel's handler sets Interrupt Disable at every interrupt; clearing it is left to us.

    Args:
        config_fd: of the function's configuration space in sysfs; lent by the device.

    Source: irqhandler in drivers/uio/uio_pci_generic.c, pci_check_and_mask_intx in drivers/pci/pci.c.
    """

    def __init__(self, fd: int, config_fd: int, name: str, total: int, claim: Claim) -> None:
        super().__init__(fd, name, Trigger.LEVEL, total, claim)
        self._config_fd = config_fd

    def mask(self) -> None:
        try:
            pci.mask_intx(self._config_fd)
        except OSError as error:
            raise self._gone() from error

    def unmask(self) -> None:
        try:
            pci.unmask_intx(self._config_fd)
        except OSError as error:
            raise self._gone() from error
