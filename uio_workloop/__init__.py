"""Userspace drivers for Linux: real interrupts, through one work loop.

The public names of the work loop; those of QNX's calls are in uio_workloop.qnx. Each is loaded from its home when it
is first asked for: a program pays for what it uses. Importing this package loads neither pyudev nor periphery.
"""

TYPE_CHECKING = False  # as typing has it, whose own import takes longer than all of this
if TYPE_CHECKING:
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
    from uio_workloop.histogram import Distribution, Histogram
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
    from uio_workloop.statistics import InterruptStatistics

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

# What is imported above, for running programs. A test compares the two.
_HOMES = {
    "clock": "Deadline",
    "devices.device_description": "DeviceDescription",
    "devices.find_device": "find_device",
    "devices.gpio_line": "GpioLine",
    "devices.pci_device": "PciDevice",
    "devices.uio_device": "UioDevice",
    "driver.driver": "Driver",
    "driver.driver_host": "DriverHost",
    "driver.match_rule": "Compatible GpioName MatchRule PciId UdevProperty UioName",
    "errors": (
        "AbortedError AlreadyAttachedError BadArgumentError ClosedError DeadlineExceededError DeadlockError "
        "DeviceError DeviceGoneError DeviceNotFoundError DriverError GateBusyError GateNotHeldError HoldTimeError "
        "LifecycleError MapError NoInterruptError NoResourcesError NotAttachedError PrivilegeError RealtimeError "
        "RegisterError SourceDisabledError UnsupportedError UsageError WorkLoopError WrongThreadError"
    ),
    "histogram": "Distribution Histogram",
    "interrupts.gpio_edges": "GpioEdge",
    "interrupts.interrupt_line": "InterruptLine InterruptProvider Trigger",
    "interrupts.software_interrupt": "SoftwareInterrupt",
    "loop.event_source": "EventSource",
    "loop.gate": "Gate",
    "loop.sleepers": "WaitResult",
    "loop.work_loop": "WorkLoop",
    "realtime.grant": "RealtimeGrant RealtimeReport",
    "realtime.realtime_profile": "RealtimeProfile",
    "registers": "Field PortRegisters Register RegisterBlock Registers RegisterSpace",
    "sources.callout": "Callout",
    "sources.command_gate": "CommandGate",
    "sources.filter_interrupt_event_source": "FilterInterruptEventSource InterruptFilter",
    "sources.hotplug_event_source": "HotplugAction HotplugEventSource",
    "sources.interrupt_event_source": "InterruptAction InterruptEventSource",
    "sources.shared_interrupt": "SharedInterrupt",
    "sources.timer_event_source": (
        "MICROSECOND_SCALE MILLISECOND_SCALE NANOSECOND_SCALE SECOND_SCALE TICK_SCALE TimerAction TimerEventSource "
        "TimerOptions"
    ),
    "statistics": "InterruptStatistics",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

if not TYPE_CHECKING:  # or every misspelt name would have the type that this returns

    def __getattr__(name: str) -> object:
        """Load a public name; from then on it is an ordinary one."""
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
