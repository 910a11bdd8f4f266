"""Which benchmarks there are, and where each can run."""

from __future__ import annotations

from importlib import import_module

from benchmarks.harness import Benchmark

MODULES = {
    "host": (
        "dispatch_saturation",
        "latency_eventfd",
        "qnx_interrupt_thread",
        "timer_error",
        "register_access",
        "many_sources",
        "gate",
        "busy_thread",
        "footprint",
    ),
    "lab": (
        "latency_uio",
        "latency_gpio",
        "timer_error",
        "register_access_edu",
        "busy_thread",
        "gpio_edges",
        "qnx_interrupt_thread_uio",
    ),
    "lab-rt": ("latency_uio", "latency_gpio", "timer_error", "busy_thread"),
}
"""By place; a module has a tuple `BENCHMARKS`."""


def benchmarks(place: str) -> list[Benchmark]:
    return [benchmark for name in MODULES[place] for benchmark in import_module(f"benchmarks.{name}").BENCHMARKS]
