"""What one register access costs on a card: each one leaves the virtual machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Benchmark, NotAtHandError
from benchmarks.register_access import ABOUT, contenders


@contextmanager
def edu_bar() -> Iterator[Path]:
    """BAR 0 of QEMU's edu card, which may be free or on any driver: nothing of it is used but plain storage."""
    for function in sorted(Path("/sys/bus/pci/devices").glob("*")):
        if (function / "vendor").read_text() + (function / "device").read_text() == "0x1234\n0x11e8\n":
            (function / "enable").write_text("1")  # its memory answers from now on
            yield function / "resource0"
            (function / "enable").write_text("0")
            return
    raise NotAtHandError("an edu card: run it in the lab")


BENCHMARKS = (
    Benchmark(
        "register-access-edu",
        "One access to a register of a card that is emulated",
        contenders(edu_bar, 200),
        (),
        f"{ABOUT} Here each access leaves the virtual machine, which costs far more than any of this: on hardware that "
        "is slow to answer, it does not matter how a register is reached.",
        rounds=5,
    ),
)
