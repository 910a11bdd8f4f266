"""docs/errors.md: the sentences that only real devices get."""

from __future__ import annotations

import platform

import pytest
from error_cases import catalogue
from error_cases.case import outcome_of
from error_cases.page import rows

ROWS = {row.title: row for row in rows()}
CASES = [pytest.param(case, id=case.line[:60]) for case in catalogue.FOR_LAB]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the page has the addresses of the lab on x86-64")
@pytest.mark.parametrize("case", CASES)
def test_the_sentence_on_the_page_is_the_one_that_comes(case):
    row = ROWS[case.title]
    assert outcome_of(case) == (case.error, row.sentence_as_said)
    assert row.error == case.error
