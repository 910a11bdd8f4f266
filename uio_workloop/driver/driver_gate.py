"""The command gate of a driver, which ends with it."""

from __future__ import annotations

from collections.abc import Hashable

from uio_workloop.clock import Deadline
from uio_workloop.errors import AbortedError, ClosedError, DeviceGoneError, WorkLoopError
from uio_workloop.loop.sleepers import WaitResult
from uio_workloop.loop.work_loop import WorkLoop
from uio_workloop.sources.command_gate import CommandGate


class DriverGate(CommandGate):
    """Tells clients that a driver has stopped: those that sleep on it, those that wait for it, those that come later.

    If its device has left they all get a `DeviceGoneError`, so that it makes no difference where they were just then.
    Else whoever waited gets an `AbortedError`, and whoever comes later a `ClosedError`.

    Args:
        driver: its owner.
        who: the driver, for messages: "EduDriver on 0000:00:04.0".
    """

    def __init__(self, driver: object, who: str) -> None:
        super().__init__(owner=driver, name=f"command gate of {who}")
        self._who = who
        self._ended = False
        self._device_left = False
        self._asleep: list[Hashable] = []  # tokens, one for each sleeper

    def end(self, *, device_left: bool) -> None:
        """The driver stops: let nobody in from now on, and wake who sleeps here.

        Context: gate held.
        """
        self._ended, self._device_left = True, device_left
        self.disable()
        for token in self._asleep.copy():
            if self._work_loop is not None:  # else the loop was closed, which has woken them
                self._work_loop.gate.wakeup(token)

    def command_sleep(self, token: Hashable, deadline: Deadline | None = None) -> WaitResult:
        """As `CommandGate.command_sleep`, until `command_wakeup(token)`; but not beyond the end of the driver.

        Returns: AWAKENED or TIMED_OUT.
        Raises, besides:
            DeviceGoneError: the device has left.
            AbortedError: the driver has stopped, or the loop was closed.
        """
        self._check_runs()
        self._asleep.append(token)
        try:
            result = super().command_sleep(token, deadline)
        finally:
            self._asleep.remove(token)
        self._check_runs()
        if result is WaitResult.INTERRUPTED:
            raise AbortedError(f"the work loop of {self._who} was closed while a caller slept")
        return result

    def _check_runs(self) -> None:
        if self._ended:
            raise self._too_late(AbortedError)

    def _attached(self, fn: object) -> WorkLoop:
        if self._device_left or (self._ended and self._closed):
            raise self._too_late(ClosedError)
        return super()._attached(fn)

    def _check_still_on(self, loop: WorkLoop) -> None:
        if self._device_left or (self._ended and (self._work_loop is not loop or self._leaving is not None)):
            raise self._too_late(AbortedError)
        super()._check_still_on(loop)

    def _too_late(self, kind: type[WorkLoopError]) -> WorkLoopError:
        if self._device_left:
            return DeviceGoneError(f"{self._who} has stopped: its device has left")
        return kind(f"{self._who} has stopped")
