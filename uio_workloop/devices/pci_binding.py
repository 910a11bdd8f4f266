"""A PCI function taken from its driver for uio_pci_generic, and given back."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from uio_workloop._linux import pci, usage
from uio_workloop.clock import SECOND_NS, Deadline
from uio_workloop.devices.pci_use import uses_of
from uio_workloop.errors import DeviceError, DeviceGoneError, NoInterruptError, PrivilegeError

DRIVER = "uio_pci_generic"
MOST_LISTED = 3
PLUGGED_IN_NS = SECOND_NS  # for the kernel to finish with a new card; the price is that a refusal takes as long
OTHERS_NS = 30 * SECOND_NS  # for another program to finish with the card
LOOK_S = 0.001  # so short that one who takes it again and again does not keep everybody else waiting
PAUSE_S = 0.01
_WHERE_MODPROBE_IS = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


@contextmanager
def exclusive(address: str) -> Iterator[None]:
    """Nobody else who comes this way changes the driver of the function during the `with` block.

    Two who take a card at once would each find the other's traces, and neither would give it back.

    Raises:
        DeviceError: somebody else is at it for too long; the sentence says who.
    """
    try:
        fd = os.open(f"{pci.DEVICES}/{address}/driver_override", os.O_WRONLY | os.O_CLOEXEC)
    except (PermissionError, FileNotFoundError):  # nothing can be changed by somebody who may not, or of what has left
        yield
        return
    try:
        _lock(fd, address)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, address: str) -> None:
    deadline = Deadline.after(OTHERS_NS)
    while True:
        expired = deadline.expired
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if expired:
                pid = usage.lock_holder(fd)
                who = "another program" if pid is None else f"process {pid} ({usage.process_name(pid)})"
                raise DeviceError(
                    f"cannot change the driver of PCI device {address}: {who} is at it; try again when that is done",
                    code=errno.EBUSY,
                    path=address,
                ) from None
        time.sleep(LOOK_S)


class PciBinding:
    """What was changed to have a function on uio_pci_generic; `undo` changes it back.

    Through `driver_override`, which is about this one function; `new_id` would be about every card of its kind, and
    would stay.

    Context: any thread, inside `exclusive`; `undo` too.
    Raises (construction): see `PciDevice.bind`; nothing is changed then.
    Source: Documentation/ABI/testing/sysfs-bus-pci.
    """

    def __init__(self, address: str, *, force: bool) -> None:
        self._address = address
        self._undo = ExitStack()
        self._previous: str | None = None
        if pci.uio_nodes(address):
            return  # whoever bound it wants it so
        self._do("look at its use", lambda: self._check(force))
        if pci.driver(address) == DRIVER:
            return  # somebody's driver_override waited for it to be loaded
        with ExitStack() as steps:
            self._take(steps)
            self._undo = steps.pop_all()

    def _check(self, force: bool) -> None:
        if not force:
            _check_unused(self._address)
        _check_interrupt(self._address)
        _load_driver(self._address)

    def _take(self, steps: ExitStack) -> None:
        """Undone in reverse order; the previous driver can come back only once no override forbids it.

        The override comes first, so that it tells of us whenever the program is killed: see `release`.
        """
        address, previous, override = self._address, pci.driver(self._address), pci.driver_override(self._address)
        if previous and override == DRIVER:
            override = ""  # it was left by a program that was killed before it took the card
        self._previous = previous
        steps.callback(self._give_back)
        self._do("write its driver_override", lambda: pci.set_driver_override(address, DRIVER))
        steps.callback(self._do, "write its driver_override", lambda: pci.set_driver_override(address, override))
        if previous:
            self._do(f"take it from {previous}", lambda: pci.unbind(address, previous))
        self._do(f"give it to {DRIVER}", lambda: _bind(address))
        steps.callback(self._do, f"take it from {DRIVER}", lambda: _unbind(address))

    def _give_back(self) -> None:
        previous = self._previous
        if previous and pci.driver(self._address) is None:
            self._do(f"give it back to {previous}", lambda: pci.bind(self._address, previous))

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
        except DeviceError:
            raise
        except OSError as error:
            raise _refused(self._address, attempt, error) from error


def release(address: str) -> None:
    """Take a function from uio_pci_generic and have the kernel choose a driver for it.

    Also one that uio_pci_generic was to have, and that was left without a driver, as by a program killed in between.

    Raises:
        DeviceError: the kernel refuses; the sentence says what.
        PrivilegeError: this user may not.
    """
    if not pci.exists(address):
        return
    try:
        driver, reserved = pci.driver(address), pci.driver_override(address) == DRIVER
        if driver not in (DRIVER, None) or (driver is None and not reserved):
            return
        if driver is not None:
            _unbind(address)
        if reserved:
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
    import shutil  # here: the driver is mostly there
    import subprocess

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
        why = "no permission; run as root, or have udev do it when the card appears, as docs/deployment.md tells"
        return PrivilegeError(f"cannot bind PCI device {address}: {why}", code=error.errno, path=address)
    if error.errno == errno.ENODEV and DRIVER in attempt:
        why = "that driver refuses it, as it does what cannot mask its interrupt (PCI before 2.3)"
    elif error.errno == errno.ENOENT:
        why = "that driver is not loaded any more"
    else:
        why = error.strerror or "unknown error"
    return DeviceError(f"PCI device {address}: cannot {attempt}: {why}", code=error.errno, path=address)
