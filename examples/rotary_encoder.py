"""A rotary encoder on two GPIO lines: every detent is counted, in its direction, also when the program was busy.

python examples/rotary_encoder.py gpio:GPIO17 gpio:GPIO18    its contacts pull the lines low; Ctrl-C ends it

The levels of now would say too little after a pause, so the edges are taken one by one, in the order of the kernel's
time stamps. A contact that bounces is a step forth and a step back: nothing has to be debounced.
"""

import sys

from uio_workloop import GpioLine, InterruptEventSource, WorkLoop

PLACES = {(True, True): 0, (False, True): 1, (False, False): 2, (True, False): 3}  # in the order of a turn
STEPS_PER_DETENT = 4
KEPT = 64  # edges whose order may still change: the lines are read one after the other


def turned(start: tuple[int, list[bool]], edges: list) -> tuple[int, list[bool]]:
    """The number of steps and the levels after these edges."""
    steps, levels = start[0], list(start[1])
    for edge, line in edges:
        before = PLACES[tuple(levels)]
        levels[line] = edge.rising
        steps += (PLACES[tuple(levels)] - before + 1) % 4 - 1  # one line changes at a time: -1, 0 or 1
    return steps, levels


if len(sys.argv) != 3:
    sys.exit(__doc__)

with (
    GpioLine.find(sys.argv[1], bias="pull_up", keep_edges=KEPT) as a,
    GpioLine.find(sys.argv[2], bias="pull_up", keep_edges=KEPT) as b,
    WorkLoop() as loop,
):
    recent: list = []
    detent = 0

    def on_edges(sender: InterruptEventSource, count: int) -> None:
        global recent, start, detent
        recent = sorted(recent + [(edge, n) for n, line in enumerate((a, b)) for edge in line.take_edges()])
        start, recent = turned(start, recent[:-KEPT]), recent[-KEPT:]
        now = round(turned(start, recent)[0] / STEPS_PER_DETENT)
        if now != detent:
            detent = now
            print(f"detent {detent}", flush=True)

    sources = [InterruptEventSource(line, on_edges) for line in (a, b)]
    start = (0, [a.value, b.value])  # edges are queued by now; one that came in between changes nothing twice
    for source in sources:
        loop.add_event_source(source)
        source.enable()
    print(f"watching {a.name} and {b.name}", flush=True)
    loop.run_until_signal()

print(f"{sum(source.statistics.lost for source in sources)} edges lost")
