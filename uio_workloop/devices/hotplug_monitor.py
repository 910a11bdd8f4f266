"""Devices that come and go, as udev or the kernel tells of them over netlink; and which there are now.

With udev.py the only home of pyudev, which both have from udev_context.py. A device is described here as it is;
`discovery` makes of it what drivers match.
"""

from __future__ import annotations

import os
from typing import Any, Final

from uio_workloop.devices.device_description import DeviceDescription
from uio_workloop.devices.udev_context import udev_context
from uio_workloop.errors import DeviceError

UDEV_CONTROL: Final = "/run/udev/control"  # udevd's own socket; libudev looks for it, too


def udev_runs() -> bool:
    """Whether udevd is there to prepare devices: to name them, and to give them to groups."""
    return os.path.exists(UDEV_CONTROL)


class HotplugMonitor:
    """A netlink socket that hears of every device from now on: what udevd sends if it runs, else what the kernel does.

    udevd speaks when it has dealt with a device, so that its permissions and links are in place.

    Raises (construction):
        DeviceError: no such socket can be had.

    Context: one thread at a time.
    Source: udev_monitor_new_from_netlink(3); netlink(7).
    """

    def __init__(self) -> None:
        self.group: Final = "udev" if udev_runs() else "kernel"
        try:
            import pyudev  # here, so that programs without hot-plug never load it

            self._monitor: Any = pyudev.Monitor.from_netlink(pyudev.Context(), source=self.group)
            self._monitor.start()
        except (OSError, ImportError) as error:
            raise DeviceError(f"cannot listen for devices that come and go: {error}") from error
        import socket  # likewise

        self._socket = socket.socket(fileno=self._monitor.fileno())  # lent by the monitor, see close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> tuple[str, DeviceDescription] | None:
        """What happened next and to which device, None if nothing did; never blocks.

        OSError: the kernel dropped events because nobody read them in time (ENOBUFS).
        """
        from socket import SO_ERROR, SOL_SOCKET

        # pyudev's poll() finds the socket in error and raises, but leaves the error there: it would do so for ever.
        error = self._socket.getsockopt(SOL_SOCKET, SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        device = self._monitor.poll(0)
        return None if device is None else (str(device.action), _described(device))

    def close(self) -> None:
        """Close the socket; twice is fine."""
        if self._monitor is not None:
            self._socket.detach()
            self._monitor = None  # the last reference: libudev closes the descriptor


def devices_of(subsystem: str) -> list[DeviceDescription]:
    """Every device of a subsystem that udev, if it runs, is done with. Context: any thread."""
    with udev_context() as context:
        raw = not udev_runs()
        return [
            _described(device)
            for device in context.list_devices(subsystem=subsystem)
            if raw or device.device_node is None or device.is_initialized
        ]


def device_at(sys_path: str) -> DeviceDescription | None:
    """The device with this directory in sysfs; None if there is none. Context: any thread."""
    with udev_context() as context:
        return _at(context, sys_path)


def parent_of(sys_path: str) -> DeviceDescription | None:
    """The device above the one with this directory; None if there is none. Context: any thread."""
    with udev_context() as context:
        return _above(context, sys_path)


def _at(context: Any, sys_path: str) -> DeviceDescription | None:
    device = _device(context, sys_path)
    return None if device is None else _described(device)


def _above(context: Any, sys_path: str) -> DeviceDescription | None:
    device = _device(context, sys_path)
    parent = None if device is None else device.parent
    return None if parent is None else _described(parent)


def _device(context: Any, sys_path: str) -> Any:
    import pyudev

    try:
        return pyudev.Devices.from_sys_path(context, sys_path)
    except pyudev.DeviceNotFoundError:
        return None


def _described(device: Any) -> DeviceDescription:
    path, node = device.sys_path, device.device_node
    try:
        inode = os.stat(path).st_ino
    except OSError:  # it has left
        inode = 0
    name = node or device.sys_name
    return DeviceDescription(path, device.subsystem or "", name, node, dict(device.properties), trace=(path, inode))
