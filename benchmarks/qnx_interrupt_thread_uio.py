"""The interrupt thread of QNX on a UIO device: uio_dummy, in the lab."""

from __future__ import annotations

from benchmarks.harness import Benchmark, Measures
from benchmarks.latency import Setting, contender, on_a_thread
from benchmarks.latency_uio import Dummy
from benchmarks.qnx_interrupt_thread import ABOUT, CONTENDERS, PROCESSOR, PROCESSOR_OF_ALL, Saturated, goals

INTERRUPTS = 1_000
ONE_BY_ONE = 300


def _wait(setting: Setting, interrupts: int) -> Measures:
    """A thread without any loop."""
    with setting.probe(interrupts) as probe, setting.provider() as device:
        action = setting.action(probe)

        def serve() -> None:
            while not probe.finished:
                action(None, device.wait())

        return on_a_thread(setting, probe, interrupts, serve)


class SaturatedDummy(Saturated, Dummy):
    """uio_dummy, which the action has interrupt again."""


UIO_CONTENDERS = {**CONTENDERS, "UioDevice.wait": _wait}

BENCHMARKS = (
    Benchmark(
        name="qnx-saturation-uio",
        title="An interrupt thread in the manner of QNX on a UIO device, when the next interrupt follows at once",
        about=ABOUT + PROCESSOR_OF_ALL + "The action acknowledges the device and has the module raise the next "
        "interrupt while the line is masked still; write() unmasks it.",
        contenders={name: contender(SaturatedDummy, run, INTERRUPTS) for name, run in UIO_CONTENDERS.items()},
        goals=goals(PROCESSOR),
        rounds=5,
    ),
    Benchmark(
        name="qnx-latency-uio",
        title="From the interrupt of a UIO device to the interrupt thread, one at a time",
        about=ABOUT + "The module takes the time as it raises, who serves takes it again, first of all. Another "
        "process has the module raise the next one 0.5 ms after the answer. Emulated processors: read the ratios.",
        contenders={name: contender(Dummy, run, ONE_BY_ONE) for name, run in UIO_CONTENDERS.items()},
        goals=goals("p50"),
        rounds=5,
    ),
)
