"""Devices that come and go, as events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from uio_workloop.devices.device_description import DeviceDescription
from uio_workloop.devices.hotplug_monitor import HotplugMonitor
from uio_workloop.loop.event_source import EventSource

HotplugAction = Callable[[Any, str, DeviceDescription | None], object]
"""`action(sender, what, device)`: the source, what happened, and to which device."""

OVERFLOW: Final = "overflow"
AT_ONCE: Final = 64  # events read in one ready phase; others on the loop get their turn


class HotplugEventSource(EventSource):
    """Calls `action(sender, what, device)` for every device of the machine that comes, goes or changes hands.

    `what` is the kernel's word: `add`, `remove`, `bind` and `unbind` (a kernel driver took it, or let go of it),
    `change` and others. If more came than the kernel keeps for us, `what` is `overflow` and `device` is None: events
    are missing, so look at everything anew. Born enabled; what happens while it is disabled is kept.

    The events are udev's if udevd runs, so that a device has its permissions when its `add` is delivered; else the
    kernel's own. It hears of what happens after it was made. Make it before you look at what there is, and nothing
    falls between.

    Raises (construction):
        DeviceError: the system offers no such events.
    IOKit: IOServiceAddMatchingNotification, with the notification port of a run loop.
    Source: netlink(7), NETLINK_KOBJECT_UEVENT; lib/kobject_uevent.c.
    """

    def __init__(self, action: HotplugAction | None = None, *, owner: object = None) -> None:
        super().__init__(action, owner=owner)
        self._events: deque[tuple[str, DeviceDescription | None]] = deque()  # filled and emptied in two phases
        self._overflowed = False
        self._monitor = HotplugMonitor()

    def fileno(self) -> int:
        return self._monitor.fileno()

    def on_ready(self) -> bool:
        for _ in range(AT_ONCE):
            try:
                event = self._monitor.receive()
            except OSError:  # ENOBUFS; whatever else it may be, there is no telling what was missed
                self._overflowed = True
                continue
            if event is None:
                self._tell_of_overflow()
                break
            self._events.append(event)
        return bool(self._events)

    def _tell_of_overflow(self) -> None:
        """Now that all that was kept is read: until then the kernel drops what is new, and does not say so again.

        Source: netlink_overrun and netlink_rcv_wake in net/netlink/af_netlink.c.
        """
        if self._overflowed:
            self._overflowed = False
            self._events.append((OVERFLOW, None))

    def check_for_work(self) -> bool:
        while self._enabled and self._action is not None and self._events:
            what, device = self._events.popleft()
            self._action(self, what, device)
            self._errors_in_a_row = 0
        return False

    def free(self) -> None:
        """Close the socket."""
        self._events.clear()
        self._monitor.close()

    def _abandon(self) -> None:
        super()._abandon()
        self.free()
