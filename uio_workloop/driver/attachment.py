"""One driver on one device, from the first look to the last."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from contextlib import ExitStack
from typing import Any, Final

from uio_workloop.devices.device_description import DeviceDescription
from uio_workloop.driver.driver import Driver
from uio_workloop.driver.driver_gate import DriverGate
from uio_workloop.driver.lifecycle import State, next_state
from uio_workloop.errors import DeviceGoneError, DriverError
from uio_workloop.loop.work_loop import WorkLoop

log = logging.getLogger("uio_workloop")


class Attachment:
    """Makes a driver, gives it what it works with, and takes it through its life in the order of `lifecycle`.

    Args:
        on_departure: called as `on_departure(attachment)` when an interrupt source of the driver finds that the device
            has left, which is often sooner than the system says so.

    Context: gate of the loop held.
    """

    def __init__(
        self,
        driver_class: type[Driver],
        device: DeviceDescription,
        loop: WorkLoop,
        on_departure: Callable[[Attachment], object],
    ) -> None:
        self.device: Final = device
        self.driver: Final = driver_class()
        self.name: Final = driver_class.__name__
        self._on_departure = on_departure
        self.driver.loop = loop
        self.driver.log = _DeviceLog(logging.getLogger(driver_class.__module__), {"device": device.name})
        self.driver.description = device
        self._departed = False
        self._gate = self.driver.command_gate = DriverGate(self.driver, f"{self.name} on {device.name}")
        loop.add_event_source(self._gate)

    @property
    def state(self) -> State:
        return self.driver.state

    def probe(self, device: Any) -> int | None:
        """The driver's score for the open device; None if it declines.

        Raises:
            DriverError: what it returned is neither.
        """
        self._step("probe")
        score = self.driver.probe(device)
        if score is not None and type(score) is not int:  # False would be a score, and take the device
            raise DriverError(f"probe() of {self.name} gave {score!r}: a score is a whole number, and None declines")
        return score

    def start(self) -> None:
        """Open the device and start the driver on it, or leave nothing behind.

        Raises:
            DriverError: the driver raised, or the device cannot be opened; the cause is attached.
        """
        self._step("start")
        with ExitStack() as undo:
            undo.callback(self._fail)
            held = self.driver._acquired = undo.enter_context(ExitStack())
            try:
                device = held.enter_context(self.device.open())
                self.driver.start(device)
            except Exception as error:
                raise DriverError(f"{self.name} could not start on {self.device.name}: {error}") from error
            self._watch(device)
            undo.pop_all()
        self._step("succeed")

    def _fail(self) -> None:
        self.driver._acquired = None
        self._shut_clients_out()
        self._step("fail")

    def _watch(self, device: object) -> None:
        for source in self.driver.loop.event_sources:
            if getattr(source, "provider", None) is device and source.on_terminated is None:
                source.on_terminated = self._on_terminated

    def _on_terminated(self, sender: object) -> None:
        self._departed = True
        self._on_departure(self)

    def _shut_clients_out(self) -> None:
        self._gate.end(device_left=self._departed or not self.device.present)

    def stop(self) -> None:
        """Stop the driver and release what it held, whatever it raises; that is logged."""
        self._step("stop")
        driver = self.driver
        self._shut_clients_out()
        held, driver._acquired = driver._acquired, None
        with ExitStack() as even_if_one_fails:
            even_if_one_fails.callback(self._step, "end")
            if held is not None:
                even_if_one_fails.callback(self._quietly, "releasing what it held", held.close)
            even_if_one_fails.callback(self._quietly, "stop()", driver.stop)

    def _quietly(self, what: str, call: Callable[[], object]) -> None:
        try:
            call()
        except DeviceGoneError as error:
            log.debug("%s on %s: %s: %s", self.name, self.device.name, what, error)
        except Exception:  # what the driver leaves undone is undone here, after it
            log.exception("%s on %s: %s raised; it is stopped all the same", self.name, self.device.name, what)

    def detach(self) -> None:
        """Throw out the clients that wait at the command gate, and be gone, unless the driver runs. Twice is fine."""
        if self.state not in (State.STARTED, State.GONE):
            self._step("detach")
            self._gate.close()

    def _step(self, step: str) -> None:
        self.driver._state = next_state(self.driver.state, step, f"{self.name} on {self.device.name}")


class _DeviceLog(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        device = self.extra["device"] if self.extra else None
        return f"{device}: {msg}", kwargs
