"""What the demo takes its interrupts from: software, a device it knows, or one it can only listen to."""

from __future__ import annotations

import threading
from itertools import cycle
from typing import Final, Protocol

from uio_workloop import (
    GpioLine,
    InterruptProvider,
    PciDevice,
    SoftwareInterrupt,
    UioDevice,
    WorkLoop,
    find_device,
)
from uio_workloop.cli.kernel_count import KernelCount
from uio_workloop.cli.known_devices import PERIOD_NS, DummySubject, EduSubject, on_pci
from uio_workloop.clock import SECOND_NS, monotonic_ns

BURST: Final = 10
PATTERN: Final = (1,) * 49 + (BURST,)  # what the producer causes, period after period


class Subject(Protocol):
    """A device as the demo sees it.

    Context: `take_stamp` and `acknowledge` are called in the action, gate held; the rest by the main thread.
    """

    name: str
    description: str
    can_acknowledge: bool
    raised: int | None
    """Interrupts the device has raised since `start`; None if it does not count."""

    @property
    def provider(self) -> InterruptProvider: ...

    def start(self, loop: WorkLoop) -> None:
        """Begin to interrupt: the line is claimed, its source on `loop` and still disabled."""

    def stop(self) -> None:
        """Interrupt no more, as far as that is ours to say. Twice is fine."""

    def take_stamp(self, delivered: int) -> int | None:
        """When the interrupt that is being answered was raised, if known; the call brings the sum to `delivered`."""

    def acknowledge(self) -> None:
        """Tell the device that its cause is dealt with."""

    def outstanding(self, delivered: int) -> int | None:
        """Interrupts that should have been delivered by now and are not; negative if there were too many.

        None if nobody counts them but us. Meaningful before `start` and after `stop`.
        """

    def close(self) -> None:
        """Give the device back. Twice is fine."""


def open_subject(name: str | None) -> Subject:
    """The device of that name (see `find_device`), or software interrupts if there is none.

    Raises:
        DeviceError: the device cannot be opened; the sentence says why.
    """
    if name is None:
        return SoftwareSubject()
    device = find_device(name)
    try:
        return _subject_on(device)
    except BaseException:
        device.close()
        raise


def _subject_on(device: UioDevice | PciDevice | GpioLine) -> Subject:
    if isinstance(device, GpioLine):
        return GpioSubject(device)
    if isinstance(device, PciDevice):
        return EduSubject(device) if EduSubject.recognises(device) else OtherSubject(device)
    return DummySubject(device) if DummySubject.recognises(device) else OtherSubject(device)


class SoftwareSubject:
    """A software interrupt and a thread that causes it: mostly single ones, and every so often several at once."""

    name = "software interrupt"
    description = f"a thread causes one a millisecond, and bursts of {BURST}"
    can_acknowledge = True

    def __init__(self) -> None:
        self.raised: int | None = 0
        self.provider = SoftwareInterrupt()
        self._caused = 0
        self._stamp: tuple[int, int] | None = None  # the number of an interrupt, and when it was caused
        self._stopped = threading.Event()
        self._producer = threading.Thread(target=self._produce, name="demo: producer", daemon=True)

    def start(self, loop: WorkLoop) -> None:
        self._producer.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._producer.ident is not None:
            self._producer.join()

    def _produce(self) -> None:
        for n in cycle(PATTERN):
            if self._stopped.wait(PERIOD_NS / SECOND_NS):
                return
            self._cause(n)

    def _cause(self, n: int) -> None:
        # One stamp at a time: the producer fills it only when it is empty, the action empties it only when the very
        # interrupt it belongs to is delivered. So neither overwrites the other, and an action that answers an earlier
        # interrupt cannot take a stamp whose interrupt is not caused yet.
        if self._stamp is None:
            self._stamp = (self._caused + 1, monotonic_ns())
        self.provider.cause(n)
        self._caused += n
        self.raised = self._caused

    def take_stamp(self, delivered: int) -> int | None:
        stamp = self._stamp
        if stamp is None or delivered < stamp[0]:
            return None
        self._stamp = None
        return stamp[1]

    def acknowledge(self) -> None:
        """Software asks for nothing of the kind."""

    def outstanding(self, delivered: int) -> int | None:
        return self._caused - delivered

    def close(self) -> None:
        self.stop()
        self.provider.close()


class GpioSubject:
    """A GPIO line: what changes its level is outside, and so is whoever could count that."""

    description = "edges that come from outside"
    can_acknowledge = True  # an edge asks for nothing
    raised: int | None = None

    def __init__(self, device: GpioLine) -> None:
        self.name = device.name
        self.provider = device

    def start(self, loop: WorkLoop) -> None:
        """Nobody here can change the level of an input."""

    def stop(self) -> None:
        """Nor keep it."""

    def take_stamp(self, delivered: int) -> int | None:
        return None

    def acknowledge(self) -> None:
        """An edge asks for nothing of the kind."""

    def outstanding(self, delivered: int) -> int | None:
        return None

    def close(self) -> None:
        self.provider.close()


class OtherSubject:
    """A UIO device that the demo does not know: it is listened to, and never written to."""

    description = "a device the demo does not know; it counts what comes"
    can_acknowledge = False
    raised: int | None = None

    def __init__(self, device: UioDevice | PciDevice) -> None:
        self.name = device.name
        self.provider = device
        # On a shared PCI line the kernel counts a waiting card again when another one interrupts.
        self._count = None if on_pci(device) else KernelCount(device)

    def start(self, loop: WorkLoop) -> None:
        if self._count is not None:
            self._count.begin()

    def stop(self) -> None:
        """It goes on as it pleases."""

    def take_stamp(self, delivered: int) -> int | None:
        return None

    def acknowledge(self) -> None:
        """How is known to its driver alone."""

    def outstanding(self, delivered: int) -> int | None:
        return None if self._count is None else self._count.outstanding(delivered)

    def close(self) -> None:
        self.provider.close()
