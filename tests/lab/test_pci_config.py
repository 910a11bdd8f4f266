"""What a PCI card is beside its interrupt: BARs of every kind, configuration space, Bus Master."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys

import pytest
from lab_devices import EduRegisters as Edu

from uio_workloop import DeviceGoneError, MapError, PciDevice, RegisterError, UioDevice
from uio_workloop._linux import pci
from uio_workloop.testing.lab import guest

COMMAND, BUS_MASTER, INTERRUPT_LINE = 0x04, 1 << 2, 0x3C
MEMORY_AND_PORTS = 0b11


def test_a_card_says_what_it_is(cards):
    assert (cards[0].vendor, cards[0].device, cards[0].class_code) == (0x1234, 0x11E8, 0x00FF00)
    assert PciDevice.list()[cards[0].address] == f"1234:11e8 on uio_pci_generic, {cards[0].node}"


def test_configuration_space_is_read_in_every_width(cards):
    config = cards[0].config
    assert config is cards[0].config
    assert config.size == 0x100
    assert config.read32(0) == 0x11E81234
    assert (config.read16(0), config.read16(2)) == (0x1234, 0x11E8)
    assert [config.read8(offset) for offset in range(4)] == [0x34, 0x12, 0xE8, 0x11]


def test_configuration_space_is_written_in_every_width(cards):
    config = cards[0].config
    line, bar = config.read8(INTERRUPT_LINE), config.read32(0x10)
    config.write8(INTERRUPT_LINE, 0x5A)  # the kernel read it long ago; what it holds now is of no consequence
    assert config.read8(INTERRUPT_LINE) == 0x5A
    config.write16(INTERRUPT_LINE, 0xA5)
    assert config.read8(INTERRUPT_LINE) == 0xA5
    config.write32(INTERRUPT_LINE, line)
    assert config.read8(INTERRUPT_LINE) == line
    assert config.read32(0x10) == bar


@pytest.mark.parametrize(
    ("access", "sentence"),
    [
        (lambda config: config.read32(0x100), "cannot read 32 bits .* at 0x100: the offset is outside its 0x100 bytes"),
        (lambda config: config.read16(0xFF), "cannot read 16 bits .* at 0xff: the offset is not aligned"),
        (lambda config: config.read64(0), "cannot read 64 bits .* at 0x0: it is 8, 16 or 32 bits wide"),
        (lambda config: config.read8(-1), "cannot read 8 bits .* at -0x1: the offset is outside"),
        (lambda config: config.write32(0xFE, 0), "cannot write 32 bits .* at 0xfe: the offset is not aligned"),
        (lambda config: config.write8(0x100, 0), "cannot write 8 bits .* at 0x100: the offset is outside"),
        (lambda config: config.write8(0x3C, 0x100), "cannot write 0x100 .* at 0x3c: it does not fit 8 bits"),
        (lambda config: config.write16(0x3C, -1), "cannot write -0x1 .* at 0x3c: it does not fit 16 bits"),
    ],
)
def test_what_configuration_space_has_not_is_refused(cards, access, sentence, show):
    with pytest.raises(RegisterError, match=sentence) as refused:
        access(cards[0].config)
    show(f"configuration space: {refused.value}")


def test_bus_master_is_set_and_read_back_and_touches_nothing_else(cards):
    card = cards[0]
    before = card.config.read16(COMMAND)
    assert not card.bus_master
    card.bus_master = True
    assert card.bus_master
    assert card.config.read16(COMMAND) == before | BUS_MASTER
    card.bus_master = False
    assert card.config.read16(COMMAND) == before


def test_bus_master_survives_masking(cards, work_loop, seen):
    card = cards[0]
    card.bus_master = True
    for _ in range(3):
        assert card.wait(0) == 0
    assert card.bus_master


def test_the_kernel_clears_bus_master_when_the_last_program_closes_the_card(cards):
    cards[0].bus_master = True
    cards[0].close()
    with PciDevice.find(cards[0].address) as again:
        assert not again.bus_master


def test_a_64_bit_bar_is_reached_by_its_lower_number(insert, show):
    address = insert("virtio-rng-pci")
    with PciDevice.bind(address) as card:
        registers = card.bar(4)
        queues = registers.read16(0x12)  # num_queues; Virtual I/O Device specification 4.1.4.3
        with pytest.raises(MapError) as refused:
            card.bar(5)
    show(f"64-bit BAR 4 of a virtio card: {queues} queue; {refused.value}")
    assert (registers.size, queues) == (0x4000, 1)
    assert "has no BAR 5; there are: " in str(refused.value)
    assert ", 4 (memory, 0x4000 bytes)" in str(refused.value)


def test_bars_smaller_than_a_page_are_found_inside_it(insert, show):
    network, reader = insert("rtl8139"), insert("sdhci-pci")
    offsets = [pci.bars(network)[1].offset, pci.bars(reader)[0].offset]
    assert any(offsets), "the kernel gave each a page of its own, and nothing is shown"
    with PciDevice.bind(network) as card:
        address = card.bar(1).read32(0).to_bytes(4, "little")
        assert card.bar(0).read32(0).to_bytes(4, "little") == address  # the same registers in I/O ports
        with pytest.raises(RegisterError, match=r"cannot read 32 bits .* BAR 0 at 0x100: .* outside its 0x100 bytes"):
            card.bar(0).read32(0x100)
    with PciDevice.bind(reader) as card:
        registers = card.bar(0)
        version = registers.read16(0xFE)  # Host Controller Version; SD Host Controller specification 2.2.31
        assert registers.size == 0x100
        with UioDevice.find(card.node) as device:
            offset = pci.bars(reader)[0].offset
            assert (device.maps[0].offset, device.maps[0].size) == (offset, 0x1000 - offset)
            assert device.map(0).read16(0xFE) == version
    show(f"BARs of 256 bytes at {offsets[0]:#x} and {offsets[1]:#x} in one page: {address.hex(':')}, {version:#06x}")
    assert address[:3] == bytes.fromhex("525400")  # how QEMU's network addresses begin
    assert version & 0xFF in (0x01, 0x02)


def test_a_bar_in_a_page_that_a_kernel_driver_works_in_is_refused_with_the_reason(rtl8139_driver, insert, show):
    network, reader = insert("rtl8139"), insert("sdhci-pci")
    pages = {pci_bar_page(network, 1), pci_bar_page(reader, 0)}
    assert pci.driver(network) == rtl8139_driver
    assert len(pages) == 1, "the kernel gave each a page of its own, and nothing is shown"
    with PciDevice.bind(reader) as card:
        with pytest.raises(MapError) as refused:
            card.bar(0)
        show(f"kept by the kernel: {refused.value}")
        assert str(refused.value) == (
            f"cannot map {reader} BAR 0: the kernel keeps its page for a driver, perhaps that of another card in it; "
            "unbind that, or boot with iomem=relaxed"
        )


def pci_bar_page(address: str, index: int) -> int:
    with open(f"{pci.DEVICES}/{address}/resource") as file:
        return int(file.read().splitlines()[index].split()[0], 16) // mmap.PAGESIZE


def test_a_card_that_is_bound_answers_in_memory_and_in_ports_whatever_it_was_told_before(insert):
    address = insert("rtl8139")
    with open(f"{pci.DEVICES}/{address}/config", "r+b", buffering=0) as config:
        config.seek(COMMAND)
        config.write(b"\0\0")  # neither ports nor memory
    with PciDevice.bind(address) as card:
        assert card.config.read16(COMMAND) & MEMORY_AND_PORTS == MEMORY_AND_PORTS
        assert card.bar(1).read32(0) == card.bar(0).read32(0) != 0xFFFFFFFF


def test_a_card_that_left_says_so_in_configuration_space(insert):
    address = guest.insert("sdhci-pci", "leaving", "9")
    card = PciDevice.bind(address)
    config = card.config
    guest.unplug("leaving")
    with pytest.raises(DeviceGoneError, match=f"cannot read {address} configuration space: the card has left"):
        config.read32(0)
    with pytest.raises(DeviceGoneError, match="has left"):
        card.bar(0)
    card.close()


def test_beyond_the_header_the_kernel_answers_root_alone(cards, show):
    script = "import os, uio_workloop\n"
    script += "from uio_workloop.devices.pci_config import PciConfig\n"
    script += f"fd = os.open('{pci.DEVICES}/{cards[0].address}/config', os.O_RDONLY)\nos.setuid(65534)\n"
    script += "config = PciConfig(os.open(f'/proc/self/fd/{fd}', os.O_RDONLY), 'the card')\n"
    script += "assert config.read16(0) == 0x1234\nconfig.read32(0x40)"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    sentence = outcome.stderr.strip().splitlines()[-1]
    show(f"no permission: {sentence}")
    assert "PrivilegeError: cannot read 32 bits of the card at 0x40: the kernel gives what is beyond the" in sentence


def test_registers_still_are_those_of_the_card(cards):
    assert cards[0].bar(0).read32(Edu.IDENTITY) == 0x010000ED
    assert os.path.exists(cards[0].node)
