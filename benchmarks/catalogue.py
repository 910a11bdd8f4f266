"""Which benchmarks there are, and where each can run."""

from __future__ import annotations

from importlib import import_module

from benchmarks.harness import Benchmark

MODULES = {
    "host": (
        "dispatch_saturation",
        "register_access",
        "many_sources",
        "gate",
        "timer_error",
        "busy_thread",
        "footprint",
    ),
    "lab": ("register_access_edu", "timer_error", "busy_thread"),
    "lab-rt": ("timer_error", "busy_thread"),
}
"""By place; a module has a tuple `BENCHMARKS`."""


def benchmarks(place: str) -> list[Benchmark]:
    return [benchmark for name in MODULES[place] for benchmark in import_module(f"benchmarks.{name}").BENCHMARKS]
