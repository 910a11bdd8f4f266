"""PCI cards on uio_pci_generic: level interrupts on a shared INTx line."""

from __future__ import annotations

import os
import threading

import pytest
from helpers import DEADLINE_S, attach
from lab_devices import EduRegisters as Edu

from uio_workloop import InterruptEventSource, MapError, PciDevice, Trigger
from uio_workloop.testing import fence
from uio_workloop.testing.lab import guest

EACH = 1_000


class Driver:
    """Acknowledges its card and keeps the books; `cause` writes this card's own bit."""

    def __init__(self, card: PciDevice, bit: int) -> None:
        self.registers = card.bar(0)
        self.bit = bit
        self.right = self.wrong = self.spurious = self.delivered = 0
        self.acknowledged = threading.Semaphore(0)

    def cause(self) -> None:
        self.registers.write32(Edu.RAISE, self.bit)

    def __call__(self, sender, count) -> None:
        status = self.registers.read32(Edu.STATUS)
        self.registers.write32(Edu.ACKNOWLEDGE, status)
        self.delivered += count
        self.right += status == self.bit
        self.spurious += status == 0
        self.wrong += status not in (0, self.bit)
        self.acknowledged.release()


def irq_of(card: PciDevice) -> str:
    with open(f"/sys/bus/pci/devices/{card.address}/irq") as file:
        return file.read().strip()


@pytest.mark.timeout(180)
def test_two_cards_on_one_line_each_get_their_own_interrupts(cards, work_loop, show):
    assert irq_of(cards[0]) == irq_of(cards[1])
    drivers = [Driver(card, 1 << number) for number, card in enumerate(cards)]
    sources = [attach(work_loop, card, driver) for card, driver in zip(cards, drivers, strict=True)]
    before = [card.event_count for card in cards]

    for turn in range(EACH):
        for driver in drivers if turn % 2 else reversed(drivers):
            driver.cause()
        for driver in drivers:
            assert driver.acknowledged.acquire(timeout=DEADLINE_S), f"a card was not answered in turn {turn}"
    fence(work_loop)

    for card, driver, source, start in zip(cards, drivers, sources, before, strict=True):
        show(
            f"edu {card.address} on shared irq {irq_of(card)}: {EACH:,} raised = {driver.right:,} delivered to it, "
            f"{driver.wrong} of the other's, {driver.spurious} spurious (the kernel said {card.event_count - start:,})"
        )
        assert source.trigger is Trigger.LEVEL
        assert (driver.right, driver.wrong, driver.spurious, driver.delivered) == (EACH, 0, 0, EACH)


def test_an_interrupt_that_is_pending_when_its_source_is_enabled_arrives(cards, work_loop, seen):
    driver = Driver(cards[0], 1)
    source = InterruptEventSource(cards[0], lambda sender, count: (driver(sender, count), seen(sender, count)))
    work_loop.add_event_source(source)
    for turn in range(1, 4):
        driver.cause()
        fence(work_loop)
        assert len(seen.calls) == turn - 1
        source.enable()
        seen.wait_for_calls(turn)
        source.disable()
    assert (driver.right, driver.spurious) == (3, 0)


def test_an_interrupt_accepted_just_before_its_source_is_disabled_is_delivered_afterwards(cards, work_loop, seen):
    registers = cards[0].bar(0)
    source = attach(work_loop, cards[0], seen)
    before = cards[0].event_count
    with work_loop.gate:  # the loop cannot deliver it before
        registers.write32(Edu.RAISE, 1)
        while cards[0].event_count == before:
            os.sched_yield()
        source.disable()
        registers.write32(Edu.ACKNOWLEDGE, registers.read32(Edu.STATUS))
        source.enable()
    fence(work_loop)
    assert seen.total == 1


@pytest.mark.statement(143)
def test_a_masked_card_does_not_interrupt(cards, work_loop, seen):
    driver = Driver(cards[0], 1)
    source = attach(work_loop, cards[0], driver)
    source.disable()
    before = cards[0].event_count
    driver.cause()
    fence(work_loop)
    assert cards[0].event_count == before
    source.enable()
    assert driver.acknowledged.acquire(timeout=DEADLINE_S)


def test_a_card_is_found_by_identity_in_order_of_address(cards):
    for card in cards:
        card.close()
    for name, address in zip(("1234:11e8", "1234:11E8#2"), guest.edu_addresses(), strict=True):
        with PciDevice.find(name) as found:
            assert found.address == address


def test_registers_are_those_of_the_card(cards):
    registers = cards[0].bar(0)
    assert registers.read32(Edu.IDENTITY) == 0x010000ED
    registers.write32(Edu.LIVENESS, 0x12345678)
    assert registers.read32(Edu.LIVENESS) == 0xEDCBA987
    assert cards[0].bar(0) is registers


def test_a_bar_that_does_not_exist_is_refused_with_those_that_do(cards):
    with pytest.raises(MapError, match=f"{cards[0].address} has no BAR 3; there are: 0"):
        cards[0].bar(3)


def test_waiting_without_a_loop_works_on_a_card(cards):
    registers = cards[0].bar(0)
    for _ in range(3):
        registers.write32(Edu.RAISE, 1)
        assert cards[0].wait(10 * 10**9) == 1
        registers.write32(Edu.ACKNOWLEDGE, registers.read32(Edu.STATUS))
    assert cards[0].wait(0) == 0
