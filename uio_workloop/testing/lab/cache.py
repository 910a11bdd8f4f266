"""The cache: parts that are made once, shared by concurrent runs, and never seen half made.

A part is built in a directory beside its final name and renamed when it is finished; a lock per part keeps
two runs from building it twice. The locks are flock(2): the kernel drops them however their process dies.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from uio_workloop.errors import LabError

UNUSABLE = re.compile(r"[\s:\"']")
KEPT_PARTS = 8  # module trees and initramfs of earlier sources; a few megabytes each
KEPT_LOGS = 20


def cache_root() -> Path:
    """XDG_CACHE_HOME or ~/.cache, as the XDG base directory specification has it."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    home = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return home / "uio_workloop" / "lab"


class Progress:
    """One line on stderr per long step; silent when asked, and when there is nothing to do."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def step(self, text: str) -> None:
        if not self.quiet:
            print(f"lab: {text}", file=sys.stderr, flush=True)


class Cache:
    """The lab's directory in the user's cache."""

    def __init__(self, root: Path) -> None:
        self.root = root
        if UNUSABLE.search(str(root)):
            raise LabError(
                f"cannot use {str(root)!r} as the lab's cache: the kernel's makefiles take no blanks, colons "
                "or quotes in paths; set XDG_CACHE_HOME to a plainer directory"
            )
        try:
            for name in ("locks", "runs", "logs"):
                (root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LabError(
                f"cannot use {root} as the lab's cache: {error.strerror}; set XDG_CACHE_HOME to a writable directory"
            ) from error

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the cache-wide lock of this name; other runs wait here."""
        with open(self.root / "locks" / name, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def part(self, name: str, build: Callable[[Path], None]) -> Path:
        """The finished part `name` ("kind/key"); calls `build(path)` if there is none yet.

        `build` gets a path that does not exist yet and leaves a directory or a file there; the path's parent
        is its workshop, thrown away afterwards. If it raises, nothing remains.
        """
        final = self.root / name
        if final.exists():
            os.utime(final)  # youth decides who stays when old parts are removed
            return final
        with self.lock(name.replace("/", "-")):  # another run may be building it: then we wait, and find it
            if not final.exists():
                self._build(final, build)
        return final

    def _build(self, final: Path, build: Callable[[Path], None]) -> None:
        final.parent.mkdir(parents=True, exist_ok=True)
        for leftover in final.parent.glob(f".{final.name}.*"):  # we hold the lock: whoever made these is dead
            shutil.rmtree(leftover, ignore_errors=True)
        workshop = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
        try:
            build(workshop / "part")
            os.rename(workshop / "part", final)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)

    def replace_text(self, path: Path, text: str) -> None:
        """Write a small file so that a reader sees the old text or the new one."""
        fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(fd, "w") as file:
            file.write(text)
        os.rename(name, path)

    def prune(self, kind: str, keep: int = KEPT_PARTS) -> None:
        """Remove all but the `keep` youngest parts of a kind."""
        parts = sorted((self.root / kind).glob("[!.]*"), key=_age, reverse=True)
        for old in parts[keep:]:
            if old.is_dir():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.unlink(missing_ok=True)

    @contextmanager
    def run_directory(self) -> Iterator[Path]:
        """A directory for one run, gone afterwards; also removes those of runs that were killed."""
        with self.lock("runs"):
            self._sweep_dead_runs()
            directory = Path(tempfile.mkdtemp(prefix="run-", dir=self.root / "runs"))
            alive = open(directory / "alive", "wb")  # noqa: SIM115  locked until the run is over
            fcntl.flock(alive, fcntl.LOCK_EX)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            alive.close()

    def _sweep_dead_runs(self) -> None:
        for directory in (self.root / "runs").iterdir():
            try:
                with open(directory / "alive", "rb") as alive:
                    fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            except OSError:
                pass  # died between mkdir and the lock file; nobody can be creating it now, we hold "runs"
            shutil.rmtree(directory, ignore_errors=True)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
