"""What of the guest's kernel log fails a run."""

from __future__ import annotations

import pytest

from uio_workloop.testing.lab.kernel_log import BEGIN, KernelLog, parse_record

MARKER = "0123abcd"


def log_of(*lines: str) -> KernelLog:
    log = KernelLog(MARKER)
    log.feed("".join(f"{line}\n" for line in lines).encode())
    return log


def test_a_record_has_level_sequence_time_and_text():
    record = parse_record("12,339,5140900,-;driver is unhappy; very")

    assert record is not None
    assert (record.level, record.sequence, record.at_us) == (4, 339, 5140900)
    assert record.text == "driver is unhappy; very"


def test_bytes_that_are_not_printable_are_read_back():
    record = parse_record(r"6,1,2,-;caf\xc3\xa9 \x5c end")

    assert record is not None
    assert record.text == "café \\ end"


def test_extra_fields_of_the_header_are_skipped():
    record = parse_record("6,1,2,-,caller=T1;text")

    assert record is not None
    assert record.text == "text"


@pytest.mark.parametrize("line", [" SUBSYSTEM=pci", "", "no record"])
def test_continuations_are_no_records(line):
    assert parse_record(line) is None


@pytest.mark.parametrize("priority", [3, 4, 12])
def test_warnings_and_errors_fail_the_run(priority):
    log = log_of(f"6,1,10,-;{BEGIN}", f"{priority},2,20,-;irq 11: nobody cared")

    assert [record.text for record in log.alarming] == ["irq 11: nobody cared"]


@pytest.mark.parametrize("priority", [5, 6, 7, 13])
def test_notices_do_not(priority):
    log = log_of(f"6,1,10,-;{BEGIN}", f"{priority},2,20,-;all is well")

    assert log.alarming == []


def test_before_the_first_process_only_critical_messages_count():
    log = log_of("4,1,1,-;mtrr: odd", "3,2,2,-;bus: odd", "2,3,3,-;CPU on fire", f"6,4,4,-;{BEGIN}")

    assert [record.text for record in log.alarming] == ["CPU on fire"]


def test_a_line_on_the_list_is_harmless_whole_and_not_as_a_part():
    taints = "uio_dummy: loading out-of-tree module taints kernel."
    log = log_of(f"6,1,10,-;{BEGIN}", f"4,2,20,-;{taints}", f"4,3,30,-;{taints} And more.")

    assert [record.sequence for record in log.alarming] == [3]


def test_records_may_be_cut_anywhere():
    log = KernelLog(MARKER)
    for byte in b"6,1,10,-;one\n6,2,20,-;two\n":
        log.feed(bytes([byte]))

    assert [record.text for record in log.records] == ["one", "two"]


def test_a_reader_that_starts_again_repeats_nothing():
    log = log_of("6,1,10,-;one", "6,2,20,-;two", "6,1,10,-;one", "6,2,20,-;two", "6,3,30,-;three")

    assert [record.text for record in log.records] == ["one", "two", "three"]
    assert log.lost == 0


def test_a_gap_in_the_sequence_is_reported_as_lost():
    log = log_of("6,1,10,-;one", "6,5,20,-;five")

    assert log.lost == 3
    assert "3 records" in list(log.lines())[-1]


def test_the_log_ends_with_the_marker_of_this_run():
    log = log_of("6,1,10,-;uio_workloop lab: end another")
    assert not log.ended

    log.feed(f"14,2,20,-;uio_workloop lab: end {MARKER}\n".encode())
    assert log.ended
