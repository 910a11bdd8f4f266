"""Count the interrupts of a UIO device of the uio_dummy module, and how long they take to get here.

python examples/dummy_counter.py [/dev/uio0]
echo 5 > /sys/class/uio/uio0/device/raise      in another terminal; Ctrl-C ends it
"""

import sys

from uio_workloop import Histogram, InterruptEventSource, UioDevice, WorkLoop
from uio_workloop.clock import monotonic_ns

LAST_RAISE_NS, STATUS = 0x20, 0x28

with UioDevice.find(sys.argv[1] if sys.argv[1:] else "/dev/uio0") as device, WorkLoop() as loop:
    registers = device.map(0)
    latency = Histogram()

    def on_interrupt(sender: InterruptEventSource, count: int) -> None:
        latency.record(monotonic_ns() - registers.read64(LAST_RAISE_NS))
        registers.write32(STATUS, 0)  # acknowledge: a level line would interrupt again
        print(f"{count} more, {sender.statistics.interrupts} in all", flush=True)

    interrupt = InterruptEventSource(device, on_interrupt)
    loop.add_event_source(interrupt)
    interrupt.enable()
    print(f"counting {device.name}", flush=True)
    loop.run_until_signal()

seen = latency.snapshot()
print(f"latency p50 {seen.p50_ns / 1e3:.0f} us, p99 {seen.p99_ns / 1e3:.0f} us, max {seen.max_ns / 1e3:.0f} us")
