"""The books of the contracts themselves: no statement without a test or a reason, reports that believe what ran."""

from __future__ import annotations

import pytest
from contract import Contract, Outcome, Run, WrittenTest, deliberate_differences, sentence, written_tests
from contracts import IOKIT, QNX

TABLE = """\
## Deliberate differences

| n | what IOKit does | what happens here, and why |
|---|---|---|
| 2 | crashes | raises, so that `a \\| b` can be read |
| 3, 4 | nothing | something |

## Afterwards

| 5 | is not | in the table |
"""
FIRST = WrittenTest("conformance/test_a.py", "test_the_first_is_true", (1,))
BOTH = WrittenTest("conformance/test_a.py", "test_two_at_once", (1, 2))
LAB = WrittenTest("lab/test_b.py", "test_only_there", (3,))
HOST = WrittenTest("loop/test_c.py", "test_only_on_the_host", (4,))
ALONE = WrittenTest("suspend/test_d.py", "test_only_alone", (5,))


def ran(*tests: WrittenTest, failed: tuple[WrittenTest, ...] = ()) -> Run:
    passed = {(test.file, test.function): Outcome(passed=1) for test in tests}
    return Run(passed | {(test.file, test.function): Outcome(failed=1) for test in failed})


@pytest.mark.parametrize("contract", [IOKIT, QNX], ids=lambda contract: contract.system)
def test_every_statement_has_a_test_or_is_a_deliberate_difference(contract: Contract):
    assert contract.unshown() == []


@pytest.mark.parametrize("contract", [IOKIT, QNX], ids=lambda contract: contract.system)
def test_there_is_no_test_and_no_difference_of_a_statement_that_does_not_exist(contract: Contract):
    assert contract.unknown() == []


def test_the_name_of_a_test_is_a_sentence():
    assert sentence("test_no_interrupt_is_lost") == "no interrupt is lost"


def test_marks_are_found_in_sources_whether_selected_or_not(tmp_path):
    (tmp_path / "test_some.py").write_text(
        "import pytest\n@pytest.mark.slow\n@pytest.mark.statement(7, 9)\ndef test_x(): ...\ndef test_y(): ...\n"
    )
    assert written_tests("statement", tmp_path) == (WrittenTest("test_some.py", "test_x", (7, 9)),)


def test_differences_are_read_from_the_table_under_their_heading_only(tmp_path):
    page = tmp_path / "iokit.md"
    page.write_text(TABLE)
    assert deliberate_differences(page) == {
        2: "crashes; here: raises, so that `a \\| b` can be read",
        3: "nothing; here: something",
        4: "nothing; here: something",
    }


def test_a_row_of_another_shape_is_refused(tmp_path):
    page = tmp_path / "iokit.md"
    page.write_text("## Deliberate differences\n| 2 | only this |\n")
    with pytest.raises(ValueError, match="has 2 cells, not 3"):
        deliberate_differences(page)


def test_a_whole_run_says_something_of_every_statement():
    lines = IOKIT.report(ran(FIRST, BOTH), [FIRST, BOTH, LAB], {2: "something else"}, in_lab=False)
    assert lines[:4] == [
        "    1 pass        the first is true (and 1 more tests)",
        "    2 difference  something else",
        "    3 elsewhere   in tests/lab: only there",
        "    4 MISSING",
    ]
    assert lines[-1] == "164 statements: 1 pass, 1 deliberate differences, 161 missing, 0 failed, 1 shown elsewhere"


def test_a_difference_whose_test_fails_has_failed():
    lines = IOKIT.report(ran(FIRST, failed=(BOTH,)), [FIRST, BOTH], {2: "something else"}, in_lab=False)
    assert lines[:2] == ["    1 FAILED      two at once", "    2 FAILED      two at once"]
    assert lines[-1] == "164 statements: 0 pass, 0 deliberate differences, 162 missing, 2 failed, 0 shown elsewhere"


def test_a_part_of_the_suite_speaks_of_that_part_only():
    lines = IOKIT.report(ran(FIRST), [FIRST, BOTH, LAB], {}, in_lab=False)
    assert lines == ["a part of the suite ran, and of 164 statements 1: 1 pass, 0 deliberate differences, 0 failed"]


def test_a_whole_run_in_the_lab_is_of_these_tests_and_the_labs():
    lines = IOKIT.report(ran(FIRST, BOTH, LAB), [FIRST, BOTH, LAB, HOST, ALONE], {}, in_lab=True)
    assert lines[:5] == [
        "    1 pass        the first is true (and 1 more tests)",
        "    2 pass        two at once",
        "    3 pass        only there",
        "    4 elsewhere   in tests/loop: only on the host",
        "    5 elsewhere   in tests/suspend: only alone",
    ]
    assert lines[-1] == "164 statements: 3 pass, 0 deliberate differences, 159 missing, 0 failed, 2 shown elsewhere"


def test_in_the_lab_a_run_without_the_labs_tests_is_a_part():
    (line,) = IOKIT.report(ran(FIRST, BOTH), [FIRST, BOTH, LAB], {}, in_lab=True)
    assert line.startswith("a part of the suite ran")
