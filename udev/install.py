"""Installs the udev rules, the unit template and the group, or removes them; without --apply it only shows how.

`make install-udev` and `make uninstall-udev` run this. With a DESTDIR, as packagers have it, nothing but files is
touched.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
DESTINATIONS = {  # below the prefix
    "70-uio-workloop.rules": "lib/udev/rules.d/70-uio-workloop.rules",
    "uio-workloop.sysusers.conf": "lib/sysusers.d/uio-workloop.conf",
    "uio-workloop@.service": "lib/systemd/system/uio-workloop@.service",
}
GROUP = "uio"
UDEV_RUNS = "/run/udev/control"
SYSTEMD_RUNS = "/run/systemd/system"


def main() -> int:
    """Run the command line; returns the exit status."""
    arguments = parse_arguments()
    root = Path(f"{arguments.destdir}{arguments.prefix}")
    installing = arguments.verb == "install"
    texts = {root / below: text_of(name, arguments.python) for name, below in DESTINATIONS.items()}
    wanted = {path: text if installing else None for path, text in texts.items()}
    commands = [] if arguments.destdir else list(commands_after(installing, root))
    show(wanted, commands)
    if installing and not arguments.destdir and (obstacle := unreachable(arguments.python)):
        print(f"\nmind: {obstacle}")
    if not arguments.apply:
        print(f"\nNothing was changed. To do it, as root: make {arguments.verb}-udev APPLY=yes")
        return 0
    try:
        replace_all(wanted)
    except OSError as error:
        way_out = "; run it as root" if isinstance(error, PermissionError) else ""
        print(f"\ncannot {arguments.verb}: {error}; nothing was changed{way_out}", file=sys.stderr)
        return 1
    return run_all(commands)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("install", "uninstall"))
    parser.add_argument("--prefix", default="/usr/local", help="default %(default)s; packagers want /usr")
    parser.add_argument("--destdir", default="", help="stands for / while a package is made")
    parser.add_argument("--python", default=sys.executable, help="what the service runs; it has to have uio_workloop")
    parser.add_argument("--apply", action="store_true", help="do it")
    return parser.parse_args()


def text_of(name: str, python: str) -> str:
    return (HERE / name).read_text().replace("@PYTHON@", python)


def commands_after(installing: bool, root: Path) -> Iterator[list[str]]:
    """What makes a running system see the change. What does not run here reads the files when it is started."""
    if installing:
        group_file = str(root / DESTINATIONS["uio-workloop.sysusers.conf"])
        has_sysusers = shutil.which("systemd-sysusers") is not None
        yield ["systemd-sysusers", group_file] if has_sysusers else ["groupadd", "--system", "--force", GROUP]
    if os.path.isdir(SYSTEMD_RUNS):
        yield ["systemctl", "daemon-reload"]
    if os.path.exists(UDEV_RUNS):
        yield ["udevadm", "control", "--reload"]
        yield ["udevadm", "trigger", "--settle", "--subsystem-match=uio", "--subsystem-match=gpio"]
        yield ["udevadm", "trigger", "--settle", "--subsystem-match=misc", "--sysname-match=cpu_dma_latency"]


def unreachable(python: str) -> str | None:
    """Why the service, which runs as nobody in particular, would not find its Python; None if it will."""
    if Path(python).is_relative_to("/tmp"):
        return f"the service has a /tmp of its own and will not find {python} there; give another: INTERPRETER=..."
    for directory in Path(python).parents:
        try:
            closed = not directory.stat().st_mode & 0o001
        except OSError:
            return f"there is no {directory}, where the service is to find {python}"
        if closed:
            return (
                f"nobody but its owner may enter {directory}, so that the service cannot run {python}; "
                "chmod o+x it, or give the Python of a virtual environment elsewhere: INTERPRETER=..."
            )
    return None


def show(wanted: Mapping[Path, str | None], commands: list[list[str]]) -> None:
    """Print what would change, and the commands that follow."""
    for path, text in wanted.items():
        before = path.read_text() if path.is_file() else None
        if text == before:
            print(f"{path}: {'is not there' if text is None else 'as it should be'}")
            continue
        print(f"{path}: to be {'removed' if text is None else 'made' if before is None else 'changed'}")
        if text is not None:
            lines = (before or "").splitlines(), text.splitlines()
            print(*list(difflib.unified_diff(*lines, lineterm="", n=1))[2:], sep="\n")
    for command in commands:
        print(f"then: {shlex.join(command)}")


def replace_all(wanted: Mapping[Path, str | None]) -> None:
    """Write or remove all of the files, or none.

    Raises:
        OSError: one of them cannot be written or removed; all are as they were.
    """
    undo = {path: path.read_bytes() if path.is_file() else None for path in wanted}
    staged: dict[Path, Path] = {}
    done: list[Path] = []
    try:
        for path, text in wanted.items():
            if text is not None:
                staged[path] = stage(path, text.encode())
        for path, text in wanted.items():
            put(path, staged[path] if text is not None else None)
            staged.pop(path, None)
            done.append(path)
    except BaseException:
        for path in done:
            before = undo[path]
            put(path, None if before is None else stage(path, before))
        raise
    finally:
        for left in staged.values():
            left.unlink(missing_ok=True)


def stage(path: Path, data: bytes) -> Path:
    """The new file beside the old one, under another name, which neither udev nor systemd reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".new", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), 0o644)
    except BaseException:
        os.unlink(name)
        raise
    return Path(name)


def put(path: Path, staged: Path | None) -> None:
    if staged is None:
        path.unlink(missing_ok=True)
    else:
        staged.rename(path)


def run_all(commands: list[list[str]]) -> int:
    for command in commands:
        print(f"running: {shlex.join(command)}", flush=True)
        try:
            status: object = subprocess.run(command, check=False).returncode
        except OSError as error:
            status = error.strerror
        if status:
            print(
                f"the files are in place, but this failed ({status}): {shlex.join(command)}; once its cause is mended, "
                "run make again: what is as it should be stays so",
                file=sys.stderr,
            )
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
