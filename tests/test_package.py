"""What importing the package costs, and what it offers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import uio_workloop


def test_importing_the_package_loads_neither_its_dependencies_nor_its_upper_floors():
    script = "import sys, uio_workloop; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    unwanted = ("pyudev", "periphery", "click", "rich", "uio_workloop.cli", "uio_workloop.testing")
    assert [name for name in loaded if name.startswith(unwanted)] == []


def test_importing_the_package_loads_nothing_but_itself_and_its_names_are_loaded_when_asked_for():
    script = (
        "import sys; before = set(sys.modules); import uio_workloop; print(*set(sys.modules) - before); "
        "uio_workloop.Deadline; print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    at_once, later = (line.split() for line in run.stdout.splitlines())
    assert [name for name in at_once if name != "uio_workloop"] == []
    assert "uio_workloop.clock" in later
    assert "uio_workloop.devices" not in later


def test_what_few_programs_need_is_not_loaded_before_it_is_needed():
    script = f"import sys; sys.path.insert(0, {str(Path(uio_workloop.__file__).parents[1])!r}); "
    script += "from uio_workloop import *; print(*sys.modules)"
    bare = [sys.executable, "-I", "-S", "-c", script]  # without site, which loads what it likes
    loaded = subprocess.run(bare, capture_output=True, text=True, check=True).stdout.split()
    assert {"asyncio", "difflib", "shutil", "socket", "subprocess"} & set(loaded) == set()


def test_type_checkers_and_programs_find_the_same_names_in_the_same_places():
    block = next(node for node in ast.parse(Path(uio_workloop.__file__).read_text()).body if isinstance(node, ast.If))
    imported = {
        alias.name: node.module.removeprefix("uio_workloop.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == uio_workloop._HOME_OF
    assert sorted(imported) == sorted(uio_workloop.__all__)


def test_a_name_that_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'uio_workloop' has no attribute 'WorkLop'"):
        uio_workloop.WorkLop  # noqa: B018 - to ask for it is all there is to it


def test_every_public_name_is_there_and_documented():
    for name in uio_workloop.__all__:
        public = getattr(uio_workloop, name)
        assert public.__doc__ or not isinstance(public, type), name  # an alias of a type cannot carry one
