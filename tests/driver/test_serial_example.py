"""The driver of a 16550 on a pretend one, which has what QEMU's has not: a missing FIFO, and errors on the line."""

from __future__ import annotations

import re
from collections import deque
from textwrap import indent

import pytest
from helpers import Departing
from programs import ROOT
from serial_port import SerialPort
from uart_16550 import Error

from uio_workloop import ClosedError, DriverHost, RegisterSpace
from uio_workloop.testing import fence

RECEIVED, IDENTITY, LINE_STATUS = 0, 2, 5
ERROR_PENDING, NONE_PENDING, FIFOS_WORK = 0x06, 0x01, 0xC0
READY, ERROR_IN_FIFO, ALL_SENT = 0x01, 0x80, 0x60


class PretendUart(RegisterSpace):
    """Its line has delivered bytes, each with the errors that came with it."""

    byte_order = "little"
    unusable = False

    def __init__(self) -> None:
        super().__init__("pretend uart", 8)
        self.fifos_work = True
        self.fifo: deque[tuple[int, Error]] = deque()
        self.told = False  # of the next byte's errors
        self.ones = False  # a card that is being pulled out

    def _load(self, offset: int, width: int) -> int:
        if offset == IDENTITY:
            return (FIFOS_WORK if self.fifos_work else 0) | (ERROR_PENDING if self.fifo else NONE_PENDING)
        if self.ones:
            return 0xFF
        if offset == RECEIVED:
            self.told = False
            return self.fifo.popleft()[0]
        return self.line_status() if offset == LINE_STATUS else 0

    def line_status(self) -> int:
        if not self.fifo:
            return ALL_SENT
        errors = Error(0) if self.told else self.fifo[0][1]
        self.told = True
        return ALL_SENT | READY | errors << 1 | (ERROR_IN_FIFO if any(each for _, each in self.fifo) else 0)

    def _store(self, offset: int, width: int, value: int) -> None:
        pass

    def invalidate(self, why) -> None:
        pass


@pytest.fixture
def uart(world, monkeypatch) -> PretendUart:
    made = PretendUart()
    monkeypatch.setattr(Departing, "bar", lambda self, index: made, raising=False)
    world.add(properties={"PCI_ID": "1B36:0002"})
    return made


def test_the_methods_on_the_guides_page_are_those_of_the_example():
    (code,) = re.findall(r"```python\n(def read\(.*?)```", (ROOT / "docs/guide.md").read_text(), re.DOTALL)
    example = (ROOT / "examples/serial_port.py").read_text()
    for method in code.rstrip("\n").split("\n\n\n"):
        assert f"\n{indent(method, '    ')}\n" in example


def test_a_port_without_a_fifo_that_works_is_declined_and_the_log_says_why(uart, caplog):
    uart.fifos_work = False
    with caplog.at_level("INFO"), DriverHost([SerialPort]) as host:
        assert host.drivers == ()
    assert caplog.messages[0].startswith("0000:00:04.0: it has no FIFO that works: an 8250, 16450")


def test_each_error_is_counted_once_and_its_byte_is_delivered(uart, world):
    uart.fifo.extend(
        [(1, Error(0)), (2, Error.PARITY), (3, Error(0)), (4, Error.FRAMING | Error.OVERRUN), (5, Error(0))]
    )
    with DriverHost([SerialPort]) as host:
        (port,) = host.drivers
        world.opened[-1].cause()
        assert port.read(80) == bytes([1, 2, 3, 4, 5])
        assert port.errors == {Error.PARITY: 1, Error.FRAMING: 1, Error.OVERRUN: 1}


def test_a_card_that_reads_as_ones_does_not_keep_the_loop(uart, world):
    uart.fifo.append((1, Error(0)))
    uart.ones = True
    with DriverHost([SerialPort]) as host:
        world.opened[-1].cause()
        fence(host.loop)
        assert host.drivers[0].incoming.strip(b"\xff") == b""


def test_a_port_that_was_closed_cannot_be_written_to(uart):
    with DriverHost([SerialPort]) as host:
        (port,) = host.drivers
    with pytest.raises(ClosedError, match=r"SerialPort on 0000:00:04.0 has stopped"):
        port.write(b"too late")
