"""For code that runs inside the lab: where things are, and how to have the host plug and unplug cards.

Nothing here works on the host; `in_lab()` tells which side one is on.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uio_workloop.errors import LabError
from uio_workloop.testing.lab.architecture import host_architecture, pci_address

LAB_DIRECTORY = Path("/run/uio-workloop-lab")
ANSWER_TIMEOUT_S = 50.0
BIND_TIMEOUT_S = 5.0  # of the kernel, which is at it already
NETLINK_KOBJECT_UEVENT = 15  # linux/netlink.h
KERNEL_EVENTS = 1  # its multicast group of the kernel's own events, before udev
NAMED_GPIO_LINES = {"button": 0, "sensor": 1, "door": 2, "alarm": 3}

_request_ids = itertools.count(1)


def in_lab() -> bool:
    """Does this process run inside the lab's guest?"""
    return (LAB_DIRECTORY / "monitor").exists()


def edu_addresses() -> tuple[str, ...]:
    """PCI addresses of the cards edu0 and edu1, which share an interrupt line."""
    return host_architecture().edu_addresses


def gpio_chip() -> Path:
    """The device node of the simulated GPIO chip, "/dev/gpiochip0" or the like: 32 lines, label "lab"."""
    return Path(os.path.realpath(LAB_DIRECTORY / "gpiochip"))


def set_gpio(offset: int, high: bool) -> None:
    """Drive a line of the simulated chip from outside, as a button would; an edge if that changes it."""
    (_line_directory(offset) / "pull").write_text("pull-up" if high else "pull-down")


def gpio_value(offset: int) -> bool:
    """The level of a line of the simulated chip as somebody outside would measure it, also of an output."""
    return (_line_directory(offset) / "value").read_text().strip() == "1"


def _line_directory(offset: int) -> Path:
    return LAB_DIRECTORY / "gpio-lines" / f"sim_gpio{offset}"


def qmp(command: str, /, **arguments: object) -> dict[str, Any]:
    """Have the host give QEMU a monitor command; its answer. One requester at a time, others wait.

    QEMU answers device_del when it has asked the guest to let go, not when the card is gone: see `unplug()`.

    Raises:
        LabError: not in the lab, QEMU refused, or no answer came within 45 s.
    """
    return _ask({"execute": command, "arguments": arguments})


def unplug(device_id: str) -> None:
    """Pull a card out ("edu1"); once this returns it is gone.

    Raises:
        LabError: not in the lab, no such card, or the guest's kernel did not let go of it within 45 s.
    """
    arguments = {"id": device_id}
    _ask(
        {
            "execute": "device_del",
            "arguments": arguments,
            "await": {"event": "DEVICE_DELETED", "device": device_id},
        }
    )


def plug_edu(device_id: str) -> str:
    """Put the card "edu0" or "edu1" back into its slot, and bind it to uio_pci_generic; its PCI address.

    Raises:
        LabError: not in the lab, the card is there already, or the guest's kernel did not find it in time.
    """
    row = host_architecture()
    return plug("edu", device_id, row.edu_slots[("edu0", "edu1").index(device_id)])


def plug(driver: str, device_id: str, slot: str) -> str:
    """As `insert`, and bind it to uio_pci_generic."""
    address = insert(driver, device_id, slot)
    bind_to_uio(address)
    return address


def insert(driver: str, device_id: str, slot: str, **properties: object) -> str:
    """Put a card of QEMU's (`-device help` lists them) into a free slot; a driver that is loaded may take it.

    Args:
        driver: what QEMU calls it: "pci-testdev".
        device_id: a name of yours, for `unplug`.
        slot: number of the PCI slot, hexadecimal.
        properties: more for QEMU: `drive="disk"`.

    Returns: its PCI address.
    Raises:
        LabError: not in the lab, QEMU refused, or the guest's kernel did not find it in time.
    """
    row = host_architecture()
    address = pci_address(slot)
    with kernel_events() as events:
        qmp("device_add", driver=driver, id=device_id, bus=row.pci_bus, addr=slot, **properties)
        wait_for_event(events, action="add", path_end=f"/{address}")
    # It is announced before it has its addresses and may have a driver. A rescan waits for the lock under which all
    # that happens. Whoever does not wait may find that no driver can be bound, or that pulling it out goes unheard.
    Path("/sys/bus/pci/rescan").write_text("1")
    return address


def bind_to_uio(address: str) -> None:
    """Give a PCI device, found at this address, to uio_pci_generic.

    Raises:
        OSError: no such device, it is another driver's, or it has no interrupt.
    """
    card = Path("/sys/bus/pci/devices") / address
    with kernel_events() as events:
        (card / "driver_override").write_text("uio_pci_generic")
        try:
            Path("/sys/bus/pci/drivers/uio_pci_generic/bind").write_text(address)
        except OSError as error:
            # A new card is announced before the kernel looks for a driver. It may be doing that just now (EBUSY), or
            # be about to (ENODEV: the card cannot be matched yet); either way it finds this one.
            if error.errno not in (errno.EBUSY, errno.ENODEV):
                raise
            if not _event_came(events, action="bind", path_end=f"/{address}", timeout_s=BIND_TIMEOUT_S):
                raise


@contextmanager
def kernel_events() -> Iterator[socket.socket]:
    """A netlink socket that hears the kernel's device events from now on.

    Source: lib/kobject_uevent.c; a message is "ACTION@PATH" and then KEY=VALUE, each ended by a zero byte.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT) as events:
        events.bind((0, KERNEL_EVENTS))
        yield events


def wait_for_event(events: socket.socket, *, action: str, path_end: str) -> None:
    """Wait for what the kernel says of one device: `add`, `remove`, `bind`."""
    if not _event_came(events, action=action, path_end=path_end, timeout_s=ANSWER_TIMEOUT_S):
        raise LabError(
            f"the guest's kernel did not say {action} of {path_end.strip('/')} within {ANSWER_TIMEOUT_S:.0f} s"
        )


def _event_came(events: socket.socket, *, action: str, path_end: str, timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while _wait_readable(events.fileno(), end):
        header = events.recv(1 << 16).split(b"\0", 1)[0].decode(errors="replace")
        if header.startswith(f"{action}@") and header.endswith(path_end):
            return True
    return False


def _ask(request: dict[str, Any]) -> dict[str, Any]:
    if not in_lab():
        raise LabError(f"cannot ask QEMU for {request['execute']}: this process is not in the lab; run it with {USAGE}")
    request_id = f"{os.getpid()}-{next(_request_ids)}"
    with open(LAB_DIRECTORY / "monitor.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a port has room for one; whoever holds it has a deadline
        port = os.open(LAB_DIRECTORY / "monitor", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(port, json.dumps({**request, "id": request_id}).encode() + b"\n")
            answer = _read_answer(port, request_id, str(request["execute"]))
        finally:
            os.close(port)
    if "error" in answer:
        raise LabError(f"{request['execute']} {request['arguments']} failed: {answer['error'].get('desc')}")
    result = answer.get("return")
    return result if isinstance(result, dict) else {"return": result}


def _read_answer(port: int, request_id: str, command: str) -> dict[str, Any]:
    end = time.monotonic() + ANSWER_TIMEOUT_S
    received = b""
    while _wait_readable(port, end):
        received += os.read(port, 1 << 16)
        *lines, received = received.split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if isinstance(answer, dict) and answer.get("id") == request_id:  # else late, for somebody who gave up
                return answer
    raise LabError(f"QEMU did not answer {command} within {ANSWER_TIMEOUT_S:.0f} s")


def _wait_readable(descriptor: int, end: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, end - time.monotonic()) * 1000))


USAGE = "python -m uio_workloop.testing.lab -- COMMAND"
