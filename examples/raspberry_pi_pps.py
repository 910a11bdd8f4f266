"""Pulse per second of a GPS receiver on GPIO18, pin 12 of a Raspberry Pi's header. Not run on the board.

    python examples/raspberry_pi_pps.py [gpio:GPIO18]        Ctrl-C ends it

The kernel notes the time of every pulse on its monotonic clock when the interrupt comes, so how late this program is
does not matter. Between two pulses lies a whole number of seconds: what the clock makes of it besides is how much it is
off, in parts per billion, and how that varies is the jitter. Do not load the overlay pps-gpio: it would take the line.
"""

import sys

from uio_workloop import GpioLine, Histogram, InterruptEventSource, WorkLoop

SECOND_NS = 1_000_000_000


def measured(before_ns: int, now_ns: int) -> tuple[int, int]:
    """Seconds between two pulses, and by how many nanoseconds the clock disagrees; 0 seconds: that was no pulse."""
    seconds = round((now_ns - before_ns) / SECOND_NS)
    return seconds, now_ns - before_ns - seconds * SECOND_NS


with (
    GpioLine.find(sys.argv[1] if sys.argv[1:] else "gpio:GPIO18", edge="rising", keep_edges=16) as line,
    WorkLoop() as loop,
):
    jitter = Histogram()
    last_ns = last_off = None

    def on_pulses(sender: InterruptEventSource, count: int) -> None:
        global last_ns, last_off
        for pulse in line.take_edges():
            seconds, off = (1, 0) if last_ns is None else measured(last_ns, pulse.timestamp_ns)
            if not seconds:
                continue  # noise, too close to the last pulse
            if last_ns is not None:
                print(f"{seconds} s and {off} ns, {seconds - 1} pulses missed", flush=True)
                off //= seconds
                if last_off is not None:
                    jitter.record(abs(off - last_off))
                last_off = off
            last_ns = pulse.timestamp_ns

    pps = InterruptEventSource(line, on_pulses)
    loop.add_event_source(pps)
    pps.enable()
    print(f"watching {line.name}", flush=True)
    loop.run_until_signal()

seen = jitter.snapshot()
print(f"jitter p50 {seen.p50_ns / 1e3:.1f} us, p99 {seen.p99_ns / 1e3:.1f} us, max {seen.max_ns / 1e3:.1f} us")
