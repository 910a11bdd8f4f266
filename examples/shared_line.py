"""One interrupt line, two ports: each port has a source of its own, and a filter that says which interrupts are its.

python examples/shared_line.py      no hardware needed: the card is a SoftwareInterrupt; Ctrl-C ends it

With hardware, the line is that of a UioDevice or PciDevice, and the status a register of its.
"""

import itertools
from collections.abc import Callable

from uio_workloop import (
    FilterInterruptEventSource,
    SharedInterrupt,
    SoftwareInterrupt,
    TimerEventSource,
    Trigger,
    WorkLoop,
)

status = 0  # a bit for each port that wants something


def is_mine(bit: int) -> Callable[[FilterInterruptEventSource], bool]:
    return lambda sender: bool(status & bit)  # gate open: look at the status, and no further


def answer(bit: int) -> Callable[[FilterInterruptEventSource, int], None]:
    def on_interrupt(sender: FilterInterruptEventSource, count: int) -> None:  # gate held
        global status
        status &= ~bit  # acknowledge
        print(f"port {bit}", flush=True)

    return on_interrupt


with SoftwareInterrupt(Trigger.LEVEL) as card, WorkLoop() as loop:
    line = SharedInterrupt(card)
    loop.add_event_source(line)
    for bit in (1, 2):
        port = FilterInterruptEventSource(line, answer(bit), is_mine(bit))
        loop.add_event_source(port)
        port.enable()  # the line opens with the last of them

    causes = itertools.cycle((1, 2, 1 | 2))

    def on_tick(sender: TimerEventSource) -> None:  # what the hardware would do
        global status
        status |= next(causes)
        card.cause()
        sender.set_timeout_ms(100)

    timer = TimerEventSource(on_tick)
    loop.add_event_source(timer)
    timer.set_timeout_ms(100)
    loop.run_until_signal()

print(f"{line.interrupts} interrupts, {line.spurious} of them nobody's")
