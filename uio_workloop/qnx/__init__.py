"""Interrupts as QNX delivers them: a thread attaches an event, is told, serves the device, unmasks."""

from uio_workloop.qnx.channel import (
    PULSE_CODE_MAXAVAIL,
    PULSE_CODE_MINAVAIL,
    PULSE_PRIO_INHERIT,
    Channel,
    Pulse,
)
from uio_workloop.qnx.sigevent import (
    SI_MAXAVAIL,
    SI_MINAVAIL,
    Event,
    MemOp,
    SigevIntr,
    SigevMemory,
    SigevNone,
    SigevPulse,
    SigevSem,
    SigevSignal,
    SigevSignalCode,
    SigevSignalThread,
    SigevThread,
    SigevUnblock,
)

__all__ = [
    "PULSE_CODE_MAXAVAIL",
    "PULSE_CODE_MINAVAIL",
    "PULSE_PRIO_INHERIT",
    "SI_MAXAVAIL",
    "SI_MINAVAIL",
    "Channel",
    "Event",
    "MemOp",
    "Pulse",
    "SigevIntr",
    "SigevMemory",
    "SigevNone",
    "SigevPulse",
    "SigevSem",
    "SigevSignal",
    "SigevSignalCode",
    "SigevSignalThread",
    "SigevThread",
    "SigevUnblock",
]
