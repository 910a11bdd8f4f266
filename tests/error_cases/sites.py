"""Every place in the package that makes an exception of ours, and what its sentence looks like.

The QNX calls raise Python's own, which are known by their errno.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from error_cases.case import error_class

PACKAGE = Path(__file__).parents[2] / "uio_workloop"
ROOMS = ("devices", "registers", "interrupts", "driver", "cli", "loop", "sources", "realtime")
QNX = (*sorted((PACKAGE / "qnx").glob("*.py")), PACKAGE / "_linux/signals.py")
NAMELESS = 10  # letters: a sentence with fewer of its own says too little to be recognised


class Site(NamedTuple):
    """`pattern` is a regular expression for the sentence: `.*` where the code puts something in."""

    place: str
    error: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.place} {self.error}"

    @property
    def recognisable(self) -> bool:
        return len(re.findall(r"[a-z]", self.pattern)) >= NAMELESS


def sites() -> Iterator[Site]:
    for path in [PACKAGE / "clock.py", *(path for room in ROOMS for path in sorted((PACKAGE / room).glob("*.py")))]:
        for function, name, arguments in _calls(path):
            if _is_ours(name):
                pattern = _pattern(arguments[0], function) if arguments else ".*"
                yield Site(f"{path.relative_to(PACKAGE)} {function.name}", name, pattern)
    for path in QNX:
        for function, name, arguments in _calls(path):
            if name in ("OSError", "TypeError"):
                error = _errno(arguments[0]) if name == "OSError" else name
                yield Site(f"{path.relative_to(PACKAGE)} {function.name}", error, _pattern(arguments[-1], function))


def _calls(path: Path) -> Iterator[tuple[ast.FunctionDef, str, list[ast.expr]]]:
    """Every call of something that has a simple name, with the function it is in."""
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield function, node.func.id, node.args


def _errno(code: ast.expr) -> str:
    """The name of it, if it is always the same."""
    return code.attr if isinstance(code, ast.Attribute) else "OSError"


def _is_ours(name: str) -> bool:
    return error_class(name) is not None or name in ("DriverNameError", "Refusal", "Failure")


def _pattern(message: ast.expr, function: ast.FunctionDef) -> str:
    if isinstance(message, ast.Constant):
        return re.escape(str(message.value))
    if isinstance(message, ast.JoinedStr):
        return "".join(_pattern(part, function) for part in message.values)
    if isinstance(message, ast.FormattedValue) and isinstance(message.value, ast.Name):
        return _of_variable(message.value.id, function)
    if isinstance(message, ast.BinOp) and isinstance(message.op, ast.Add):
        return _pattern(message.left, function) + _pattern(message.right, function)
    return ".*"


def _of_variable(name: str, function: ast.FunctionDef) -> str:
    """What a variable of the function can be, if it is only ever given texts."""
    values = [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]
    ]
    texts = [_pattern(value, function) for value in values if isinstance(value, ast.Constant | ast.JoinedStr)]
    return f"(?:{'|'.join(texts)})" if texts and len(texts) == len(values) else ".*"
