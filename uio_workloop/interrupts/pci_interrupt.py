"""The INTx line of a PCI function: events from /dev/uioN, mask in the PCI command register."""

from __future__ import annotations

from contextlib import suppress

from uio_workloop._linux import pci
from uio_workloop.errors import DeviceGoneError
from uio_workloop.interrupts.claim import Claim
from uio_workloop.interrupts.interrupt_line import Trigger
from uio_workloop.interrupts.uio_interrupt import UioInterrupt


class PciInterrupt(UioInterrupt):
    """A level-triggered line behind a UIO driver without irqcontrol, which is what uio_pci_generic is.

    The kernel's handler sets Interrupt Disable at every interrupt; clearing it is left to us. So there is one interrupt
    between two unmaskings at most, and one only if that bit is set. The kernel's count says more on a shared line: when
    another card interrupts, the handler of a card that waits to be acknowledged finds it pending, and counts it again.
    Those are not counted here, at the price of one read of configuration space per interrupt.

    Args:
        config_fd: of the function's configuration space in sysfs; lent by the device.

    Source: irqhandler in drivers/uio/uio_pci_generic.c, pci_check_and_mask_intx in drivers/pci/pci.c.
    """

    masked_by_interrupt = True

    def __init__(self, fd: int, config_fd: int, name: str, total: int, claim: Claim) -> None:
        super().__init__(fd, name, Trigger.LEVEL, total, claim)
        self._config_fd = config_fd

    def drain(self) -> int:
        try:
            if not super().drain():
                return 0
        except DeviceGoneError:
            # First of all, before anybody is told or waited for: a card that is merely unbound goes on interrupting,
            # and on a line it shares, that is a storm of which the kernel has its fill after 100,000.
            with suppress(DeviceGoneError):
                self.mask()
            raise
        return int(self._reach(pci.intx_is_masked, self._config_fd))

    def mask(self) -> None:
        self._reach(pci.mask_intx, self._config_fd)

    def unmask(self) -> None:
        self._reach(pci.unmask_intx, self._config_fd)
