"""Who raises interrupts: another process, so that no contender shares an interpreter with it.

One process serves a whole run. It gets its jobs, and the descriptors that go with them, through a socket.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache

MOST_BYTES = 4096
DEADLINE_S = 60


@dataclass(frozen=True)
class Job:
    """What is to be raised.

    how: `write`: each of `payloads` in turn, to a descriptor; `store`: 1 into the 32-bit register at `offset`.
    count: how often.
    at_a_stretch: so many, before an answer is waited for; 0 waits for none.
    pause_ns: after the answer, so that whoever answered is asleep again.
    processor: to stay on; -1 is any.
    priority: of a real-time thread, first in, first out; 0 for an ordinary one.
    """

    how: str
    count: int
    payloads: Sequence[str] = ()
    offset: int = 0
    at_a_stretch: int = 1
    pause_ns: int = 0
    processor: int = -1
    priority: int = 0


class Raiser:
    """The process, seen from here. It ends with this one."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = [sys.executable, "-I", "-S", __file__, str(theirs.fileno())]
        self._process = subprocess.Popen(words, pass_fds=[theirs.fileno()])
        theirs.close()
        self._channel.settimeout(DEADLINE_S)

    def begin(self, job: Job, *fds: int) -> None:
        """Have a job done.

        Args:
            fds: what is raised through, the eventfd that answers, and the memory for `Stamp`.
        """
        socket.send_fds(self._channel, [json.dumps(asdict(job)).encode()], fds)

    def took_ns(self) -> int:
        """Wait until the job is done; how long it was at it.

        Raises:
            RuntimeError: an answer has not come, or the process has ended; the next job gets a new one.
        """
        try:
            answer = self._channel.recv(MOST_BYTES)
        except TimeoutError:
            self._give_up()
            raise RuntimeError("an interrupt was not answered, so that the next was not raised") from None
        if not answer:
            self._give_up()
            raise RuntimeError("the process that raises interrupts has ended; its error is above")
        return int(answer)

    def _give_up(self) -> None:
        raiser.cache_clear()
        self._channel.close()
        self._process.kill()
        self._process.wait()


@cache
def raiser() -> Raiser:
    return Raiser()


class Stamp:
    """When the last interrupt was raised, in memory that the raiser shares."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("uio-workloop-benchmark")
        os.ftruncate(self.fd, mmap.PAGESIZE)
        self.memory = memoryview(mmap.mmap(self.fd, mmap.PAGESIZE)).cast("q")

    def close(self) -> None:
        os.close(self.fd)


# In the other process


def serve(channel: socket.socket) -> None:
    """Do jobs until nobody is there to give any."""
    while True:
        request, fds, _, _ = socket.recv_fds(channel, MOST_BYTES, 3)
        if not request:
            return
        channel.send(b"%d" % work(Job(**json.loads(request)), *fds))
        for fd in fds:
            os.close(fd)


def work(job: Job, target: int, answered: int, stamp_fd: int) -> int:
    """Do one job; returns how long it took."""
    os.sched_setaffinity(0, {job.processor} if job.processor >= 0 else range(os.cpu_count() or 1))
    policy = os.SCHED_FIFO if job.priority else os.SCHED_OTHER
    os.sched_setscheduler(0, policy, os.sched_param(job.priority))
    with memoryview(mmap.mmap(stamp_fd, mmap.PAGESIZE)).cast("q") as stamp:
        begin_ns = time.monotonic_ns()
        if job.how == "store":
            with memoryview(mmap.mmap(target, mmap.PAGESIZE)).cast("I") as registers:
                one_at_a_time(job, lambda turn: registers.__setitem__(job.offset // 4, 1), answered, stamp)
        elif job.at_a_stretch == 1:
            payloads = [payload.encode("latin-1") for payload in job.payloads]
            one_at_a_time(job, lambda turn: os.write(target, payloads[turn % len(payloads)]), answered, stamp)
        else:
            at_a_stretch(job, target, answered)
        return time.monotonic_ns() - begin_ns


def one_at_a_time(job: Job, cause: Callable[[int], object], answered: int, stamp: memoryview) -> None:
    """Stamp, raise, wait for the answer."""
    pause_s = job.pause_ns / 1e9
    for turn in range(job.count):
        time.sleep(pause_s)
        stamp[0] = time.monotonic_ns()
        cause(turn)
        os.read(answered, 8)


def at_a_stretch(job: Job, target: int, answered: int) -> None:
    """As fast as it goes, with a wait for an answer after every so many."""
    write = os.write
    high, low = (payload.encode("latin-1") for payload in job.payloads)
    pairs = (job.at_a_stretch or job.count) // 2
    for _ in range(job.count // (2 * pairs)):
        for _ in range(pairs):
            write(target, high)
            write(target, low)
        if job.at_a_stretch:
            os.read(answered, 8)


ONE = struct.pack("=Q", 1).decode("latin-1")
"""What raises an eventfd by one."""


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        serve(requests)
