"""docs/errors.md says what the code says, and leaves nothing out.

After a change of a sentence: PYTHONPATH=tests python -m error_cases
"""

from __future__ import annotations

import re

import pytest
from error_cases import catalogue
from error_cases.case import Case, error_class, outcome_of
from error_cases.page import PAGE, class_table, rows
from error_cases.sites import Site, sites

ROWS = rows()
HERE = [pytest.param(case, id=case.line[:60]) for cases in catalogue.HERE.values() for case in cases]

NOT_ON_THE_PAGE: dict[str, str] = {}
"""Places whose sentence is nobody's to read in a table, each with the reason."""


def row_of(case: Case):
    (found,) = [row for row in ROWS if row.title == case.title]
    return found


def test_the_page_has_a_row_for_every_case_and_no_other():
    expected = {heading: [case.title for case in cases] for heading, cases in catalogue.ALL.items()}
    assert {heading: [row.title for row in ROWS if row.heading == heading] for heading in expected} == expected
    assert {row.heading for row in ROWS} == set(expected)


@pytest.mark.parametrize("case", HERE)
def test_the_sentence_on_the_page_is_the_one_that_comes(case):
    row = row_of(case)
    assert outcome_of(case) == (case.error, row.sentence_as_said)
    assert row.error == case.error


def test_every_sentence_is_one_line_that_says_something():
    assert [row for row in ROWS if len(row.sentence) < 15 or row.sentence.endswith((" ", ":"))] == []


def test_the_table_of_exceptions_is_that_of_the_code():
    assert class_table() in PAGE.read_text()


def test_every_place_that_makes_an_exception_has_a_row():
    missing = [site for site in sites() if site.place not in NOT_ON_THE_PAGE and not has_a_row(site)]
    assert [f"{site.place}: {site.error}: {site.pattern}" for site in missing] == []


def test_no_place_is_left_out_that_is_not_there_any_more():
    assert set(NOT_ON_THE_PAGE) <= {site.place for site in sites()}


def has_a_row(site: Site) -> bool:
    kind = site.error if error_class(site.error) else "exit status 2"
    return site.recognisable and any(
        row.error == kind and re.fullmatch(site.pattern, row.sentence_as_said, re.DOTALL) for row in ROWS
    )
