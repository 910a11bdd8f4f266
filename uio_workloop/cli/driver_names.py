"""From MODULE:DRIVER to a driver class."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType

from uio_workloop import Driver, WorkLoopError


class DriverNameError(WorkLoopError, LookupError):
    """There is no such driver; the sentence says how far the name led."""


def find_driver(name: str) -> type[Driver]:
    """The class that `package.module:Driver` or `path/to/file.py:Driver` names.

    Raises:
        DriverNameError: there is none. What a module raises while it is imported is printed first.
    """
    where, colon, attribute = name.rpartition(":")
    if not (where and colon and attribute):
        raise DriverNameError(f"{name!r} names no driver: write MODULE:DRIVER, or path/to/file.py:DRIVER")
    is_file = "/" in where or where.endswith(".py")
    if not is_file and not all(part.isidentifier() for part in where.split(".")):
        raise DriverNameError(
            f"{where!r} is no name of a module: write package.module:DRIVER, or path/to/file.py:DRIVER"
        )
    module = _import_file(Path(where)) if is_file else _import_module(where)
    found = getattr(module, attribute, None)
    if isinstance(found, type) and issubclass(found, Driver):
        return found
    what = f"has no {attribute}" if found is None else f"has a {attribute}, but that is no subclass of Driver"
    raise DriverNameError(f"{where} {what}; {_drivers_in(module)}")


def _drivers_in(module: ModuleType) -> str:
    drivers = [
        name
        for name, each in vars(module).items()
        if isinstance(each, type) and issubclass(each, Driver) and each.__module__ == module.__name__
    ]
    return f"its drivers: {', '.join(drivers)}" if drivers else "it has no drivers at all"


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise DriverNameError(
                f"there is no module {error.name}; give a path for a file, such as ./{name.replace('.', '/')}.py:DRIVER"
            ) from error
        raise _failed(name, error) from error
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise DriverNameError(f"{os.path.abspath(path)} {what}; give the path of a Python file")
    path = Path(os.path.abspath(path))
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path):  # named before, for another of its drivers
        return known
    name = path.stem if known is None else str(path)  # a file that shares its name with a library is not that library
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DriverNameError(f"{path} is no Python file: its name has to end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # as if Python had been given the file
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, (Exception, SystemExit)):
            raise
        raise _failed(str(path), error) from error
    return module


def _failed(where: str, error: BaseException) -> DriverNameError:
    traceback.print_exception(error)
    if isinstance(error, ModuleNotFoundError):
        return DriverNameError(f"{where} needs the module {error.name}, which is not installed; install it")
    return DriverNameError(f"{where} cannot be imported: {type(error).__name__}: {error}")
