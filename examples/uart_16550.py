"""The registers of a 16550 serial port, and how it is set up.

Source: National Semiconductor PC16550D datasheet (Texas Instruments SNLS378), section 8.
"""

from enum import IntEnum, IntFlag

from uio_workloop import Register, RegisterBlock, RegisterSpace

FIFO = 16  # bytes that it keeps, in each direction
TRIGGER = 14  # so many received bytes interrupt; fewer do when the line then falls silent


class Cause(IntEnum):
    """Why the port interrupts."""

    MODEM, SENT, RECEIVED, ERROR = range(4)
    SILENCE = 6  # bytes were received, but less than TRIGGER, and then none for a while


class Error(IntFlag):
    """What went wrong on the line."""

    OVERRUN = 1  # nobody took bytes before the next came; how many were lost is not told
    PARITY = 2
    FRAMING = 4
    BREAK = 8  # there is a zero byte for it


class Uart(RegisterBlock, size=8):
    received = Register(0, width=8, access="ro")
    to_send = Register(0, width=8, access="wo")

    interrupt_enable = Register(1, width=8)
    on_received = interrupt_enable.bit(0)
    on_sent = interrupt_enable.bit(1)
    on_error = interrupt_enable.bit(2)

    interrupt_identity = Register(2, width=8, access="ro")  # reading it acknowledges SENT
    none_pending = interrupt_identity.bit(0)
    cause = interrupt_identity.bits(1, 3, Cause)
    fifos_work = interrupt_identity.bits(6, 7)  # 3: yes

    fifo_control = Register(2, width=8, access="wo")
    fifo_enable = fifo_control.bit(0)
    fifo_clear = fifo_control.bits(1, 2)
    fifo_trigger = fifo_control.bits(6, 7)  # 3: TRIGGER

    line_control = Register(3, width=8)
    word_length = line_control.bits(0, 1)  # less 5
    divisor_latch = line_control.bit(7)  # while it is set, the first two registers are `Divisor`

    modem_control = Register(4, width=8)
    ready = modem_control.bits(0, 1)  # data terminal ready, request to send
    interrupt_gate = modem_control.bit(3)  # OUT2: on PC boards it lets the interrupt out
    loopback = modem_control.bit(4)

    line_status = Register(5, width=8, access="ro")  # reading it clears the errors, which are the next byte's
    data_ready = line_status.bit(0)
    errors = line_status.bits(1, 4, Error)
    fifo_sent = line_status.bit(5)
    error_in_fifo = line_status.bit(7)


class Divisor(RegisterBlock, size=2):
    low = Register(0, width=8)
    high = Register(1, width=8)


def set_up(registers: RegisterSpace, divisor: int, *, loopback: bool) -> Uart:
    """8 bits, no parity, one stop bit; FIFOs empty, no interrupts yet."""
    uart, latch = Uart(registers), Divisor(registers)
    uart.interrupt_enable = 0
    uart.line_control = Uart.divisor_latch.place(True)
    latch.low, latch.high = divisor & 0xFF, divisor >> 8
    uart.line_control = Uart.word_length.place(8 - 5)
    uart.fifo_control = Uart.fifo_enable.place(True) | Uart.fifo_clear.place(3) | Uart.fifo_trigger.place(3)
    uart.modem_control = Uart.ready.place(3) | Uart.interrupt_gate.place(True) | Uart.loopback.place(loopback)
    return uart
