"""Interrupts as QNX delivers them: a thread attaches an event, is told, serves the device, unmasks."""

from uio_workloop.qnx.attachment import (
    Handler,
    InterruptInfo,
)
from uio_workloop.qnx.channel import (
    PULSE_CODE_MAXAVAIL,
    PULSE_CODE_MINAVAIL,
    PULSE_PRIO_INHERIT,
    Channel,
    Pulse,
)
from uio_workloop.qnx.flags import (
    IntrFlags,
    WaitFlags,
)
from uio_workloop.qnx.interrupt import (
    interrupt_attach,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_info,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unmask,
    interrupt_wait,
)
from uio_workloop.qnx.interrupt_disable import (
    interrupt_disable,
    interrupt_enable,
)
from uio_workloop.qnx.interrupt_spin import (
    InterruptSpin,
    interrupt_lock,
    interrupt_unlock,
)
from uio_workloop.qnx.intr import (
    Intr,
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
from uio_workloop.qnx.signal_receiver import SignalInfo, SignalReceiver
from uio_workloop.qnx.timer_timeout import TimeoutState, timer_timeout

__all__ = [
    "PULSE_CODE_MAXAVAIL",
    "PULSE_CODE_MINAVAIL",
    "PULSE_PRIO_INHERIT",
    "SI_MAXAVAIL",
    "SI_MINAVAIL",
    "Channel",
    "Event",
    "Handler",
    "InterruptInfo",
    "InterruptSpin",
    "Intr",
    "IntrFlags",
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
    "SignalInfo",
    "SignalReceiver",
    "TimeoutState",
    "WaitFlags",
    "interrupt_attach",
    "interrupt_attach_event",
    "interrupt_detach",
    "interrupt_disable",
    "interrupt_enable",
    "interrupt_info",
    "interrupt_lock",
    "interrupt_mask",
    "interrupt_mask_count",
    "interrupt_unlock",
    "interrupt_unmask",
    "interrupt_wait",
    "timer_timeout",
]
