"""Interrupts as QNX delivers them: a thread attaches an event, is told, serves the device, unmasks."""

from uio_workloop.qnx.channel import (
    PULSE_CODE_MAXAVAIL,
    PULSE_CODE_MINAVAIL,
    PULSE_PRIO_INHERIT,
    Channel,
    Pulse,
)

__all__ = [
    "PULSE_CODE_MAXAVAIL",
    "PULSE_CODE_MINAVAIL",
    "PULSE_PRIO_INHERIT",
    "Channel",
    "Pulse",
]
