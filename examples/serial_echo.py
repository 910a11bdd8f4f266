"""A serial port that sends back what it receives.

python -m uio_workloop run examples/serial_echo.py:Echo     the card is bound to uio_pci_generic; Ctrl-C ends it
"""

from serial_port import SEND_BUFFER, SerialPort

from uio_workloop import InterruptEventSource


class Echo(SerialPort):
    def on_interrupt(self, sender: InterruptEventSource, count: int) -> None:
        super().on_interrupt(sender, count)
        if self.incoming:
            self.put(self.take(SEND_BUFFER - len(self.outgoing)))  # what there is no room for: next time
