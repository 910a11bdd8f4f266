"""docs/errors.md: its tables, read and written."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from error_cases.case import Case, Outcome
from uio_workloop import errors

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
HEADER = "| what you did | you get | its sentence |\n| --- | --- | --- |\n"


class Row(NamedTuple):
    heading: str
    title: str
    error: str
    sentence: str

    @property
    def sentence_as_said(self) -> str:
        """Without what Markdown wants."""
        return re.sub(r"\\([<>*_`\[\]\\])", r"\1", self.sentence)


def rows(text: str | None = None) -> list[Row]:
    found, heading, in_table = [], "", False
    for line in (PAGE.read_text() if text is None else text).splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        in_table = line.startswith("|") and (in_table or f"{line}\n" == HEADER.splitlines(keepends=True)[0])
        if in_table and line not in HEADER:
            cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
            found.append(Row(heading, cells[0], cells[1].strip("`"), cells[2]))
    return found


def written(case: Case, outcome: Outcome) -> str:
    cells = (case.title, f"`{outcome.error}`", in_markdown(outcome.sentence))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def in_markdown(sentence: str) -> str:
    """With what Markdown would take for its own marked as text."""
    return re.sub(r"([<>*_`\[\]\\])", r"\\\1", sentence)


def rewrite(groups: Mapping[str, list[Case]], outcomes: Mapping[Case, Outcome]) -> None:
    """Write each group's table anew below its heading; the prose stays."""
    text = PAGE.read_text()
    for heading, cases in groups.items():
        table = HEADER + "".join(written(case, outcomes[case]) for case in cases)
        beginning, found, rest = text.partition(f"\n## {heading}\n")
        assert found, f"docs/errors.md has no heading {heading!r}"
        section, following, end = rest.partition("\n## ")
        prose = section.partition(HEADER.splitlines()[0])[0].rstrip("\n")
        prose = f"\n{prose.strip()}\n\n" if prose.strip() else "\n"
        text = beginning + found + prose + table + following + end
    PAGE.write_text(text)


def contents(text: str) -> str:
    """Where each heading is, as a list of links."""
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    return "".join(f"- [{heading}](#{_anchor(heading)})\n" for heading in headings)


def _anchor(heading: str) -> str:
    """What Markdown makes of a heading to link to."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def rewrite_contents() -> None:
    """Write the list of headings anew, at the end of the introduction."""
    introduction, heading, sections = PAGE.read_text().partition("\n## ")
    prose = "".join(line for line in introduction.splitlines(keepends=True) if not line.startswith("- [")).strip("\n")
    PAGE.write_text(f"{prose}\n\n{contents(heading + sections)}{heading}{sections}")


CLASSES = "| class | is also | `io_return` | `errno` | when |\n| --- | --- | --- | --- | --- |\n"


def class_table() -> str:
    """The tree of errors, indented as it grows."""
    return CLASSES + "".join(_class_rows(errors.WorkLoopError, 0))


def _class_rows(error: type[errors.WorkLoopError], depth: int) -> Iterator[str]:
    also = [each.__name__ for each in error.__bases__ if not issubclass(each, errors.WorkLoopError)]
    number = getattr(error, "default_errno", None)
    name = None if number is None else errno.errorcode[number]
    when = (error.__doc__ or "").splitlines()[0]
    code = f"{error.io_return:#x}"
    yield f"| {'&emsp;' * depth}`{error.__name__}` | {also[0] if also else ''} | {code} | {name or ''} | {when} |\n"
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _class_rows(child, depth + 1)


def rewrite_classes() -> None:
    text = PAGE.read_text()
    beginning, _, rest = text.partition(CLASSES)
    _, following, end = rest.partition("\n## ")
    PAGE.write_text(beginning + class_table() + following + end)
