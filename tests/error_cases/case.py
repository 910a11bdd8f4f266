"""One thing that goes wrong: the line that does it, and the exception it gets."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import uio_workloop
from uio_workloop import errors

Setting = Callable[[], AbstractContextManager[dict[str, Any]]]

VARIES = {  # what is different on every run
    r" at 0x[0-9a-f]{8,}>": ">",
    r"/tmp/[A-Za-z0-9_./-]*/": "/tmp/",
    r"; it has [0-9]+(, [0-9]+)*$": "; it has 0, 1",
}
VARIES_IN_LAB = {
    r"/dev/uio[0-9]+": "/dev/uioN",
    r"irq:[0-9]+": "irq:N",
    r"process [0-9]+ \([^)]*\)": "process N (NAME)",
}
ENDS_IN_A_LIST = ("there are", "names that would do", "a name of its own")


def public_names() -> dict[str, Any]:
    return {name: getattr(uio_workloop, name) for name in uio_workloop.__all__}


class Case(NamedTuple):
    """`line` is executed with the names that `setting` gives, and raises `error`.

    did: what the page says instead of the line, where that alone would not tell.
    """

    line: str
    error: str
    setting: Setting
    did: str = ""

    @property
    def title(self) -> str:
        line = self.line.replace("\n", "; ")
        if not self.did:
            return f"`{line}`"
        return self.did if line.startswith("raise ") else f"{self.did}: `{line}`"


class Outcome(NamedTuple):
    error: str
    sentence: str


def outcome_of(case: Case) -> Outcome:
    """Do it, and see what comes; no exception is an outcome, too."""
    with case.setting() as names:
        run = names.pop("run", execute)
        error, sentence = run(case.line, names)
    return Outcome(error, settled(sentence, case))


def execute(line: str, names: dict[str, Any]) -> Outcome:
    """Execute the line here."""
    try:
        exec(line, names)
    except BaseException as error:
        return Outcome(type(error).__name__, str(error))
    return Outcome("nothing", "")


def settled(sentence: str, case: Case) -> str:
    """The sentence without what is different on every run, but for what the line itself has."""
    in_lab = case.setting.__module__.endswith("lab")
    for pattern, word in (VARIES | VARIES_IN_LAB if in_lab else VARIES).items():
        sentence = re.sub(pattern, lambda found, word=word: found[0] if found[0] in case.line else word, sentence)
    return sort_list(sentence) if in_lab else sentence


def sort_list(sentence: str) -> str:
    """A list at the end of a sentence, in order of the alphabet: devices change places when one has left and come."""
    beginning, found, listed = sentence.rpartition(": ")
    items = listed.split(", ")
    if not beginning.endswith(ENDS_IN_A_LIST) or any("(" in item and ")" not in item for item in items):
        return sentence
    return beginning + found + ", ".join(sorted(items))


def error_class(name: str) -> type[errors.WorkLoopError] | None:
    found = getattr(errors, name, None)
    return found if isinstance(found, type) and issubclass(found, errors.WorkLoopError) else None
