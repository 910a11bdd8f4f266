"""Which driver runs which device, now and whenever that changes.

Theory of operation
-------------------
What the system says of a device is a hint to look, not an order: an event may be old news by the time it is delivered.
So every decision compares what runs with what sysfs has at that moment. Devices are told apart by the inode of their
directory, so that one that left and came back under the same name between two looks is a new one. That makes every
step repeatable, and lost events harmless: when the kernel drops some, everything is looked at anew.

A device is given to a driver when the kernel driver behind it is done (`bind`), not when it is announced (`add`): in
between it has no maps and no interrupt yet. Where no `bind` follows in time, the announcement has to do.
"""

from __future__ import annotations

import inspect
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, Final, Self

from uio_workloop.devices.device_description import DeviceDescription
from uio_workloop.devices.discovery import devices_at, list_devices, waits_for_its_driver
from uio_workloop.driver.attachment import Attachment
from uio_workloop.driver.driver import Driver
from uio_workloop.driver.lifecycle import State
from uio_workloop.driver.match_rule import MatchRule
from uio_workloop.errors import BadArgumentError, DriverError, LifecycleError, WorkLoopError
from uio_workloop.loop.callback import check_callback
from uio_workloop.loop.work_loop import WorkLoop
from uio_workloop.sources.hotplug_event_source import OVERFLOW, HotplugEventSource
from uio_workloop.sources.timer_event_source import TimerEventSource

BIND_FOLLOWS_MS: Final = 1000  # by far: a kernel driver's probe is done in milliseconds

log = logging.getLogger("uio_workloop")


class DriverHost:
    """Gives devices to drivers: those that are there when it starts, and those that come later.

    Each device goes to the driver whose `probe` scores highest, the first in the list if several do; one instance for
    each device. A driver whose `start` fails is reported in the log and hurts nobody; the next best is tried. A device
    that leaves has its driver stopped; one that comes back gets a new one. Closing the host stops all in reverse order.

    Use it in a `with` block, or call `start` and `close`.

    Args:
        drivers: classes; each has `match` and `start`.
        loop: to run them on; without one the host makes its own.

    Raises (construction):
        BadArgumentError: one of them is no driver, or is there twice; or `loop` is none.
    IOKit: what IOCatalogue and IOService::startCandidate do.
    """

    on_change: Callable[[DriverHost], object] | None = None
    """Yours to set: called as `on_change(host)`, gate held, after a driver was started or stopped."""

    def __init__(self, drivers: Sequence[type[Driver]], *, loop: WorkLoop | None = None) -> None:
        self._classes = _all_checked(drivers)
        if loop is not None and not isinstance(loop, WorkLoop):
            raise BadArgumentError(f"drivers cannot run on {loop!r}: give a WorkLoop, or none")
        self._gpio_lines = any(each.match.concerns_gpio for each in self._classes)
        self._given_loop = loop
        self._loop: WorkLoop | None = None
        self._closed = False
        self._attached: dict[str, Attachment] = {}  # by sysfs path, in the order in which they were started
        self._awaiting_bind: set[str] = set()

    def __repr__(self) -> str:
        return f"<DriverHost of {_names(self._classes)}, {len(self.drivers)} running>"

    @property
    def loop(self) -> WorkLoop:
        """What the drivers run on.

        Raises:
            LifecycleError: the host has not been started.
        """
        if self._loop is None:
            raise LifecycleError("a driver host has its loop from start() on; use it in a `with` block")
        return self._loop

    @property
    def drivers(self) -> tuple[Driver, ...]:
        """The drivers that run, in the order in which they were started; a snapshot."""
        return tuple(each.driver for each in tuple(self._attached.values()) if each.state is State.STARTED)

    # Beginning and end

    def start(self) -> None:
        """Start drivers on what is there, and listen for what comes. Returns when the former have started.

        Context: any thread; takes the gate.
        Raises:
            LifecycleError: it was started before.
            DeviceError: the system has no news of devices for us.
        """
        if self._loop is not None:
            raise LifecycleError("a driver host is started once; make a new one")
        self._loop = loop = self._given_loop or WorkLoop("drivers")
        try:
            self._hotplug = HotplugEventSource(self._on_hotplug, owner=self)  # before the look around: no gap
            self._late = TimerEventSource(self._on_no_bind, owner=self)
            loop.add_event_source(self._late)
            self._look_around()
            with loop.gate:
                if not self._closed:  # by another thread, while a driver slept in its start()
                    loop.add_event_source(self._hotplug)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop every driver, the last started first, and close the loop if it is the host's own. Twice is fine.

        Context: any thread; takes the gate, so actions that run are waited for.
        """
        loop = self._loop
        if loop is None:
            return
        with ExitStack() as even_if_one_fails:
            if self._given_loop is None:
                even_if_one_fails.callback(loop.close)
            even_if_one_fails.enter_context(loop.gate)
            self._closed = True
            for each in self._attached.copy().values():  # the stack runs them the other way round
                even_if_one_fails.callback(self._stop, each)
            for source in ("_late", "_hotplug"):
                if hasattr(self, source):
                    even_if_one_fails.callback(getattr(self, source).close)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # News

    def _on_hotplug(self, sender: Any, what: str, device: DeviceDescription | None) -> None:
        if what == OVERFLOW or device is None:
            log.warning("devices came and went faster than could be followed: looking at all of them anew")
            self._look_around()
        elif what in ("remove", "unbind"):
            self._stop_departed()
        elif what == "add" and waits_for_its_driver(device):
            self._awaiting_bind.add(device.sys_path)
            self._late.set_timeout_ms(BIND_FOLLOWS_MS)
        else:
            self._look_at(device.sys_path)

    def _on_no_bind(self, sender: Any) -> None:
        paths, self._awaiting_bind = self._awaiting_bind, set()
        for path in paths:
            self._look_at(path)

    def _look_around(self) -> None:
        """See what has left and what is there."""
        with self.loop.gate:
            self._stop_departed()
        for device in list_devices(gpio_lines=self._gpio_lines):
            with self.loop.gate:  # device by device, so that drivers that run have their turn
                self._consider(device)

    def _look_at(self, sys_path: str) -> None:
        self._stop_departed()
        self._awaiting_bind = {path for path in self._awaiting_bind if not _within(sys_path, path)}
        for device in devices_at(sys_path):
            self._consider(device)

    def _stop_departed(self) -> None:
        """Stop the drivers on what has left, whether told of it yet or not, the last started first."""
        for each in reversed(self._attached.copy().values()):
            if not each.device.present:
                self._stop(each)

    # Devices x drivers

    def _consider(self, device: DeviceDescription) -> None:
        """Give a device to the driver that fits best, if one does and none has it."""
        try:
            fitting = [each for each in self._classes if each.match.refusal(device) is None]
            if not fitting or device.sys_path in self._attached or self._closed:
                return
            if device.node is None:
                log.info("%s is for %s, but %s", device.name, _names(fitting), _way_to_uio(device))
            else:
                self._give(device, fitting)
        except Exception as error:  # a rule of somebody's own, or a device that cannot be opened: the others go on
            self._report(device, error)

    def _give(self, device: DeviceDescription, fitting: list[type[Driver]]) -> None:
        with ExitStack() as losers:
            with device.open() as opened:
                candidates = self._ranked(device, opened, fitting, losers)
            for each in candidates:
                if self._start(each) or not device.present:
                    return

    def _ranked(
        self, device: DeviceDescription, opened: Any, fitting: list[type[Driver]], losers: ExitStack
    ) -> list[Attachment]:
        """The drivers that want the device, the best first. `losers` detaches all that do not run in the end."""
        scores: list[tuple[int, Attachment]] = []
        for driver_class in fitting:
            try:
                attachment = Attachment(driver_class, device, self.loop, self._stop)
                losers.callback(attachment.detach)
                score = attachment.probe(opened)
                if score is not None:
                    scores.append((score, attachment))
            except WorkLoopError as error:  # which has a sentence of its own
                if device.present:
                    log.error("%s could not look at %s: %s", driver_class.__name__, device.name, error)
            except Exception:  # this driver's own mistake: the others are asked all the same
                if device.present:
                    log.exception("%s could not look at %s", driver_class.__name__, device.name)
        return [attachment for _, attachment in sorted(scores, key=lambda each: -each[0])]

    def _start(self, attachment: Attachment) -> bool:
        device = attachment.device
        self._attached[device.sys_path] = attachment
        try:
            attachment.start()
        except BaseException as error:
            del self._attached[device.sys_path]
            if not isinstance(error, Exception) and not self.loop.on_thread():
                raise  # the caller's own KeyboardInterrupt
            self._report(device, error)  # this driver's own mistake, or sys.exit() in it: the next one is tried
            return False
        if self._closed or not device.present:  # start() may have slept, and let others in
            self._stop(attachment)
        else:
            log.info("%s drives %s", attachment.name, device.name)
            self._changed()
        return True

    def _stop(self, attachment: Attachment) -> None:
        if attachment.state is State.STARTED:  # else whoever starts or stops it is at it
            with ExitStack() as whatever_it_raises:  # a KeyboardInterrupt, or a driver that calls sys.exit()
                whatever_it_raises.callback(self._stopped, attachment)
                attachment.stop()

    def _stopped(self, attachment: Attachment) -> None:
        attachment.detach()
        del self._attached[attachment.device.sys_path]
        log.info("%s stopped on %s", attachment.name, attachment.device.name)
        self._changed()

    def _report(self, device: DeviceDescription, error: BaseException) -> None:
        cause = error.__cause__ if isinstance(error, DriverError) else error
        if not device.present:
            log.info("%s left before a driver could have it", device.name)
        elif isinstance(cause, WorkLoopError | None):  # what went wrong has a sentence of its own
            log.error("%s", error)
        else:
            log.error("%s", error, exc_info=cause)

    def _changed(self) -> None:
        if self.on_change is not None:
            try:
                self.on_change(self)
            except Exception:  # whoever watches must not undo what has happened
                log.exception("on_change of %r raised", self)


def _within(directory: str, path: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def _all_checked(drivers: Sequence[type[Driver]]) -> tuple[type[Driver], ...]:
    if not isinstance(drivers, Iterable):
        raise BadArgumentError(f"{drivers!r} is no list of drivers: write [Card], or [Card, Button]")
    classes = tuple(_checked(each) for each in drivers)
    for each, times in Counter(classes).items():
        if times > 1:
            raise BadArgumentError(f"{each.__name__} is given {times} times; once will do for every device it matches")
    return classes


def _names(drivers: Sequence[type[Driver]]) -> str:
    return ", ".join(each.__name__ for each in drivers)


def _way_to_uio(card: DeviceDescription) -> str:
    """What to do about a PCI card that no UIO driver has."""
    has_it, address = card.properties.get("DRIVER"), card.name
    take = f"echo {address} > /sys/bus/pci/drivers/{has_it}/unbind; " if has_it else ""
    return (
        f"is on {f'the driver {has_it}; if nobody needs it there' if has_it else 'no driver'}; give it to UIO as root: "
        f"modprobe uio_pci_generic; {take}echo uio_pci_generic > /sys/bus/pci/devices/{address}/driver_override; "
        f"echo {address} > /sys/bus/pci/drivers_probe"
    )


def _checked(driver: type[Driver]) -> type[Driver]:
    """The class, if it can be used.

    Raises:
        BadArgumentError: it cannot; the sentence says why.
    """
    if not (isinstance(driver, type) and issubclass(driver, Driver)):
        raise BadArgumentError(f"{driver!r} is no driver: give a subclass of Driver, not an instance or anything else")
    match = getattr(driver, "match", None)
    if match is not None and not isinstance(match, MatchRule):
        raise BadArgumentError(
            f"match of {driver.__name__} is {match!r}, which is no rule: give PciId(...) or the like"
        )
    if match is None:
        raise BadArgumentError(f"{driver.__name__} does not say what it is for: give it match = PciId(...) or the like")
    if inspect.isabstract(driver):
        missing = ", ".join(f"{name}()" for name in sorted(driver.__abstractmethods__))
        raise BadArgumentError(f"{driver.__name__} cannot be started: it has no {missing}; define it")
    for method in ("probe", "start", "stop"):
        check_callback(getattr(driver, method), driver.__name__, f"{method}()")
    if not _takes_no_arguments(driver):
        raise BadArgumentError(
            f"{driver.__name__} cannot be made: its constructor wants arguments; start() is given the device"
        )
    return driver


def _takes_no_arguments(driver: type[Driver]) -> bool:
    try:
        inspect.signature(driver).bind()
    except TypeError:
        return False
    return True
