"""What the host must have: one look, one sentence, one line that installs it all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from uio_workloop.errors import LabError
from uio_workloop.testing.lab.architecture import Architecture, host_architecture
from uio_workloop.testing.lab.lifeline import tied_to_this_process

PACKAGE_OF_TOOL = {
    "busybox": "busybox-static",
    "cpio": "cpio",
    "depmod": "kmod",
    "modprobe": "kmod",
    "gcc": "gcc",
    "make": "make",
    "xz": "xz-utils",
    "tar": "tar",
    "ld": "binutils",
    "strip": "binutils",
}
DYNAMIC_LOADER = b"/ld-linux"


def find_tool(name: str) -> str | None:
    """Where the tool is; the sbin directories count too, an ordinary user's PATH does not have them."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    return shutil.which(name, path=path)


def require_tool(name: str) -> str:
    """Where the tool is.

    Raises:
        LabError: it is not installed.
    """
    found = find_tool(name)
    if found is None:
        raise LabError(f"cannot run {name}: it is not installed; {install_line([PACKAGE_OF_TOOL.get(name, name)])}")
    return found


def install_line(packages: Sequence[str]) -> str:
    return "apt-get install --no-install-recommends " + " ".join(sorted(set(packages)))


def missing_packages(architecture: Architecture) -> list[str]:
    """The Debian packages whose programs this host lacks, each once."""
    wanted = {architecture.qemu: architecture.qemu_package, **PACKAGE_OF_TOOL}
    missing = {package for tool, package in wanted.items() if find_tool(tool) is None}
    busybox = find_tool("busybox")
    if busybox is not None and DYNAMIC_LOADER in Path(busybox).read_bytes():
        missing.add("busybox-static")  # the other busybox needs a C library, which an initramfs has not
    return sorted(missing)


def check_host(architecture: Architecture) -> None:
    """See that every program the lab runs is there.

    Raises:
        LabError: names all missing packages and the line that installs them.
    """
    missing = missing_packages(architecture)
    if missing:
        raise LabError(f"the lab needs {', '.join(missing)} on this host: {install_line(missing)}")


def run_tool(
    command: Sequence[str | Path],
    purpose: str,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    input_bytes: bytes = b"",
    check: bool = True,
) -> bytes:
    """Run a host tool to its end and return what it printed. An interrupt ends it and its children.

    Raises:
        LabError: it failed and `check` is true; says for what it was run and shows the end of what it said.
    """
    with subprocess.Popen(
        [require_tool(str(command[0])), *map(str, command[1:])],
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C", **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a group of its own, so that the whole of `make` can be ended
        preexec_fn=tied_to_this_process(),
    ) as process:
        try:
            output, errors = process.communicate(input_bytes)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if check and process.returncode:
        said = (errors or output).decode(errors="replace").strip().splitlines()[-12:]
        status = process.returncode
        raise LabError(f"cannot {purpose}: {command[0]} failed with status {status}:\n  " + "\n  ".join(said))
    return output


if __name__ == "__main__":  # for scripts: the missing packages on one line, nothing if all are there
    print(*missing_packages(host_architecture()))
