"""Write the sentences of today into docs/errors.md; with `here`, keep those that the lab is needed for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from error_cases import catalogue
from error_cases.case import Case, Outcome, outcome_of
from error_cases.page import rewrite, rewrite_classes, rewrite_contents, rows

ROOT = Path(__file__).parents[2]
IN_LAB = [sys.executable, "-m", "uio_workloop.testing.lab", "--", sys.executable, "-m", "error_cases", "lab"]
MARK = "OUTCOME "


def main() -> None:
    if "lab" in sys.argv:
        for case in catalogue.FOR_LAB:
            print(MARK + json.dumps([case.line, outcome_of(case)]), flush=True)
        return
    outcomes = {case: outcome_of(case) for case in catalogue.FOR_HERE}
    outcomes |= known() if "here" in sys.argv else asked_in_lab()
    rewrite(catalogue.ALL, outcomes)
    rewrite_classes()
    rewrite_contents()
    wrong = [f"{case.line}: {found}" for case, found in outcomes.items() if found.error != case.error]
    print("\n".join(wrong) or f"{len(outcomes)} sentences written")


def known() -> dict[Case, Outcome]:
    on_page = {(row.heading, row.title): Outcome(row.error, row.sentence_as_said) for row in rows()}
    return {case: on_page[heading, case.title] for heading, cases in catalogue.IN_LAB.items() for case in cases}


def asked_in_lab() -> dict[Case, Outcome]:
    seen = subprocess.run(IN_LAB, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    told = [json.loads(line.removeprefix(MARK)) for line in seen.splitlines() if line.startswith(MARK)]
    assert [line for line, _ in told] == [case.line for case in catalogue.FOR_LAB]
    return {case: Outcome(*outcome) for case, (_, outcome) in zip(catalogue.FOR_LAB, told, strict=True)}


if __name__ == "__main__":
    main()
