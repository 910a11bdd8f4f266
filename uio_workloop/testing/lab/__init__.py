"""The lab: a virtual machine with real UIO, PCI and GPIO interrupts, in one command.

    python -m uio_workloop.testing.lab -- python -m pytest tests/lab

boots a small Linux guest that sees the host's files (read-only, under a layer of memory that takes all
writes), runs the command in it with the caller's Python and working directory, and exits with its status. In
the guest wait: `uio_dummy`, `uio_pdrv_genirq`, a simulated GPIO chip labelled "lab", and two `edu` cards on
one shared interrupt line, bound to `uio_pci_generic`. Nothing is installed on the host, and nothing outlives
the command.

What runs inside asks `guest` where things are, and has the host unplug cards.
"""

from __future__ import annotations

from uio_workloop.errors import LabError

__all__ = ["LabError"]
