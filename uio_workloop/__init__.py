"""Userspace drivers for Linux: real interrupts, through one work loop.

The public names. Importing this package loads neither pyudev nor periphery.
"""

from uio_workloop.clock import Deadline
from uio_workloop.devices.gpio_line import GpioLine
from uio_workloop.devices.names import find_device
from uio_workloop.devices.pci_device import PciDevice
from uio_workloop.devices.uio_device import UioDevice
from uio_workloop.errors import (
    AbortedError,
    AlreadyAttachedError,
    BadArgumentError,
    ClosedError,
    DeviceError,
    DeviceGoneError,
    DeviceNotFoundError,
    GateBusyError,
    GateNotHeldError,
    MapError,
    NoInterruptError,
    NoResourcesError,
    NotAttachedError,
    PrivilegeError,
    RegisterError,
    UsageError,
    WorkLoopError,
    WrongThreadError,
)
from uio_workloop.interrupts.interrupt_line import InterruptLine, InterruptProvider, Trigger
from uio_workloop.interrupts.software_interrupt import SoftwareInterrupt
from uio_workloop.loop.event_source import EventSource
from uio_workloop.loop.gate import Gate, WaitResult
from uio_workloop.loop.work_loop import WorkLoop
from uio_workloop.registers import Registers
from uio_workloop.sources.interrupt_event_source import InterruptEventSource
from uio_workloop.sources.timer_event_source import TimerEventSource
from uio_workloop.statistics import Distribution, Histogram, InterruptStatistics

__version__ = "0.1.0"

__all__ = [
    "AbortedError",
    "AlreadyAttachedError",
    "BadArgumentError",
    "ClosedError",
    "Deadline",
    "DeviceError",
    "DeviceGoneError",
    "DeviceNotFoundError",
    "Distribution",
    "EventSource",
    "Gate",
    "GateBusyError",
    "GateNotHeldError",
    "GpioLine",
    "Histogram",
    "InterruptEventSource",
    "InterruptLine",
    "InterruptProvider",
    "InterruptStatistics",
    "MapError",
    "NoInterruptError",
    "NoResourcesError",
    "NotAttachedError",
    "PciDevice",
    "PrivilegeError",
    "RegisterError",
    "Registers",
    "SoftwareInterrupt",
    "TimerEventSource",
    "Trigger",
    "UioDevice",
    "UsageError",
    "WaitResult",
    "WorkLoop",
    "WorkLoopError",
    "WrongThreadError",
    "find_device",
]
