"""A driver for a 16550 serial port on a PCI card, such as QEMU's pci-serial: bytes in and out, by interrupt.

    with PciDevice.bind("1b36:0002"), DriverHost([SerialPort]) as host:
        (port,) = host.drivers
        port.write(b"hello")
        answer = port.read(80, timeout_ns=SECOND_NS)

`write`, `read` and `flush` are for any thread but the loop's. When the port leaves, who waits gets a DeviceGoneError.
There is no flow control: what nobody reads is kept, up to RECEIVE_BUFFER bytes; what comes then is dropped and counted.
"""

from collections import Counter

from uart_16550 import FIFO, TRIGGER, Cause, Error, Uart, set_up

from uio_workloop import Deadline, Driver, InterruptEventSource, PciDevice, PciId, WaitResult

PIECE, SEND_BUFFER, RECEIVE_BUFFER = 1024, 4096, 65536
ROUNDS = 16  # in one action at most: in loopback the port could keep the loop busy for ever
ANY_ERROR = Uart.errors.mask
LISTEN = Uart.on_received.place(True) | Uart.on_error.place(True)
SEND = LISTEN | Uart.on_sent.place(True)


class SerialPort(Driver):
    match = PciId("1b36:0002")
    divisor = 1  # of 115200 baud
    loopback = False

    def probe(self, device: PciDevice) -> int | None:
        uart = Uart(device.bar(0))
        uart.fifo_control = Uart.fifo_enable.place(True)
        fifos_work = uart.fifos_work == 3
        uart.fifo_control = 0
        if not fifos_work:
            self.log.info("it has no FIFO that works: an 8250, 16450 or early 16550, which this driver is not for")
        return super().probe(device) if fifos_work else None

    def start(self, device: PciDevice) -> None:
        self.incoming, self.outgoing = bytearray(), bytearray()
        self.arrived, self.room = object(), object()  # what clients sleep on
        self.causes: Counter[Cause] = Counter()  # of interrupts
        self.errors: Counter[Error] = Counter()
        self.dropped = 0
        self.registers = device.bar(0)
        self.interrupt = self.add(InterruptEventSource(device, self.on_interrupt))
        self.uart = set_up(self.registers, self.divisor, loopback=self.loopback)
        self.uart.interrupt_enable = LISTEN
        self.interrupt.enable()

    def stop(self) -> None:
        self.uart.interrupt_enable = self.uart.modem_control = 0

    # On the loop's thread, gate held

    def on_interrupt(self, sender: InterruptEventSource, count: int) -> None:
        for _ in range(ROUNDS):  # if there is more to do then, the line interrupts again
            identity = self.uart.interrupt_identity
            if Uart.none_pending.of(identity):
                break
            cause = Uart.cause.of(identity)
            self.causes[cause] += 1
            status = self.receive(TRIGGER if cause is Cause.RECEIVED else 1)
            if Uart.fifo_sent.of(status) and self.outgoing:
                self.send()
        if self.incoming:
            self.command_gate.command_wakeup(self.arrived)
        if len(self.outgoing) <= SEND_BUFFER - PIECE:
            self.command_gate.command_wakeup(self.room)

    def receive(self, certain: int) -> int:
        """Empty the FIFO, which has so many bytes if it has any; returns the line status at the end."""
        for _ in range(FIFO):  # a card that is being pulled out says that there is more, for ever
            status = self.uart.line_status
            if status & ANY_ERROR:
                self.errors.update(Uart.errors.of(status))
            if not Uart.data_ready.of(status):
                break
            count = 1 if Uart.error_in_fifo.of(status) else certain  # an error is told with its byte
            self.incoming += self.registers.read8_repeatedly(Uart.received.offset, count)
            certain = 1
        if len(self.incoming) > RECEIVE_BUFFER:
            self.dropped += len(self.incoming) - RECEIVE_BUFFER
            del self.incoming[RECEIVE_BUFFER:]
        return status

    def send(self) -> None:
        self.registers.write8_repeatedly(Uart.to_send.offset, bytes(self.outgoing[:FIFO]))
        del self.outgoing[:FIFO]
        if not self.outgoing:
            self.uart.interrupt_enable = LISTEN

    def put(self, piece: bytes) -> None:
        if not self.outgoing:
            self.uart.interrupt_enable = SEND  # it interrupts at once
        self.outgoing += piece

    def take(self, most: int) -> bytes:
        taken = bytes(self.incoming[:most])
        del self.incoming[:most]
        return taken

    # Clients, on their own threads

    def write(self, data: bytes) -> None:
        """Have these bytes sent; returns when they are in the buffer. Up to PIECE bytes stay together."""
        for start in range(0, len(data), PIECE):
            self.command_gate.run_action(self._write, data[start : start + PIECE])

    def read(self, most: int, timeout_ns: int | None = None) -> bytes:
        """What was received, as soon as there is something: 1 to `most` bytes; none if the time is over."""
        deadline = None if timeout_ns is None else Deadline.after(timeout_ns)
        return self.command_gate.run_action(self._read, most, deadline)

    def flush(self) -> None:
        """Wait until the port has all that was written; it sends its last FIFO by itself."""
        self.command_gate.run_action(self._await_room, SEND_BUFFER)

    def _write(self, piece: bytes) -> None:
        self._await_room(len(piece))
        self.put(piece)

    def _await_room(self, size: int) -> None:
        while len(self.outgoing) > SEND_BUFFER - size:
            self.command_gate.command_sleep(self.room)

    def _read(self, most: int, deadline: Deadline | None) -> bytes:
        while not self.incoming:
            if self.command_gate.command_sleep(self.arrived, deadline) is WaitResult.TIMED_OUT:
                return b""
        return self.take(most)
