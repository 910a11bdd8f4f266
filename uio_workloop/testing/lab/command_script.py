"""What the guest is told: the script that becomes COMMAND, and the settings of this run. Pure text."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from uio_workloop.testing.lab.modules import ModuleTree

PASSED_NAMES = {
    "CI", "COLUMNS", "FORCE_COLOR", "HOME", "LANG", "LANGUAGE", "LINES", "LOGNAME", "NO_COLOR", "PATH",
    "TERM", "TZ", "USER", "VIRTUAL_ENV",
}  # fmt: skip
PASSED_PREFIXES = ("COVERAGE_", "HYPOTHESIS_", "LC_", "PYTEST_", "PYTHON", "UIO_WORKLOOP_")
COVERED = ("/tmp", "/run")  # fresh and empty in the guest


def guest_environment(environment: Mapping[str, str], python: str) -> dict[str, str]:
    """The caller's environment, as far as it means something in the guest; his Python is first on PATH."""
    passed = {
        name: value for name, value in environment.items() if name in PASSED_NAMES or name.startswith(PASSED_PREFIXES)
    }
    path = passed.get("PATH", os.defpath)
    passed["PATH"] = f"{os.path.dirname(python)}:{path}:/usr/local/sbin:/usr/sbin:/sbin"
    passed.setdefault("PYTHONDONTWRITEBYTECODE", "1")  # it would be lost with the guest
    passed["UIO_WORKLOOP_LAB"] = "1"
    return passed


def command_script(arguments: Sequence[str], directory: str, environment: Mapping[str, str]) -> bytes:
    """A shell script that becomes the command, with exactly these arguments, directory and environment."""
    lines = ["unset HOME TERM"]  # the kernel's own ideas
    lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items() if name.isidentifier()]
    lines.append(f"cd {shlex.quote(directory)} || exit 125")
    lines.append("exec " + " ".join(map(shlex.quote, arguments)))
    return os.fsencode("\n".join(lines) + "\n")


def settings_script(marker: str, tree: ModuleTree, kept: Iterable[str]) -> bytes:
    """What the boot scripts have to know about this run, as shell variables and positional parameters."""
    lines = [
        f"marker={marker}",
        f"version={shlex.quote(tree.version)}",
        f"kernel_tree={shlex.quote(str(tree.kernel.resolve()))}",
        f"built_tree={shlex.quote(str(tree.built.resolve()))}",
        " ".join(["set --", *map(shlex.quote, kept)]),
    ]
    return os.fsencode("\n".join(lines) + "\n")


def directories_of_the_caller() -> list[str]:
    """What the command will want to see: where we are, the interpreter, and what Python would import from."""
    package = str(Path(__file__).parents[3])
    environment = os.environ.get("VIRTUAL_ENV", "")
    return [
        os.getcwd(),
        sys.prefix,
        sys.base_prefix,
        os.path.dirname(sys.executable),
        package,
        environment,
        *sys.path,
    ]


def covered_directories(directories: Iterable[str]) -> list[str]:
    """Those that lie where the guest has fresh ones and so must be put back; the outermost of nested ones."""
    kept: list[str] = []
    for path in sorted({os.path.realpath(path) for path in directories if path}, key=len):
        covered = any(path.startswith(f"{top}/") for top in COVERED)
        inside = any(path.startswith(f"{outer}/") for outer in kept)
        if covered and not inside and os.path.isdir(path):
            kept.append(path)
    return kept
