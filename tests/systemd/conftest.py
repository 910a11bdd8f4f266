"""udev/ installed in a guest of the lab under a real systemd and a real systemd-udevd; `make test-lab` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from systemd_world import ROOT, as_user, run, write

from uio_workloop.testing.lab import guest

WATCHDOG_S = 10
RUN_IT = "run them with: make test-lab"
PLACES = {"python": sys.prefix, "uio_workloop": str(ROOT), "drivers": str(ROOT / "tests/systemd/drivers")}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))  # the first waits for the installation


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not (guest.in_lab() and os.path.exists("/etc/systemd/system/lab.target")):
        if os.environ.get("UIO_WORKLOOP_REQUIRE_LAB"):
            pytest.fail(f"the tests of udev/ were asked for outside their guest; {RUN_IT}")
        pytest.skip(f"needs a virtual machine with systemd; {RUN_IT}")


@pytest.fixture
def heading() -> str:
    return "seen under systemd"


@dataclass(frozen=True)
class Installation:
    """What was said before the installation, and by it."""

    refusal_before: str
    shown: str


@pytest.fixture(scope="session")
def installed() -> Installation:
    """The rules, the unit and the group, installed as `make install-udev APPLY=yes` does; users; a place for Python."""
    for user in ("member", "outsider"):
        run("useradd", "--system", user)
    open_ways()
    refusal = as_user("outsider", "import uio_workloop; uio_workloop.UioDevice.find('uio:uio_dummy.0')").stderr
    write("/etc/uio-workloop.conf", "PYTHONPATH=/opt/uio_workloop:/opt/drivers\n")
    install = [sys.executable, "udev/install.py", "install", "--python", "/opt/python/bin/python"]
    shown = run(*install, "--apply")
    os.makedirs("/etc/systemd/system/uio-workloop@.service.d")
    write("/etc/systemd/system/uio-workloop@.service.d/soon.conf", f"[Service]\nWatchdogSec={WATCHDOG_S}\n")
    run("systemctl", "daemon-reload")
    run("usermod", "-aG", "uio", "member")
    return Installation(refusal.strip().splitlines()[-1], shown)


def open_ways() -> None:
    """Put what drivers run from where everybody may enter; where it is on this machine, perhaps only its owner may."""
    for place in (os.path.realpath(sys.executable), sys.base_prefix):
        for directory in Path(place).parents:
            directory.chmod(directory.stat().st_mode | 0o001)
    for name, place in PLACES.items():
        os.makedirs(f"/opt/{name}")
        run("mount", "--bind", place, f"/opt/{name}")


@pytest.fixture
def rule(installed: Installation) -> Iterator[Path]:
    """A file for a rule of the user's; removed afterwards."""
    path = Path("/etc/udev/rules.d/60-mine.rules")
    yield path
    path.unlink(missing_ok=True)
    subprocess.run(["udevadm", "control", "--reload"], check=True)
