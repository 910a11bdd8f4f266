"""A push button on a GPIO line, debounced by a timer: bounces restart it, and only a level that lasts counts.

python examples/gpio_button.py gpio:GPIO17    the button pulls the line low; Ctrl-C ends it
"""

import sys

from uio_workloop import GpioLine, InterruptEventSource, TimerEventSource, WorkLoop

SETTLE_MS = 10

if len(sys.argv) != 2:
    sys.exit(__doc__)

with GpioLine.find(sys.argv[1], edge="both", bias="pull_up") as line, WorkLoop() as loop:
    pressed = not line.value

    def on_edge(sender: InterruptEventSource, count: int) -> None:
        settle.set_timeout_ms(SETTLE_MS)  # arming again replaces the earlier deadline

    def on_settled(sender: TimerEventSource) -> None:
        global pressed
        if pressed != (not line.value):
            pressed = not pressed
            print("pressed" if pressed else "released", flush=True)

    edges = InterruptEventSource(line, on_edge)
    settle = TimerEventSource(on_settled)
    loop.add_event_source(edges)
    loop.add_event_source(settle)
    edges.enable()
    print(f"watching {line.name}", flush=True)
    loop.run_until_signal()

print(f"{edges.statistics.interrupts} edges, {edges.statistics.lost} lost")
