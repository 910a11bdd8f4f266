"""Contenders in C, built when they are asked for."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from benchmarks.harness import NotAtHandError

HERE = Path(__file__).parent


@cache
def built(name: str) -> Path:
    """The program made from `name`.c, in a directory that goes when the interpreter does.

    Raises:
        NotAtHandError: there is no C compiler.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotAtHandError("no C compiler; install gcc and libc6-dev")
    directory = tempfile.mkdtemp(prefix="uio-workloop-benchmark-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    program = Path(directory, name)
    subprocess.run([compiler, "-O2", "-pthread", "-o", program, HERE / f"{name}.c"], check=True)
    return program
