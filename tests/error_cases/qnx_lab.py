"""What only real devices refuse to those who know QNX."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from error_cases import lab
from error_cases.case import Case, Outcome
from error_cases.qnx import Meanwhile, detach_all, execute, public_names
from uio_workloop import GpioLine, InterruptEventSource, PciDevice, UioDevice
from uio_workloop.testing.lab import guest


@contextmanager
def devices() -> Iterator[dict[str, Any]]:
    """Devices of the lab, open, some of them busy."""
    with ExitStack() as undo:
        card = undo.enter_context(PciDevice(guest.edu_addresses()[0]))
        output = undo.enter_context(GpioLine("gpiochip0", 9, direction="out"))
        dummy = undo.enter_context(UioDevice.find("uio:uio_dummy.0"))
        undo.enter_context(InterruptEventSource(dummy, print))
        undo.callback(detach_all)
        yield {**public_names(), "card": card, "output": output, "run": execute}


@contextmanager
def nobody() -> Iterator[dict[str, Any]]:
    """A user in no group."""
    with lab.nobody() as names:
        run = names["run"]

        def as_nobody(line: str, names: dict[str, Any]) -> Outcome:
            told = run(f"from error_cases.qnx_lab import tell; tell({line!r})", {})
            return Outcome(*told.sentence.split("\n", 1))

        yield {"run": as_nobody}


def tell(line: str) -> None:
    """What comes of a line, as an exception: for who can hand over nothing else."""
    raise RuntimeError("\n".join(execute(line, public_names())))


@contextmanager
def card_that_leaves() -> Iterator[dict[str, Any]]:
    """An edu card in slot 5, on uio_pci_generic; `pull_out` unplugs it."""
    address = guest.plug("edu", "newcomer", "5")
    with ExitStack() as undo:
        plugged = undo.enter_context(ExitStack())
        plugged.callback(guest.unplug, "newcomer")
        meanwhile = Meanwhile(undo.enter_context(ExitStack()))
        undo.callback(detach_all)
        names = {"address": address, "pull_out": plugged.close, "soon": meanwhile.soon}
        yield {**public_names(), **names, "run": execute}


def real(error: str, *lines: str) -> list[Case]:
    return [Case(line, error, devices) for line in lines]


PULLED_OUT = "id = interrupt_attach_event(address, SigevIntr()); soon(pull_out); interrupt_wait()"

CASES = {
    "Interrupts as QNX has them": [
        *real("EINVAL", "interrupt_attach_event(9999, SigevIntr())"),
        *real("EINVAL", 'interrupt_attach_event("uio:uio_pci_generic", SigevIntr())'),
        *real("EINVAL", "interrupt_attach_event(output, SigevIntr())"),
        *real("EBUSY", 'interrupt_attach_event("uio:uio_dummy.0", SigevIntr())'),
        Case('interrupt_attach_event("1234:11e8", SigevIntr())', "EPERM", nobody),
        Case(PULLED_OUT, "ENODEV", card_that_leaves, "a card is pulled out"),
    ]
}
