"""What a process asks of the scheduler and of power management."""

from __future__ import annotations

import os
import struct
from typing import Final

CPU_DMA_LATENCY: Final = "/dev/cpu_dma_latency"
_MICROSECONDS = struct.Struct("=i")


def open_cpu_latency() -> int:
    """A descriptor that stands for a request of wake-up latency: none yet; closing it withdraws the request.

    EACCES: by default root's. ENOENT: a kernel without it. Source: kernel/power/qos.c.
    """
    return os.open(CPU_DMA_LATENCY, os.O_WRONLY | os.O_CLOEXEC)


def limit_cpu_latency(fd: int, microseconds: int) -> None:
    """Ask that no processor sleeps so deeply that it needs longer to wake up."""
    os.write(fd, _MICROSECONDS.pack(microseconds))
