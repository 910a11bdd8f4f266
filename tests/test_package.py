"""What importing the package costs, and what it offers."""

from __future__ import annotations

import subprocess
import sys

import uio_workloop


def test_importing_the_package_loads_neither_its_dependencies_nor_its_upper_floors():
    script = "import sys, uio_workloop; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    unwanted = ("pyudev", "periphery", "click", "rich", "uio_workloop.cli", "uio_workloop.testing")
    assert [name for name in loaded if name.startswith(unwanted)] == []


def test_every_public_name_is_there_and_documented():
    for name in uio_workloop.__all__:
        public = getattr(uio_workloop, name)
        assert public.__doc__ or not isinstance(public, type), name  # an alias of a type cannot carry one
