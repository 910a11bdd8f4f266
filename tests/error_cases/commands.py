"""The command line: what is wrong is one sentence on standard error, and exit status 2."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from error_cases.case import Case, Outcome

ROOT = Path(__file__).parents[2]
FILES = {
    "driver.py": "from uio_workloop import *\nclass Card(Driver):\n    match = PciId('1234:11e8')\n"
    "    def start(self, device): pass\nclass Half(Driver):\n    match = PciId('1234:11e8')\nnumber = 3\n",
    "broken.py": "1 / 0\n",
    "leaving.py": "raise SystemExit(0)\n",
    "needy.py": "import no_such_module\n",
    "driver.txt": "",
}


@contextmanager
def shell() -> Iterator[dict[str, Any]]:
    """A directory with a few drivers in it."""
    with tempfile.TemporaryDirectory() as directory:
        for name, text in FILES.items():
            (Path(directory) / name).write_text(text)

        def run(line: str, names: dict[str, Any]) -> Outcome:
            command = line.replace("python", sys.executable, 1)
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "400"}
            done = subprocess.run(
                command, shell=True, capture_output=True, text=True, cwd=directory, env=environment, check=False
            )
            *_, last = done.stderr.strip().splitlines() or [""]
            assert not done.stdout, done.stdout
            return Outcome(f"exit status {done.returncode}", last.removeprefix("Error: ").replace(directory, "/tmp"))

        yield {"run": run}


def status_2(*arguments: str) -> list[Case]:
    return [Case(f"python -m uio_workloop {each}", "exit status 2", shell) for each in arguments]


CASES = {
    "The command line": status_2(
        "nix",
        "run",
        "run driver.py",
        "run nix.py:Card",
        "run driver.txt:Card",
        "run ./driver.txt:Card",
        "run nix:Card",
        "run a..b:Card",
        "run driver.py:Nix",
        "run driver.py:number",
        "run driver.py:Half",
        "run driver.py:Card driver.py:Card",
        "run broken.py:Card",
        "run leaving.py:Card",
        "run needy.py:Card",
        "demo nix",
        "demo --seconds 0",
        "demo --seconds nan",
        "demo --seconds soon",
        "demo /dev/uio0 /dev/uio1",
    )
}
