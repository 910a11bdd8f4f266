"""Programs that tests run as a person at a terminal would."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEADLINE_S = 30


class Program:
    """A program whose output is read line by line; ended by Ctrl-C."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.communicate()

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def interrupt(self) -> list[str]:
        """Press Ctrl-C and read the rest."""
        self._process.send_signal(signal.SIGINT)
        return self.rest()

    def rest(self, timeout_s: float = DEADLINE_S) -> list[str]:
        """What it says until it ends, which has to be well."""
        rest, _ = self._process.communicate(timeout=timeout_s)
        assert self._process.returncode == 0
        return rest.splitlines()
