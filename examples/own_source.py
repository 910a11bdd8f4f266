"""An event source of one's own: the lines another program writes.

python examples/own_source.py PROGRAM [ARGUMENT...]    ends with the program, or by Ctrl-C
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable

from uio_workloop import DeviceGoneError, EventSource, WorkLoop


class LineSource(EventSource):
    """Lines written to a pipe; the action is called as action(sender, line)."""

    def __init__(self, read_fd: int, action: Callable[["LineSource", bytes], object]) -> None:
        super().__init__(action)
        self._fd = read_fd  # ours from now on
        self._rest = b""  # of a line that has not ended yet
        self._lines: deque[bytes] = deque()  # filled and emptied in two phases: both are atomic
        os.set_blocking(read_fd, False)

    def fileno(self) -> int:
        return self._fd

    def on_ready(self) -> bool:  # gate open
        data = os.read(self._fd, 4096)
        if not data:
            self._lines.extend(line for line in [self._rest] if line)
            raise DeviceGoneError("the writer has left")  # terminates the source, once it has delivered
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines.extend(lines)
        return bool(self._lines)

    def check_for_work(self) -> bool:  # gate held
        while self.enabled and self.action and self._lines:
            self.action(self, self._lines.popleft())
        return False  # true: once more, in the next pass

    def free(self) -> None:
        os.close(self._fd)


if len(sys.argv) < 2:
    sys.exit(__doc__)

read_fd, write_fd = os.pipe()
with subprocess.Popen(sys.argv[1:], stdout=write_fd) as program, WorkLoop() as loop:
    os.close(write_fd)  # the program's end alone is left, so the pipe ends with it
    source = LineSource(read_fd, lambda sender, line: print(f"it says: {line.decode()}", flush=True))
    source.on_terminated = lambda sender: loop.close()
    loop.add_event_source(source)
    loop.run_until_signal()
    program.terminate()
print("it has ended")
