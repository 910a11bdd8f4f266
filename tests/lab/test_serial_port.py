"""The driver of a 16550, on QEMU's pci-serial: in loopback, and with another machine's end of the line."""

from __future__ import annotations

import os
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from helpers import Background
from programs import Program
from serial_port import PIECE, SEND_BUFFER, SerialPort
from uart_16550 import FIFO, Cause, Error, Uart

from uio_workloop import AbortedError, ClosedError, Deadline, DeviceGoneError, DriverHost, PciDevice
from uio_workloop._linux import pci
from uio_workloop.clock import SECOND_NS
from uio_workloop.testing import check_for_leaks, fence
from uio_workloop.testing.lab import guest

PATIENCE_S = 100  # an emulated port moves some ten thousand bytes in a second, on a busy machine far fewer
PATIENCE_NS = PATIENCE_S * SECOND_NS
SLOW = "1200"  # baud; QEMU's port does not pace bytes, but at 115200 its timer for "silence" expires between them,
# and setting it anew for every byte wakes QEMU's main loop: that alone takes half of the time
KERNELS_DRIVER = "serial"  # of drivers/tty/serial/8250/8250_pci.c


class Loopback(SerialPort):
    loopback = True


Insert = Callable[..., str]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def insert() -> Iterator[Insert]:
    """Insert a serial card whose line goes to a chardev of QEMU's; its address."""
    with ExitStack() as undo:
        slots = iter("567")

        def make(kind: str = "null", **data: object) -> str:
            slot = next(slots)
            line, card = f"line{slot}", f"serial{slot}"
            guest.qmp("chardev-add", id=line, backend={"type": kind, "data": data})
            undo.callback(guest.qmp, "chardev-remove", id=line)
            address = guest.insert("pci-serial", card, slot, chardev=line)
            undo.callback(unplug, address, card)
            return address

        yield make


def unplug(address: str, card: str) -> None:
    if pci.exists(address):
        guest.unplug(card)


@contextmanager
def driven(address: str, driver: type[SerialPort] = SerialPort) -> Iterator[SerialPort]:
    """The card's driver, running."""
    with PciDevice.bind(address), DriverHost([driver]) as host:
        (port,) = host.drivers
        yield port


def read_all(port: SerialPort, size: int) -> bytes:
    """So many bytes, or what there was when the line fell silent."""
    received = bytearray()
    while len(received) < size and (more := port.read(size - len(received), PATIENCE_NS)):
        received += more
    return bytes(received)


# A million bytes


def test_a_million_bytes_go_round_in_loopback_intact(insert, show):
    address = insert()
    with Program("examples/serial_loopback.py", address, "1000000", SLOW) as program:
        result, interrupts, errors = program.rest(timeout_s=800)
    show(f"16550 in loopback: {result}")
    show(f"16550 in loopback: {interrupts}; {errors}")
    assert result.startswith("1000000 bytes intact in ")
    assert errors == "errors: {}, 0 dropped"
    assert pci.driver(address) == KERNELS_DRIVER


# The line


@pytest.fixture
def null_modem(insert) -> tuple[str, str]:
    """Two cards whose lines are connected."""
    socket = {"type": "unix", "data": {"path": f"uio-workloop-{os.getpid()}", "abstract": True}}
    return insert("socket", addr=socket, server=True, wait=False), insert("socket", addr=socket, server=False)


@contextmanager
def kernels_port(address: str) -> Iterator[int]:
    """A card that is left to the kernel's own driver, as a descriptor."""
    (name,) = (each.name for each in Path("/sys/class/tty").iterdir() if f"/{address}/" in os.path.realpath(each))
    terminal = os.open(f"/dev/{name}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        tty.setraw(terminal)
        yield terminal
    finally:
        os.close(terminal)


def read_terminal(terminal: int, size: int) -> bytes:
    received = b""
    while len(received) < size:
        received += os.read(terminal, size - len(received))
    return received


def write_terminal(terminal: int, data: bytes) -> None:
    while data:
        data = data[os.write(terminal, data) :]


def test_bytes_go_both_ways_at_once_between_the_kernels_driver_and_this_one(null_modem, show):
    here, there = os.urandom(1000), os.urandom(1000)
    with kernels_port(null_modem[1]) as terminal, driven(null_modem[0]) as port:
        theirs = [Background(read_terminal, terminal, len(here)), Background(write_terminal, terminal, there)]
        mine = Background(port.write, here)
        assert read_all(port, len(there)) == there
        mine.result(PATIENCE_S)
        assert theirs[0].result(PATIENCE_S) == here
        assert (port.errors, port.dropped) == ({}, 0)
        show(f"null modem to the kernel's driver: 1000 bytes each way at once, intact; causes {dict(port.causes)}")


def test_fewer_bytes_than_interrupt_arrive_once_the_line_is_silent(null_modem):
    with kernels_port(null_modem[1]) as terminal, driven(null_modem[0]) as port:
        reader = Background(port.read, 80)
        write_terminal(terminal, b"hi")
        assert reader.result(PATIENCE_S) in (b"hi", b"h")
        assert port.causes[Cause.SILENCE] >= 1


def test_an_echo_runs_as_its_first_lines_say(null_modem):
    data = os.urandom(1000)
    with (
        kernels_port(null_modem[1]) as terminal,
        PciDevice.bind(null_modem[0]),
        Program("-m", "uio_workloop", "run", "examples/serial_echo.py:Echo") as program,
    ):
        assert program.line() == f"Echo drives {null_modem[0]}"
        writing = Background(write_terminal, terminal, data)
        assert read_terminal(terminal, len(data)) == data
        writing.result(PATIENCE_S)
        assert f"Echo stopped on {null_modem[0]}" in program.interrupt()


# Errors


def test_what_comes_faster_than_it_is_read_is_an_overrun_and_counted(insert):
    with driven(insert(), Loopback) as port:
        with port.loop.gate:  # the loop is late
            port.registers.write8_repeatedly(Uart.to_send.offset, bytes(range(FIFO + 4)))
        assert len(read_all(port, FIFO)) == FIFO
        assert port.errors == {Error.OVERRUN: 1}


def test_what_nobody_reads_is_dropped_and_counted_and_the_loop_goes_on(insert, show, monkeypatch):
    kept, too_many = 1024, 512
    monkeypatch.setattr("serial_port.RECEIVE_BUFFER", kept)
    data = os.urandom(kept + too_many)
    with driven(insert(), Loopback) as port:
        port.write(data)
        port.flush()
        deadline = Deadline.after(PATIENCE_NS)
        while port.loop.run_action(lambda: port.dropped) < too_many and not deadline.expired:
            fence(port.loop)
        assert read_all(port, kept) == data[:kept]
        port.write(b"and on")
        assert read_all(port, 6) == b"and on"
        assert (port.errors, port.dropped) == ({}, too_many)
        show(f"16550 nobody reads: {kept} bytes kept, {port.dropped} dropped and counted, 0 overruns")


def test_a_break_is_counted_and_is_a_zero_byte(insert):
    with driven(insert()) as port:
        guest.qmp("chardev-send-break", id="line5")
        assert port.read(80, PATIENCE_NS) == b"\0"
        assert port.errors == {Error.BREAK: 1}


# Clients


def test_a_read_ends_with_its_time(insert):
    with driven(insert()) as port:
        assert port.read(80, timeout_ns=1) == b""


def test_pieces_of_several_writers_are_not_torn(insert):
    pieces = [bytes([n]) * PIECE for n in range(6)]
    with driven(insert(), Loopback) as port:
        writers = [Background(port.write, piece) for piece in pieces]
        received = read_all(port, 6 * PIECE)
        for each in writers:
            each.result(PATIENCE_S)
    assert sorted(received[start : start + PIECE] for start in range(0, 6 * PIECE, PIECE)) == pieces


def test_a_port_that_is_closed_tells_its_clients_and_starts_again_afterwards(insert):
    address = insert()
    with PciDevice.bind(address):
        for _ in range(3):
            with check_for_leaks(), DriverHost([Loopback]) as host:
                (port,) = host.drivers
                port.write(b"once more")
                assert read_all(port, 9) == b"once more"
                waiting = Background(port.read, 1)
                while not port.command_gate._asleep:
                    fence(host.loop)
                host.close()
                with pytest.raises(AbortedError, match=f"Loopback on {address} has stopped"):
                    waiting.result(PATIENCE_S)
                with pytest.raises(ClosedError, match=f"Loopback on {address} has stopped"):
                    port.write(b"too late")
    assert pci.driver(address) == KERNELS_DRIVER


# Departure


def test_a_port_pulled_out_under_load_tells_everybody_who_waits(insert, show):
    address = insert()
    with PciDevice.bind(address), DriverHost([Loopback]) as host:
        (port,) = host.drivers
        flowing = Background(read_all, port, SEND_BUFFER)
        writers = [Background(write_for_ever, port) for _ in range(2)]
        assert len(flowing.result(PATIENCE_S)) == SEND_BUFFER
        readers = [Background(read_for_ever, port) for _ in range(2)]

        guest.unplug("serial5")

        for each in (*writers, *readers):
            with pytest.raises(DeviceGoneError):
                each.result()
        with pytest.raises(DeviceGoneError, match=f"Loopback on {address} has stopped: its device has left"):
            port.read(1)
        fence(host.loop)
        assert host.drivers == ()
    show(f"16550 pulled out under load: two writers and two readers told; {sum(port.causes.values())} causes served")


def write_for_ever(port: SerialPort) -> None:
    while True:
        port.write(bytes(SEND_BUFFER))


def read_for_ever(port: SerialPort) -> None:
    while True:
        port.read(80)
