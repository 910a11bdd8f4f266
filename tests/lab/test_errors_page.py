"""docs/errors.md: the sentences that only real devices get."""

from __future__ import annotations

import platform

import pytest
from error_cases import catalogue
from error_cases.case import outcome_of
from error_cases.page import rows

ROWS = {(row.heading, row.title): row for row in rows()}
CASES = [
    pytest.param(heading, case, id=case.line[:60]) for heading, cases in catalogue.IN_LAB.items() for case in cases
]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the page has the addresses of the lab on x86-64")
@pytest.mark.parametrize(("heading", "case"), CASES)
def test_the_sentence_on_the_page_is_the_one_that_comes(heading, case):
    row = ROWS[heading, case.title]
    assert outcome_of(case) == (case.error, row.sentence_as_said)
    assert row.error == case.error
