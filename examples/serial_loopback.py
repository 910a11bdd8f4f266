"""A million bytes through a 16550 that hears itself: sent and received by interrupt, and compared.

python examples/serial_loopback.py [1b36:0002 [BYTES]]      as root: it takes the card, and gives it back
"""

import os
import sys

from serial_port import RECEIVE_BUFFER, SerialPort

from uio_workloop import DriverHost, PciDevice
from uio_workloop.clock import SECOND_NS, monotonic_ns

name = sys.argv[1] if sys.argv[1:] else "1b36:0002"
total = int(sys.argv[2]) if sys.argv[2:] else 1_000_000
baud = int(sys.argv[3]) if sys.argv[3:] else 115_200
UNDER_WAY = RECEIVE_BUFFER // 2  # at most: no more than the port keeps for us


class Loopback(SerialPort):
    loopback = True
    divisor = 115_200 // baud


sent, received = os.urandom(total), bytearray()
with PciDevice.bind(name) as card, DriverHost([Loopback]) as host:
    (port,) = (each for each in host.drivers if each.description.name == card.name)
    began_ns = monotonic_ns()
    for start in range(0, total, UNDER_WAY):
        port.write(sent[start : start + UNDER_WAY])
        while len(received) < min(start + UNDER_WAY, total):
            received += port.read(UNDER_WAY, timeout_ns=10 * SECOND_NS) or sys.exit(f"silence after {len(received)}")
    took_s = (monotonic_ns() - began_ns) / SECOND_NS
    interrupts = port.interrupt.statistics.interrupts

print(f"{len(received)} bytes {'intact' if received == sent else 'DAMAGED'} in {took_s:.1f} s", flush=True)
print(f"{interrupts} interrupts, {total / interrupts:.0f} bytes each: {dict(port.causes)}")
print(f"errors: {dict(port.errors)}, {port.dropped} dropped")
