"""From MODULE:DRIVER to a class, and the sentence each wrong turn gets."""

from __future__ import annotations

import sys

import pytest

from uio_workloop.cli.driver_names import DriverNameError, find_driver

DRIVER = """
from uio_workloop import Driver, PciId

class Mine(Driver):
    match = PciId("1234:11e8")

    def start(self, device):
        pass

class Other(Mine):
    pass

number = 3
"""


@pytest.fixture(autouse=True)
def _modules_as_before(monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path.copy())
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_driver.py"
    path.write_text(DRIVER)
    return path


def test_a_driver_is_found_in_a_file(file):
    assert find_driver(f"{file}:Mine").__name__ == "Mine"


def test_two_drivers_of_one_file_are_of_one_module(file):
    assert issubclass(find_driver(f"{file}:Other"), find_driver(f"{file}:Mine"))


def test_a_file_imports_its_neighbours(file, tmp_path):
    (tmp_path / "neighbour_of_a_driver.py").write_text("from my_driver import Mine")
    assert find_driver(f"{tmp_path}/neighbour_of_a_driver.py:Mine").__module__ == "my_driver"


def test_a_file_named_as_a_library_does_not_take_its_place(tmp_path):
    (tmp_path / "signal.py").write_text(DRIVER)
    signal = sys.modules["signal"]
    assert find_driver(f"{tmp_path}/signal.py:Mine").__module__ == f"{tmp_path}/signal.py"
    assert sys.modules["signal"] is signal


def test_a_driver_is_found_in_a_module(file, monkeypatch):
    monkeypatch.syspath_prepend(file.parent)
    assert find_driver("my_driver:Mine").__module__ == "my_driver"


@pytest.mark.parametrize("name", ["my_driver", "my_driver:", ":Mine", "", "file.py"])
def test_a_name_without_its_two_halves_is_refused(name):
    with pytest.raises(DriverNameError, match=r"names no driver: write MODULE:DRIVER, or path/to/file\.py:DRIVER"):
        find_driver(name)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("{file}:Nix", r"my_driver\.py has no Nix; its drivers: Mine, Other$"),
        ("{file}:number", "has a number, but that is no subclass of Driver; its drivers: Mine, Other$"),
        ("{file}:PciId", "has a PciId, but that is no subclass of Driver"),
        ("string:Nix", "string has no Nix; it has no drivers at all"),
        ("{file}x.py:Mine", r"my_driver\.pyx\.py does not exist; give the path of a Python file"),
        ("/usr:Mine", "/usr is no file; give the path of a Python file"),
        ("no_such_module:Mine", r"there is no module no_such_module; give a path for a file, such as \./no_such_mod"),
        ("uio_workloop.nix:Mine", "there is no module uio_workloop.nix"),
    ],
)
def test_what_is_not_there_is_named_with_a_way_out(file, name, sentence):
    with pytest.raises(DriverNameError, match=sentence):
        find_driver(name.format(file=file))


def test_what_a_module_needs_and_is_not_installed_is_named(file, capsys):
    file.write_text("import no_such_library")
    with pytest.raises(DriverNameError, match="needs the module no_such_library, which is not installed"):
        find_driver(f"{file}:Mine")


def test_a_module_that_fails_is_shown_with_its_traceback(file, capsys, monkeypatch):
    file.write_text("1 / 0")
    monkeypatch.syspath_prepend(file.parent)
    for name in (f"{file}:Mine", "my_driver:Mine"):
        with pytest.raises(DriverNameError, match="cannot be imported: ZeroDivisionError: division by zero"):
            find_driver(name)
        assert "1 / 0" in capsys.readouterr().err
