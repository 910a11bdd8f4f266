"""What is true of a system's interrupts, statement by statement, and what this project makes of each.

A test says which numbered statements it shows with the contract's mark, as `@pytest.mark.statement(n, ...)`; its name
is the statement. What differs on purpose is in a page's table under "Deliberate differences". At the end of a run the
contract puts the two together. It believes only what ran: a part of the suite gets counts of that part.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from uio_workloop.testing.lab import guest

TESTS = Path(__file__).parent
PAGES = TESTS.parent / "docs"
IN_THE_LAB, NEVER_TOGETHER = ("conformance", "lab", "qnx"), ("lab", "suspend")
LONGEST_TEXT = 160


@dataclass(frozen=True, slots=True)
class WrittenTest:
    """A test function that shows statements, found in the sources."""

    file: str
    """Relative to the folder of tests."""
    function: str
    statements: tuple[int, ...]

    @property
    def room(self) -> str:
        """The folder of tests it is in."""
        return self.file.partition("/")[0]

    def belongs(self, *, in_lab: bool) -> bool:
        """Whether a whole run has it, in the lab or on the host; tests/suspend is always a run of its own."""
        return self.room in IN_THE_LAB if in_lab else self.room not in NEVER_TOGETHER


@dataclass
class Outcome:
    """What became of a test function: of all its parameters together."""

    passed: int = 0
    failed: int = 0


@dataclass
class Run:
    """What has run so far, by file and function."""

    outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict)

    def of(self, test: WrittenTest) -> Outcome:
        return self.outcomes.get((test.file, test.function), Outcome())


def sentence(function: str) -> str:
    return function.removeprefix("test_").replace("_", " ")


@cache
def written_tests(mark: str, folder: Path = TESTS) -> tuple[WrittenTest, ...]:
    """Every test function with such a mark, read from the sources: also those that are not selected."""
    found = []
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(node, ast.FunctionDef):
                numbers = tuple(number for each in node.decorator_list for number in _numbers(each, mark))
                if numbers:
                    found.append(WrittenTest(path.relative_to(folder).as_posix(), node.name, numbers))
    return tuple(found)


def _numbers(decorator: ast.expr, mark: str) -> Iterator[int]:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{mark}":
        yield from (ast.literal_eval(argument) for argument in decorator.args)


def deliberate_differences(page: Path) -> dict[int, str]:
    """What differs, by statement: what it says, and what happens here."""
    if not page.exists():
        return {}
    differences = {}
    for numbers, said, here in _rows(page.read_text().splitlines()):
        for number in re.findall(r"\d+", numbers):
            differences[int(number)] = f"{said}; here: {here}"
    return differences


def _rows(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    in_section = False
    for line in lines:
        if line.startswith("#"):
            in_section = line.lstrip("# ").strip().lower() == "deliberate differences"
        elif in_section and re.match(r"\|\s*\d", line):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if len(cells) != 3:
                raise ValueError(f"a row of the table of deliberate differences has {len(cells)} cells, not 3: {line}")
            yield cells[0], cells[1], cells[2]


class Contract:
    """So many statements, the tests that show them and a page of differences: a plugin of pytest.

    Args:
        system: whose statements they are.
        mark: of the tests that show them.
        statements: their numbers.
        page: with the table of deliberate differences, in docs/.
    """

    def __init__(self, system: str, *, mark: str, statements: range, page: str) -> None:
        self.system = system
        self.mark = mark
        self.statements = statements
        self.page = PAGES / page
        self.run = Run()

    def written_tests(self) -> tuple[WrittenTest, ...]:
        return written_tests(self.mark)

    def deliberate_differences(self) -> dict[int, str]:
        return deliberate_differences(self.page)

    def unshown(self) -> list[int]:
        """The statements without a test or a reason."""
        shown = {number for test in self.written_tests() for number in test.statements}
        return sorted(set(self.statements) - shown - set(self.deliberate_differences()))

    def unknown(self) -> list[int]:
        """What tests and the page call a statement, and is none."""
        shown = {number for test in self.written_tests() for number in test.statements}
        return sorted((shown | set(self.deliberate_differences())) - set(self.statements))

    # Hooks

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line(
            "markers", f"{self.mark}(n, ...): the test shows these statements of the {self.system} contract"
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]):
        report = yield
        if isinstance(item, pytest.Function) and item.get_closest_marker(self.mark):
            key = (item.path.relative_to(TESTS).as_posix(), item.originalname)
            outcome = self.run.outcomes.setdefault(key, Outcome())
            outcome.failed += report.failed
            outcome.passed += report.passed and report.when == "call"
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not any(outcome.passed or outcome.failed for outcome in self.run.outcomes.values()):
            return
        terminalreporter.section(f"the {self.system} contract")
        for line in self.report(self.run, self.written_tests(), self.deliberate_differences(), in_lab=guest.in_lab()):
            terminalreporter.line(line)

    # What there is to say

    def report(self, run: Run, tests: Sequence[WrittenTest], differences: dict[int, str], *, in_lab: bool) -> list[str]:
        """The lines to print: every statement if every test that belongs here ran, else what is broken, and counts."""
        verdicts = {number: _verdict(number, run, tests, differences) for number in self.statements}
        whole = all(run.of(test) != Outcome() for test in tests if test.belongs(in_lab=in_lab))
        kinds = [kind for kind, _ in verdicts.values()]
        counts = f"{kinds.count('pass')} pass, {kinds.count('difference')} deliberate differences"
        if whole:
            lines = [_line(number, *verdict) for number, verdict in verdicts.items()]
            counts += f", {kinds.count('MISSING')} missing, {kinds.count('FAILED')} failed"
            return [*lines, f"{len(kinds)} statements: {counts}, {kinds.count('elsewhere')} shown elsewhere"]
        ran = {number for test in tests if run.of(test) != Outcome() for number in test.statements}
        kinds = [verdicts[number][0] for number in ran]
        lines = [_line(number, *verdict) for number, verdict in verdicts.items() if verdict[0] == "FAILED"]
        return [
            *lines,
            f"a part of the suite ran, and of {len(verdicts)} statements {len(ran)}: {kinds.count('pass')} pass, "
            f"{kinds.count('difference')} deliberate differences, {kinds.count('FAILED')} failed",
        ]


def _verdict(number: int, run: Run, tests: Sequence[WrittenTest], differences: dict[int, str]) -> tuple[str, str]:
    """What to say of a statement, and the sentence that goes with it."""
    showing = [test for test in tests if number in test.statements]
    outcomes = [run.of(test) for test in showing]
    failed = [test for test, outcome in zip(showing, outcomes, strict=True) if outcome.failed]
    if failed:
        return "FAILED", sentence(failed[0].function)
    if number in differences:
        return "difference", differences[number]
    if not showing:
        return "MISSING", ""
    more = f" (and {len(showing) - 1} more tests)" if len(showing) > 1 else ""
    said = sentence(showing[0].function) + more
    if any(outcome.passed for outcome in outcomes):
        return "pass", said
    return "elsewhere", f"in tests/{showing[0].room}: {said}"


def _line(number: int, kind: str, text: str) -> str:
    shortened = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1].rstrip() + "…"
    return f"{number:5} {kind:10}  {shortened}".rstrip()
