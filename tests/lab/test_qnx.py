"""The QNX calls on real devices: names, masks in the hardware, counters that wrap, processes that are killed."""

from __future__ import annotations

import errno
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import DEADLINE_S
from lab_devices import LINE, Dummy, Toggle, gpio_chip, write
from lab_devices import EduRegisters as Edu
from programs import Program

from uio_workloop import Deadline, GpioLine, Trigger
from uio_workloop._linux import uio
from uio_workloop.clock import SECOND_NS
from uio_workloop.qnx import (
    Intr,
    SigevIntr,
    SigevNone,
    interrupt_attach_event,
    interrupt_detach,
    interrupt_info,
    interrupt_mask,
    interrupt_mask_count,
    interrupt_unmask,
    interrupt_wait,
)
from uio_workloop.testing.lab import guest

DEADLINE_NS = round(DEADLINE_S * SECOND_NS)
INTERRUPT_DISABLE = 1 << 10


@pytest.fixture
def attach() -> Iterator[Callable[..., int]]:
    """Attach with it what is to be detached when the test ends."""
    ids: list[int] = []

    def attach(*arguments: object) -> int:
        ids.append(interrupt_attach_event(*arguments))
        return ids[-1]

    yield attach
    for each in ids:
        interrupt_detach(each)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = Deadline.after(DEADLINE_NS)
    while not condition():
        assert not deadline.expired, what
        os.sched_yield()


def until_it_has_fired(id: int, times: int = 1) -> None:  # noqa: A002 - QNX's word
    until(lambda: interrupt_info(id).fired == times, f"it has not fired {times} times: {interrupt_info(id)}")


def irq(device: str) -> int:
    """The number of an interrupt, by what is in sysfs of its device."""
    return int(Path(device, "irq").read_text())


def dummy_irq() -> int:
    """The number of the first uio_dummy's interrupt."""
    return next(
        int(path.parent.name) for path in Path("/sys/kernel/irq").glob("*/actions") if "uio_dummy.0" in path.read_text()
    )


def descriptors_of(node: str) -> int:
    return sum(link_of(fd) == node for fd in Path("/proc/self/fd").iterdir())


def link_of(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except FileNotFoundError:  # that of the listing itself
        return ""


# Names


@pytest.mark.qnx(13)
def test_all_names_of_a_device_are_one_interrupt_with_one_descriptor_and_one_count(make_dummy, attach, tmp_path):
    dummy = make_dummy(trigger=Trigger.EDGE)
    link = tmp_path / "fpga"
    link.symlink_to(dummy.device.node)
    names: list[Intr] = [dummy.device.node, "uio:uio_dummy.0", dummy_irq(), link, dummy.device]
    before = descriptors_of(dummy.device.node)
    ids = [attach(name, SigevNone()) for name in names]
    assert descriptors_of(dummy.device.node) == before + 1
    dummy.cause()
    until_it_has_fired(ids[0])
    assert [interrupt_mask_count(name) for name in names] == [5] * 5
    assert [interrupt_unmask(*each) for each in zip(reversed(names), ids, strict=True)] == [4, 3, 2, 1, 0]
    assert not dummy.masked


@pytest.mark.qnx(14)
def test_a_name_of_two_devices_is_einval_and_each_has_another_that_works(cards, attach):
    shared: list[Intr] = ["uio:uio_pci_generic", irq(f"/sys/bus/pci/devices/{cards[0].address}")]
    for name in shared:
        with pytest.raises(OSError, match="is the name of 2") as refused:
            interrupt_attach_event(name, SigevNone())
        assert refused.value.errno == errno.EINVAL
    for card in cards:
        by_node, by_address = attach(card.node, SigevNone()), attach(card.address, SigevNone())
        card.bar(0).write32(Edu.RAISE, 1)
        until_it_has_fired(by_node)
        until_it_has_fired(by_address)
        card.bar(0).write32(Edu.ACKNOWLEDGE, 1)


NAMED = {
    "node": lambda: "/dev/uio0",
    "name": lambda: "uio:uio_dummy.0",
    "number": dummy_irq,
    "address": lambda: guest.edu_addresses()[0],
    "line": lambda: f"{guest.gpio_chip().name}:{LINE}",
}


@pytest.mark.parametrize("kind", NAMED)
def test_a_thread_serves_an_interrupt_that_it_knows_by_name_alone(kind, make_dummy, cards, own_affinity):
    registers, dummy, toggle = cards[0].bar(0), make_dummy(), Toggle()
    cause = {
        "address": lambda: registers.write32(Edu.RAISE, 1),
        "line": lambda: toggle(1),
    }.get(kind, dummy.cause)
    quiet = {
        "address": lambda: registers.write32(Edu.ACKNOWLEDGE, registers.read32(Edu.STATUS)),
        "line": lambda: None,
    }.get(kind, dummy.acknowledge)
    intr, done, served = NAMED[kind](), queue.Queue[object](), []

    def serve() -> None:
        id = interrupt_attach_event(intr, SigevIntr())  # noqa: A001 - QNX's word
        done.put("attached")
        while len(served) < 100:
            served.append(interrupt_wait(timeout_ns=DEADLINE_NS) == (id,))
            quiet()
            done.put(interrupt_unmask(intr, id))
        done.put(interrupt_info(id))

    thread = threading.Thread(target=serve)
    thread.start()
    assert done.get(timeout=DEADLINE_S) == "attached"
    for _ in range(100):
        cause()
        assert done.get(timeout=DEADLINE_S) == 0
    info = done.get(timeout=DEADLINE_S)
    thread.join(DEADLINE_S)
    assert served == [True] * 100
    assert (info.fired, info.coalesced) == (100, 0)


# Masks and counters of the hardware


@pytest.mark.qnx(22)
def test_a_driver_that_does_not_mask_by_itself_is_told_to_once_and_to_unmask_by_the_last(
    make_dummy, attach, monkeypatch
):
    dummy = make_dummy(trigger=Trigger.EDGE, automask=False)
    ids = [attach(dummy.device, SigevNone()) for _ in range(2)]
    written = []
    for name in ("mask", "unmask"):
        write_it = getattr(uio, name)
        monkeypatch.setattr(uio, name, lambda fd, name=name, do=write_it: (written.append(name), do(fd)))
    assert not dummy.masked
    dummy.cause()
    until_it_has_fired(ids[0])
    assert (interrupt_mask_count(dummy.device), dummy.masked, written) == (2, True, ["mask"])
    assert (interrupt_unmask(dummy.device, ids[0]), dummy.masked, written) == (1, True, ["mask"])
    assert (interrupt_unmask(dummy.device, ids[1]), dummy.masked, written) == (0, False, ["mask", "unmask"])


@pytest.mark.qnx(23)
def test_of_a_card_one_bit_is_set_when_it_fires_and_cleared_by_the_last_unmask(cards, attach):
    def command() -> int:
        return int.from_bytes(Path(f"/sys/bus/pci/devices/{cards[0].address}/config").read_bytes()[4:6], "little")

    ids = [attach(cards[0], SigevNone()) for _ in range(2)]
    before = command()
    cards[0].bar(0).write32(Edu.RAISE, 1)
    until_it_has_fired(ids[0])
    cards[0].bar(0).write32(Edu.ACKNOWLEDGE, 1)
    assert not before & INTERRUPT_DISABLE
    assert (command(), interrupt_unmask(cards[0], ids[0])) == (before | INTERRUPT_DISABLE, 1)
    assert (command(), interrupt_unmask(cards[0], ids[1])) == (before | INTERRUPT_DISABLE, 0)
    assert command() == before


@pytest.mark.qnx(24)
@pytest.mark.parametrize("first", [2**31 - 1, 2**32 - 1])
def test_a_counter_that_wraps_is_one_interrupt_more(make_dummy, attach, first):
    dummy = make_dummy(first_event=first, trigger=Trigger.EDGE)
    id = attach(dummy.device, SigevNone())  # noqa: A001 - QNX's word
    for times in range(1, 4):
        dummy.cause()
        until_it_has_fired(id, times)
        interrupt_unmask(dummy.device, id)
    assert (interrupt_info(id).fired, interrupt_info(id).coalesced) == (3, 0)


@pytest.mark.qnx(24)
def test_a_counter_that_wraps_while_nobody_reads_it_is_as_many_as_came(make_dummy, attach):
    dummy = make_dummy(first_event=2**31 - 3, trigger=Trigger.EDGE, irqcontrol=False)
    id = attach(dummy.device, SigevNone())  # noqa: A001 - QNX's word
    interrupt_mask(dummy.device, id)
    for _ in range(5):  # one by one: the kernel folds those that come before it has counted the last
        count = dummy.device.event_count
        dummy.cause()
        until(lambda count=count: dummy.device.event_count != count, "the kernel did not take the interrupt")
    interrupt_unmask(dummy.device, id)
    until_it_has_fired(id)
    assert interrupt_info(id).coalesced == 4


# Ends

KILLED = """
import sys
from uio_workloop.qnx import SigevIntr, interrupt_attach_event, interrupt_wait
interrupt_attach_event(sys.argv[1], SigevIntr())
print("attached", flush=True)
interrupt_wait()
print("told", flush=True)
interrupt_wait()
"""


@pytest.mark.qnx(59)
@pytest.mark.parametrize("trigger", Trigger)
def test_a_line_that_a_killed_process_left_masked_fires_for_the_next_that_attaches(make_dummy, attach, trigger):
    dummy = make_dummy(trigger=trigger)
    with Program("-c", KILLED, dummy.device.node) as program:
        assert program.line() == "attached"
        dummy.cause()
        assert program.line() == "told"
    assert dummy.masked  # it was killed, and the kernel has not noticed
    dummy.acknowledge()
    id = attach(dummy.device.node, SigevNone())  # noqa: A001 - QNX's word
    assert not dummy.masked
    dummy.cause()
    until_it_has_fired(id)


def test_what_another_process_has_attached_to_is_ebusy_and_says_whose_it_is(make_dummy):
    dummy = make_dummy()
    with Program("-c", KILLED, "uio:uio_dummy.0") as program:
        assert program.line() == "attached"
        with pytest.raises(OSError, match=Path(sys.executable).name) as refused:
            interrupt_attach_event(dummy.device.node, SigevNone())
        assert refused.value.errno == errno.EBUSY


def check_that_a_departure_ends_the_wait(intr: Intr, leave: Callable[[], object], other: Dummy, attach) -> None:
    """A thread waits for `intr`, whose device leaves; the attachment to another one must go on."""
    beside = attach(other.device, SigevNone())
    outcome: queue.Queue[object] = queue.Queue()

    def attach_and_wait() -> None:
        outcome.put(interrupt_attach_event(intr, SigevIntr()))
        for call in (lambda: interrupt_wait(timeout_ns=DEADLINE_NS), lambda: interrupt_mask(None, id)):
            try:
                outcome.put(call())
            except OSError as error:
                outcome.put(error.errno)
        outcome.put(interrupt_detach(id))

    thread = threading.Thread(target=attach_and_wait)
    thread.start()
    id = outcome.get(timeout=DEADLINE_S)  # noqa: A001 - QNX's word
    leave()
    assert [outcome.get(timeout=DEADLINE_S) for _ in range(3)] == [errno.ENODEV, errno.ENODEV, None]
    thread.join(DEADLINE_S)
    other.cause()
    until_it_has_fired(beside)


@pytest.fixture
def dummy(make_dummy) -> Dummy:
    """The first device of uio_dummy, which may leave."""
    return make_dummy()


@pytest.fixture
def other(dummy) -> Iterator[Dummy]:
    """The second device of the module."""
    opened = Dummy(1)
    yield opened
    opened.close()


@pytest.mark.qnx(71)
def test_a_driver_that_is_unbound_ends_the_wait_for_its_device(dummy, other, attach):
    check_that_a_departure_ends_the_wait("uio:uio_dummy.0", dummy.unbind, other, attach)


@pytest.fixture
def leaving_address(cards) -> Iterator[str]:
    """Of a card that the test unbinds."""
    yield cards[1].address
    guest.bind_to_uio(cards[1].address)


@pytest.mark.qnx(71)
def test_a_card_that_is_unbound_ends_the_wait_for_it(leaving_address, other, attach):
    def unbind() -> None:
        write("/sys/bus/pci/drivers/uio_pci_generic/unbind", leaving_address)

    check_that_a_departure_ends_the_wait(leaving_address, unbind, other, attach)


@pytest.mark.qnx(71)
def test_a_line_that_leaves_with_its_chip_ends_the_wait_for_it(other, attach):
    live = "/sys/kernel/config/gpio-sim/test_leaving/live"
    with gpio_chip("leaving") as chip, GpioLine.find(f"{chip}:0") as line:
        try:
            check_that_a_departure_ends_the_wait(line, lambda: write(live, "0"), other, attach)
        finally:
            write(live, "1")  # for gpio_chip() to end
