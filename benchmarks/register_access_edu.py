"""What one register access costs on a card, which QEMU emulates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Benchmark, NotAtHandError
from benchmarks.register_access import ABOUT, contenders


@contextmanager
def edu_bar() -> Iterator[Path]:
    """BAR 0 of QEMU's edu card, on the driver it has in the lab; nothing of it is used but plain storage."""
    for function in sorted(Path("/sys/bus/pci/devices").glob("*")):
        if (function / "vendor").read_text() + (function / "device").read_text() == "0x1234\n0x11e8\n":
            yield function / "resource0"
            return
    raise NotAtHandError("an edu card: run it in the lab")


BENCHMARKS = (
    Benchmark(
        "register-access-edu",
        "One access to a register of a card that is emulated",
        contenders(edu_bar, 1_000),
        (),
        f"{ABOUT} Here each access is a call of QEMU's, and without KVM the processor is emulated, too: ratios "
        "are those of that, and nearer to 1 the slower the card is to answer.",
        rounds=5,
    ),
)
