"""A push button between GPIO17, pin 11 of a Raspberry Pi's header, and ground (pin 9). Not run on the board.

    python examples/raspberry_pi_button.py        Ctrl-C ends it

The header's chip is gpiochip0 on one model and kernel and gpiochip4 on another, so that it is found by what does not
move: the name of its line, GPIO17, or on kernels whose device tree does not name lines, the label of the chip and the
number. The lab runs this program on a simulated chip with that name, and with that label.

Source of the names: bcm2711-rpi-4-b.dts and pinctrl-bcm2835.c of Linux 6.12; gpiodetect of a Raspberry Pi 5, in
https://github.com/raspberrypi/linux/pull/6144
"""

from uio_workloop import DeviceNotFoundError, GpioLine, InterruptEventSource, WorkLoop

NUMBER = 17
CHIPS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")  # of Raspberry Pi 5; 4; 1 to 3 and Zero
NAMES = (f"gpio:GPIO{NUMBER}", *(f"gpio:{label}/{NUMBER}" for label in CHIPS))
SETTLE_US = 5000


def header_line() -> GpioLine:
    """The line by the first of its names that this board knows."""
    for name in NAMES:
        try:
            return GpioLine.find(name, bias="pull_up", debounce_us=SETTLE_US, keep_edges=16)
        except DeviceNotFoundError:
            continue
    raise SystemExit(f"no GPIO line here is called {', '.join(NAMES)}")


with header_line() as line, WorkLoop() as loop:
    pressed_ns = 0

    def on_edges(sender: InterruptEventSource, count: int) -> None:
        global pressed_ns
        for edge in line.take_edges():
            if not edge.rising:  # pressed: the button pulls the line low
                pressed_ns = edge.timestamp_ns
                print("pressed", flush=True)
            elif pressed_ns:
                print(f"released after {(edge.timestamp_ns - pressed_ns) // 1_000_000} ms", flush=True)

    button = InterruptEventSource(line, on_edges)
    loop.add_event_source(button)
    button.enable()
    print(f"watching {line.name}", flush=True)
    loop.run_until_signal()
