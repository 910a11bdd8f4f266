"""What is true of QNX's interrupt calls, statement by statement, and what this project makes of each.

As iokit_contract.py, for the other way of writing a driver: a test says which numbered statements it shows with
`@pytest.mark.qnx(n, ...)`; what differs on purpose is in the table of docs/qnx.md under "Deliberate differences".
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from iokit_contract import LONGEST_TEXT, Outcome, deliberate_differences, sentence

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "qnx.md"
STATEMENTS = range(1, 90)


@dataclass
class Shown:
    """The outcomes of the tests that ran, by statement and function."""

    outcomes: dict[int, dict[str, Outcome]] = field(default_factory=dict)

    def note(self, number: int, function: str, report: pytest.TestReport) -> None:
        outcome = self.outcomes.setdefault(number, {}).setdefault(function, Outcome())
        outcome.failed += report.failed
        outcome.passed += report.passed and report.when == "call"

    def verdict(self, number: int, differences: dict[int, str], written: dict[int, list[str]]) -> tuple[str, str]:
        """What to say of a statement, and the sentence that goes with it."""
        tests = self.outcomes.get(number, {})
        failed = [function for function, outcome in tests.items() if outcome.failed]
        if failed:
            return "FAILED", sentence(failed[0])
        if number in differences:
            return "difference", differences[number]
        passed = [function for function, outcome in tests.items() if outcome.passed]
        if passed:
            return "pass", sentence(passed[0]) + (f" (and {len(passed) - 1} more tests)" if passed[1:] else "")
        return ("elsewhere", sentence(written[number][0])) if number in written else ("MISSING", "")


SHOWN = pytest.StashKey[Shown]()


def written_tests(folder: Path = TESTS) -> dict[int, list[str]]:
    """The test functions that say they show a statement, read from the sources: also those that are not selected."""
    written: dict[int, list[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(node, ast.FunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.qnx":
                        for argument in mark.args:
                            written.setdefault(ast.literal_eval(argument), []).append(node.name)
    return written


def contract(shown: Shown, differences: dict[int, str], written: dict[int, list[str]]) -> list[str]:
    """Every statement with its verdict, and the counts."""
    verdicts = {number: shown.verdict(number, differences, written) for number in STATEMENTS}
    counts = Counter(kind for kind, _ in verdicts.values())
    summary = ", ".join(f"{counts[kind]} {kind}" for kind in ("pass", "difference", "elsewhere", "MISSING", "FAILED"))
    lines = [f"{number:5} {kind:10}  {text[:LONGEST_TEXT]}".rstrip() for number, (kind, text) in verdicts.items()]
    return [*lines, f"{len(verdicts)} statements: {summary}"]


# The hooks; tests/qnx/conftest.py has them


def configure(config: pytest.Config) -> None:
    config.stash[SHOWN] = Shown()
    config.addinivalue_line("markers", "qnx(n, ...): the test shows these statements of the QNX contract")


def note(item: pytest.Item, report: pytest.TestReport) -> None:
    if isinstance(item, pytest.Function):
        for mark in item.iter_markers("qnx"):
            for number in mark.args:
                item.config.stash[SHOWN].note(number, item.originalname, report)


def summarize(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    shown = config.stash[SHOWN]
    if shown.outcomes:
        terminalreporter.section("the QNX contract")
        for line in contract(shown, deliberate_differences(PAGE), written_tests()):
            terminalreporter.line(line)
