"""What sources count."""

from uio_workloop import InterruptStatistics


def test_coalesced_is_what_shared_a_call():
    assert InterruptStatistics(interrupts=12, delivered=10, action_calls=4, rejected=2, errors=0, lost=0).coalesced == 6
