"""PCI cards on one INTx line, with a filter on each: the filter reads its card and decides."""

from __future__ import annotations

import random
import threading

import pytest
from helpers import DEADLINE_S
from lab_devices import EduRegisters as Edu

from uio_workloop import FilterInterruptEventSource, PciDevice
from uio_workloop.testing import fence

EACH = 500
WANTED, UNWANTED = 1, 2


class FilteringDriver:
    """Wants one bit of its card's status and not the other; the filter acknowledges what it rejects."""

    def __init__(self, card: PciDevice) -> None:
        self.registers = card.bar(0)
        self.accepted = self.rejected = self.delivered = self.wrong = 0
        self.answered = threading.Semaphore(0)
        self.source = FilterInterruptEventSource(card, self.action, self.filter)

    def cause(self, bit: int) -> None:
        self.registers.write32(Edu.RAISE, bit)

    def filter(self, sender) -> bool:
        if self.registers.read32(Edu.STATUS) & WANTED:
            self.accepted += 1
            return True
        self.registers.write32(Edu.ACKNOWLEDGE, UNWANTED)
        self.rejected += 1
        self.answered.release()
        return False

    def action(self, sender, count) -> None:
        status = self.registers.read32(Edu.STATUS)
        self.registers.write32(Edu.ACKNOWLEDGE, status)
        self.wrong += status != WANTED
        self.delivered += count
        self.answered.release()


@pytest.fixture
def drivers(cards, work_loop):
    both = [FilteringDriver(card) for card in cards]
    for driver in both:
        work_loop.add_event_source(driver.source)
        driver.source.enable()
    yield both
    for driver in both:
        driver.source.close()


@pytest.mark.timeout(180)
@pytest.mark.statement(73, 151)
def test_on_a_shared_line_each_filter_decides_for_its_own_card(drivers, work_loop, show):
    choices = random.Random(4)
    wanted = [0, 0]
    for turn in range(EACH):
        for number, driver in enumerate(drivers) if turn % 2 else reversed([*enumerate(drivers)]):
            bit = choices.choice([WANTED, UNWANTED])
            wanted[number] += bit == WANTED
            driver.cause(bit)
        for driver in drivers:
            assert driver.answered.acquire(timeout=DEADLINE_S), f"a card was not answered in turn {turn}"
    fence(work_loop)

    for number, driver in enumerate(drivers):
        name, statistics = driver.source.provider.name, driver.source.statistics
        show(
            f"{name}, filtered on a shared line: {EACH} raised = {driver.delivered} delivered + {driver.rejected} "
            f"rejected, {driver.wrong} wrong"
        )
        assert (driver.accepted, driver.delivered, driver.wrong) == (wanted[number], wanted[number], 0)
        assert driver.rejected == statistics.rejected == EACH - wanted[number]
        assert driver.source.producer_count == wanted[number]


@pytest.mark.statement(73)
def test_a_card_whose_filter_always_refuses_does_not_hold_up_its_neighbour(drivers, work_loop):
    refusing, other = drivers
    for turn in range(1, 101):
        refusing.cause(UNWANTED)
        other.cause(WANTED)
        for driver in drivers:
            assert driver.answered.acquire(timeout=DEADLINE_S), f"a card was not answered in turn {turn}"
    fence(work_loop)

    assert (refusing.delivered, refusing.source.statistics.rejected) == (0, 100)
    assert (other.delivered, other.source.statistics.rejected) == (100, 0)
