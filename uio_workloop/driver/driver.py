"""What every driver is."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, ExitStack
from typing import Any, ClassVar, TypeVar

from uio_workloop.devices.device_description import DeviceDescription
from uio_workloop.driver.lifecycle import State
from uio_workloop.driver.match_rule import MatchRule
from uio_workloop.errors import LifecycleError
from uio_workloop.loop.event_source import EventSource
from uio_workloop.loop.work_loop import WorkLoop
from uio_workloop.sources.command_gate import CommandGate

T = TypeVar("T")
Source = TypeVar("Source", bound=EventSource)


class Driver(ABC):
    """Runs one device. Subclass it, say in `match` which devices it is for, and bring one to life in `start`.

    A `DriverHost` makes an instance for every device it gives to the class, and a new one when a device comes back.
    What `start` takes through `add` and `acquire` is released in reverse order when the driver stops, and when `start`
    fails half way: acquire all or nothing. Constructors take no arguments.

    Before `probe` the instance has been given all of this:

    loop: the work loop, shared with the other drivers of the host.
    command_gate: a `CommandGate` of its own on that loop, for clients on other threads:
        `driver.command_gate.run_action(driver.read_temperature)`. A client may sleep there, with `command_sleep`, until
        an action wakes it. When the driver stops, all are thrown out: `DeviceGoneError` if the device has left.
    log: a logger that names the device.
    description: what the kernel and udev say of the device.

    Context: `probe`, `start` and `stop` are called with the gate held, on the work-loop thread or on the one that
        starts or closes the host. Keep them short, and do not wait for interrupts in them: on the loop's thread none is
        delivered meanwhile.
    IOKit: IOService.
    """

    match: ClassVar[MatchRule]

    loop: WorkLoop
    command_gate: CommandGate
    log: logging.LoggerAdapter[logging.Logger]
    description: DeviceDescription

    _state: State = State.ATTACHED
    _acquired: ExitStack | None = None  # from the beginning of start() to the end of stop()

    def __repr__(self) -> str:
        description = getattr(self, "description", None)
        where = f" on {description.name}" if description is not None else ""
        return f"<{type(self).__name__}{where} {self._state.value}>"

    @property
    def state(self) -> State:
        """Where the driver is in its life."""
        return self._state

    def probe(self, device: Any) -> int | None:
        """How well the driver fits a device that meets its `match`: of several drivers the highest score gets it.

        Override it to look closer, such as at a register; leave the device as it was.

        Args:
            device: open; yours only until `start`.

        Returns: a score, or None to leave the device to others. As it is, the number of conditions in `match` it meets.
        IOKit: IOService::probe.
        """
        return self.match.score(self.description)

    @abstractmethod
    def start(self, device: Any) -> None:
        """Bring the device to life; enable interrupts last.

        Args:
            device: a `PciDevice`, `UioDevice` or `GpioLine`, open; closed for you after `stop`.

        Raises: what it likes. Then all it acquired is released, the log tells, and the driver with the next best score
            is tried. `DriverError` is for saying why.
        IOKit: IOService::start.
        """

    def stop(self) -> None:  # noqa: B027  most devices are quiet once their sources are closed
        """Quiet the device. Called once if `start` succeeded, before what it acquired is released.

        The device may have left already: a `DeviceGoneError` from here is nobody's fault and not reported.

        IOKit: IOService::stop.
        """

    def add(self, source: Source) -> Source:
        """Put an event source on the loop until the driver stops, and return it. Interrupt sources want `enable()` yet.

        Context: gate held; from `start` on.
        Raises:
            LifecycleError: the driver is not started and not starting.
            AlreadyAttachedError, ClosedError: as `WorkLoop.add_event_source`.
        """
        self._held("add a source").callback(source.close)
        self.loop.add_event_source(source)
        return source

    def acquire(self, resource: AbstractContextManager[T]) -> T:
        """Enter a context manager and leave it when the driver stops; returns what it gives.

        Context: gate held; from `start` on.
        Raises:
            LifecycleError: the driver is not started and not starting.
        """
        return self._held("acquire something").enter_context(resource)

    def _held(self, attempt: str) -> ExitStack:
        if self._acquired is None:
            raise LifecycleError(
                f"cannot {attempt} for {type(self).__name__}: it is {self._state.value}; do it in start()"
            )
        return self._acquired
