"""A PCI function taken from its driver for uio_pci_generic, and given back."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack

from uio_workloop._linux import pci
from uio_workloop.clock import SECOND_NS, Deadline
from uio_workloop.devices.pci_use import uses_of
from uio_workloop.errors import DeviceError, DeviceGoneError, NoInterruptError, PrivilegeError

DRIVER = "uio_pci_generic"
MOST_LISTED = 3
PLUGGED_IN_NS = SECOND_NS  # for the kernel to finish with a new card; the price is that a refusal takes as long
PAUSE_S = 0.01
_WHERE_MODPROBE_IS = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class PciBinding:
    """What was changed to have a function on uio_pci_generic; `undo` changes it back.

    Through `driver_override`, which is about this one function; `new_id` would be about every card of its kind, and
    would stay.

    Raises (construction): see `PciDevice.bind`; nothing is changed then.
    Source: Documentation/ABI/testing/sysfs-bus-pci.
    """

    def __init__(self, address: str, *, force: bool) -> None:
        self._address = address
        self._undo = ExitStack()
        self._previous: str | None = None
        if pci.uio_nodes(address):
            return  # whoever bound it wants it so
        if not force:
            _check_unused(address)
        _check_interrupt(address)
        _load_driver(address)
        if pci.driver(address) == DRIVER:
            return  # somebody's driver_override waited for it to be loaded
        with ExitStack() as steps:
            self._take(steps)
            self._undo = steps.pop_all()

    def _take(self, steps: ExitStack) -> None:
        """Undone in reverse order; the previous driver can come back only once no override forbids it."""
        address, previous, override = self._address, pci.driver(self._address), pci.driver_override(self._address)
        self._previous = previous
        if previous:
            self._do(f"take it from {previous}", lambda: pci.unbind(address, previous))
            steps.callback(self._do, f"give it back to {previous}", lambda: pci.bind(address, previous))
        self._do("write its driver_override", lambda: pci.set_driver_override(address, DRIVER))
        steps.callback(self._do, "write its driver_override", lambda: pci.set_driver_override(address, override))
        self._do(f"give it to {DRIVER}", lambda: _bind(address))
        steps.callback(self._do, f"take it from {DRIVER}", lambda: _unbind(address))

    def undo(self) -> None:
        """Give the function back to the driver it was taken from; if there was none, to none. Twice is fine.

        Nothing is done if the card has left, or somebody else has given it to another driver meanwhile.

        Raises:
            DeviceError: the driver does not take it back; the sentence says so.
        """
        steps = self._undo.pop_all()
        if pci.exists(self._address) and pci.driver(self._address) == DRIVER:
            steps.close()

    def _do(self, attempt: str, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            raise _refused(self._address, attempt, error) from error


def release(address: str) -> None:
    """Take a function from uio_pci_generic and have the kernel choose a driver for it.

    Raises:
        DeviceError: the kernel refuses; the sentence says what.
        PrivilegeError: this user may not.
    """
    if not pci.exists(address) or pci.driver(address) != DRIVER:
        return
    try:
        _unbind(address)
        if pci.driver_override(address) == DRIVER:
            pci.set_driver_override(address, "")
        pci.probe_drivers(address)
    except OSError as error:
        raise _refused(address, f"take it from {DRIVER}", error) from error


def _bind(address: str) -> None:
    """A card that was just plugged in is announced before it may have a driver, and then the kernel looks for one."""
    deadline = Deadline.after(PLUGGED_IN_NS)
    while True:
        expired = deadline.expired
        try:
            return pci.bind(address, DRIVER)
        except OSError as error:
            if error.errno == errno.EBUSY and pci.driver(address) == DRIVER:
                return None  # the kernel was first, as our override allowed; this call waited until it was done
            if error.errno != errno.ENODEV or expired or not pci.exists(address):
                raise
        time.sleep(PAUSE_S)


def _unbind(address: str) -> None:
    """Once there is no kernel driver to mask the card, one that interrupts storms everybody on its line."""
    pci.silence(address)
    pci.unbind(address, DRIVER)


def _check_unused(address: str) -> None:
    uses = uses_of(address)
    if uses:
        more = f"; and {len(uses) - MOST_LISTED} more" if len(uses) > MOST_LISTED else ""
        raise DeviceError(
            f"cannot bind PCI device {address} to {DRIVER}: it is in use: {'; '.join(uses[:MOST_LISTED])}{more}; "
            "end that first, or bind it with force=True",
            code=errno.EBUSY,
            path=address,
        )


def _check_interrupt(address: str) -> None:
    if not pci.has_interrupt_pin(address):
        raise NoInterruptError(
            f"cannot bind PCI device {address} to {DRIVER}: it has no interrupt pin, and there is nothing to wait for",
            path=address,
        )


def _load_driver(address: str) -> None:
    if pci.has_driver(DRIVER):
        return
    modprobe = shutil.which("modprobe", path=_WHERE_MODPROBE_IS)
    if modprobe is not None:
        subprocess.run([modprobe, DRIVER], check=False, capture_output=True)
    if not pci.has_driver(DRIVER):
        raise DeviceError(
            f"cannot bind PCI device {address}: this kernel has no {DRIVER} loaded; as root: modprobe {DRIVER}",
            code=errno.ENOENT,
            path=address,
        )


def _refused(address: str, attempt: str, error: OSError) -> DeviceError:
    if not pci.exists(address):
        return DeviceGoneError(f"cannot {attempt}: PCI device {address} has left", path=address)
    if error.errno in (errno.EACCES, errno.EPERM):
        why = "no permission; run as root"
        return PrivilegeError(f"cannot bind PCI device {address}: {why}", code=error.errno, path=address)
    if error.errno == errno.ENODEV and DRIVER in attempt:
        why = "that driver refuses it, as it does what cannot mask its interrupt (PCI before 2.3)"
    elif error.errno == errno.ENOENT:
        why = "that driver is not loaded any more"
    else:
        why = error.strerror or "unknown error"
    return DeviceError(f"PCI device {address}: cannot {attempt}: {why}", code=error.errno, path=address)
