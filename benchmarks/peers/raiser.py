"""Another process, with an interpreter of its own, that raises interrupts.

    python -m benchmarks.peers.raiser FD MEMORY COUNT

In the shared memory it leaves the time of each before it writes to the eventfd, and waits for the action to say so
before the next, some milliseconds later.
"""

from __future__ import annotations

import mmap
import os
import random
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

_STAMP: Final = struct.Struct("qq")  # when it was raised, and how many actions have answered
ROOT: Final = Path(__file__).parents[2]
LEAST_GAP_S, MOST_GAP_S = 0.001, 0.004
PATIENCE_S = 10.0


class Raiser:
    """The process, which writes to an eventfd of ours from `begin()` on; `answer()` is what an action does first."""

    def __init__(self, fd: int, count: int) -> None:
        self.late_ns: list[int] = []
        self._count = count
        memory = os.memfd_create("stamps")
        os.truncate(memory, _STAMP.size)
        self._stamps = mmap.mmap(memory, _STAMP.size)
        words = [sys.executable, "-m", __name__, str(fd), str(memory), str(count)]
        self._process = subprocess.Popen(
            words, cwd=ROOT, pass_fds=(fd, memory), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        os.close(memory)
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it has started

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def answer(self) -> bool:
        """Note how long it took; whether it was the last."""
        now = time.monotonic_ns()
        raised, _ = _STAMP.unpack(self._stamps)
        self.late_ns.append(now - raised)
        _STAMP.pack_into(self._stamps, 0, raised, len(self.late_ns))
        return len(self.late_ns) >= self._count

    def __enter__(self) -> Raiser:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._process:
            self._process.kill()
        self._stamps.close()


def main(fd: int, memory: int, count: int) -> None:
    stamps = mmap.mmap(memory, _STAMP.size)
    gaps = random.Random(1)
    print(flush=True)
    sys.stdin.readline()
    for number in range(count):
        time.sleep(gaps.uniform(LEAST_GAP_S, MOST_GAP_S))
        _STAMP.pack_into(stamps, 0, time.monotonic_ns(), number)
        os.eventfd_write(fd, 1)
        give_up = time.monotonic() + PATIENCE_S
        while _STAMP.unpack(stamps)[1] == number:
            if time.monotonic() > give_up:
                sys.exit(f"interrupt {number} was not answered in {PATIENCE_S:.0f} s")
            time.sleep(LEAST_GAP_S / 10)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
