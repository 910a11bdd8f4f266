"""Userspace drivers for Linux: real interrupts, through one work loop.

The public names. Importing this package loads neither pyudev nor periphery.
"""

from uio_workloop.clock import Deadline
from uio_workloop.devices.device_description import DeviceDescription
from uio_workloop.devices.find_device import find_device
from uio_workloop.devices.gpio_line import GpioLine
from uio_workloop.devices.pci_device import PciDevice
from uio_workloop.devices.uio_device import UioDevice
from uio_workloop.driver.driver import Driver
from uio_workloop.driver.driver_host import DriverHost
from uio_workloop.driver.match_rule import Compatible, GpioName, MatchRule, PciId, UdevProperty, UioName
from uio_workloop.errors import (
    AbortedError,
    AlreadyAttachedError,
    BadArgumentError,
    ClosedError,
    DeadlineExceededError,
    DeadlockError,
    DeviceError,
    DeviceGoneError,
    DeviceNotFoundError,
    DriverError,
    GateBusyError,
    GateNotHeldError,
    HoldTimeError,
    LifecycleError,
    MapError,
    NoInterruptError,
    NoResourcesError,
    NotAttachedError,
    PrivilegeError,
    RealtimeError,
    RegisterError,
    SourceDisabledError,
    UnsupportedError,
    UsageError,
    WorkLoopError,
    WrongThreadError,
)
from uio_workloop.interrupts.gpio_edges import GpioEdge
from uio_workloop.interrupts.interrupt_line import InterruptLine, InterruptProvider, Trigger
from uio_workloop.interrupts.software_interrupt import SoftwareInterrupt
from uio_workloop.loop.event_source import EventSource
from uio_workloop.loop.gate import Gate
from uio_workloop.loop.sleepers import WaitResult
from uio_workloop.loop.work_loop import WorkLoop
from uio_workloop.realtime.grant import RealtimeGrant, RealtimeReport
from uio_workloop.realtime.realtime_profile import RealtimeProfile
from uio_workloop.registers import Field, PortRegisters, Register, RegisterBlock, Registers, RegisterSpace
from uio_workloop.sources.callout import Callout
from uio_workloop.sources.command_gate import CommandGate
from uio_workloop.sources.filter_interrupt_event_source import FilterInterruptEventSource, InterruptFilter
from uio_workloop.sources.hotplug_event_source import HotplugAction, HotplugEventSource
from uio_workloop.sources.interrupt_event_source import InterruptAction, InterruptEventSource
from uio_workloop.sources.shared_interrupt import SharedInterrupt
from uio_workloop.sources.timer_event_source import (
    MICROSECOND_SCALE,
    MILLISECOND_SCALE,
    NANOSECOND_SCALE,
    SECOND_SCALE,
    TICK_SCALE,
    TimerAction,
    TimerEventSource,
    TimerOptions,
)
from uio_workloop.statistics import Distribution, Histogram, InterruptStatistics

__version__ = "0.1.0"

__all__ = [
    "MICROSECOND_SCALE",
    "MILLISECOND_SCALE",
    "NANOSECOND_SCALE",
    "SECOND_SCALE",
    "TICK_SCALE",
    "AbortedError",
    "AlreadyAttachedError",
    "BadArgumentError",
    "Callout",
    "ClosedError",
    "CommandGate",
    "Compatible",
    "Deadline",
    "DeadlineExceededError",
    "DeadlockError",
    "DeviceDescription",
    "DeviceError",
    "DeviceGoneError",
    "DeviceNotFoundError",
    "Distribution",
    "Driver",
    "DriverError",
    "DriverHost",
    "EventSource",
    "Field",
    "FilterInterruptEventSource",
    "Gate",
    "GateBusyError",
    "GateNotHeldError",
    "GpioEdge",
    "GpioLine",
    "GpioName",
    "Histogram",
    "HoldTimeError",
    "HotplugAction",
    "HotplugEventSource",
    "InterruptAction",
    "InterruptEventSource",
    "InterruptFilter",
    "InterruptLine",
    "InterruptProvider",
    "InterruptStatistics",
    "LifecycleError",
    "MapError",
    "MatchRule",
    "NoInterruptError",
    "NoResourcesError",
    "NotAttachedError",
    "PciDevice",
    "PciId",
    "PortRegisters",
    "PrivilegeError",
    "RealtimeError",
    "RealtimeGrant",
    "RealtimeProfile",
    "RealtimeReport",
    "Register",
    "RegisterBlock",
    "RegisterError",
    "RegisterSpace",
    "Registers",
    "SharedInterrupt",
    "SoftwareInterrupt",
    "SourceDisabledError",
    "TimerAction",
    "TimerEventSource",
    "TimerOptions",
    "Trigger",
    "UdevProperty",
    "UioDevice",
    "UioName",
    "UnsupportedError",
    "UsageError",
    "WaitResult",
    "WorkLoop",
    "WorkLoopError",
    "WrongThreadError",
    "find_device",
]
