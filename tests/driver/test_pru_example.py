"""The driver for the BeagleBone's PRUs, on memory that does what their interrupt controller does."""

from __future__ import annotations

import logging
import mmap
import os
from dataclasses import dataclass

import pytest
from pretend_world import PretendDevice
from programs import ROOT
from routed_registers import RoutedRegisters

from uio_workloop import ClosedError, DriverHost, Registers, SoftwareInterrupt, Trigger
from uio_workloop.cli.driver_names import find_driver
from uio_workloop.testing import fence

INTC, SIZE = 0x20000, 0x80000
SISR, SICR, EISR, HIEISR, HIDISR, CMR4, HMR0 = 0x20, 0x24, 0x28, 0x34, 0x38, 0x410, 0x800


class Controller(RoutedRegisters):
    """Events, channels and host interrupts; as uio_pruss has it, a host interrupt that came is disabled."""

    def __init__(self, line: SoftwareInterrupt) -> None:
        fd = os.memfd_create("pruss")
        os.ftruncate(fd, SIZE)
        super().__init__(mmap.mmap(fd, SIZE), "pruss", 0, SIZE)
        os.close(fd)
        self._line = line
        self.pending: set[int] = set()
        self.events: set[int] = set()
        self.hosts: set[int] = set()

    def _store(self, offset: int, width: int, value: int) -> None:
        changes = {SISR: self.pending.add, SICR: self.pending.discard, EISR: self.events.add}
        changes |= {HIEISR: self.hosts.add, HIDISR: self.hosts.discard}
        if change := changes.get(offset - INTC):
            change(value)
        else:
            super()._store(offset, width, value)
        for event in self.pending & self.events & {16, 17, 18, 19}:
            channel = self.read8(INTC + CMR4 + event - 16)
            if channel == 2 and (host := self.read8(INTC + HMR0 + channel)) in self.hosts:
                self.hosts.remove(host)
                self._line.cause()


class Pruss(SoftwareInterrupt):
    def __init__(self) -> None:
        super().__init__(Trigger.LEVEL, name="/dev/uio0")
        self.controller = Controller(self)

    def map(self, which: int) -> Registers:
        return self.controller

    def close(self) -> None:
        super().close()
        self.controller.invalidate(lambda: ClosedError("/dev/uio0 is closed"))


@dataclass(frozen=True)
class PretendPruss(PretendDevice):
    def open(self) -> Pruss:
        self.world.opened.append(Pruss())
        return self.world.opened[-1]


@pytest.fixture
def pru_host(world):
    driver = find_driver(f"{ROOT}/examples/beaglebone_pru.py:PruEvents")
    path = "/sys/devices/platform/4a300000.pruss/uio/uio0"
    world.devices[path] = PretendPruss(path, "uio", "/dev/uio0", "/dev/uio0", {}, "pruss_evt0", world=world)
    with DriverHost([driver]) as host:
        yield host


def test_every_event_is_delivered_though_the_kernel_disables_the_interrupt(pru_host, world, caplog):
    pruss = world.opened[-1]
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            pru_host.loop.run_action(pruss.controller.write32, INTC + SISR, 19)
            fence(pru_host.loop)
    (driver,) = pru_host.drivers
    assert driver.intc.enable == 1
    assert [message for message in caplog.messages if "event 19" in message][-1].endswith("in all")
    assert sum("event 19" in message for message in caplog.messages) >= 5
    assert (pruss.controller.pending, pruss.controller.hosts) == (set(), {2})


def test_a_stopped_driver_leaves_the_host_interrupt_disabled(pru_host, world):
    pruss = world.opened[-1]
    hosts = pruss.controller.hosts
    pru_host.close()
    assert hosts == set()
