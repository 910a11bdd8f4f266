"""docs/errors.md says what the code says, and leaves nothing out.

After a change of a sentence: PYTHONPATH=tests:. python -m error_cases
"""

from __future__ import annotations

import errno
import re

import pytest
from error_cases import catalogue
from error_cases.case import error_class, outcome_of
from error_cases.page import PAGE, class_table, contents, rows
from error_cases.sites import Site, sites

ROWS = rows()
HERE = [pytest.param(heading, case, id=case.line[:60]) for heading, cases in catalogue.HERE.items() for case in cases]

TOO_LITTLE = "has rows; its sentence is put together from what others say, and cannot be told by its own words"
NO_SUCH_KERNEL = "takes a kernel or a device that neither this machine nor the lab has"
ELSEWHERE = "takes more than one line to do; "
KERNELS = "the kernel's own words, for whoever calls it"
NOT_ON_THE_PAGE = {
    "_linux/signals.py _call ENOSYS": "refused before, when an event is attached that would need it",
    "_linux/signals.py _call OSError": KERNELS,
    "_linux/signals.py await_readable OSError": KERNELS,
    "_linux/signals.py open_signalfd OSError": KERNELS,
    "cli/demo.py demo Failure": TOO_LITTLE,
    "cli/demo.py demo Refusal": TOO_LITTLE,
    "cli/driver_names.py find_driver DriverNameError": TOO_LITTLE,
    "cli/known_devices.py _write DeviceError": "about the lab's own device, when the demo has it interrupt",
    "cli/known_devices.py _write DeviceGoneError": "about the lab's own device, when the demo has it interrupt",
    "cli/known_devices.py _write PrivilegeError": "about the lab's own device, when the demo has it interrupt",
    "cli/run.py run Refusal": TOO_LITTLE,
    "devices/access.py refusal DeviceError": TOO_LITTLE,
    "devices/access.py refusal PrivilegeError": TOO_LITTLE,
    "devices/gpio_chip.py line_info UnsupportedError": NO_SUCH_KERNEL,
    "devices/hotplug_monitor.py __init__ DeviceError": NO_SUCH_KERNEL,
    "devices/pci_binding.py _load_driver DeviceError": NO_SUCH_KERNEL,
    "devices/pci_binding.py _refused DeviceError": TOO_LITTLE,
    "devices/pci_config.py _reach DeviceError": TOO_LITTLE,
    "devices/pci_device.py __init__ DeviceGoneError": "takes a card that leaves between two instructions",
    "devices/pci_device.py _look_up_bar DeviceGoneError": "takes a card that leaves between two instructions",
    "devices/pci_device.py _look_up_bar MapError": NO_SUCH_KERNEL,
    "devices/pci_device.py _open_bar MapError": NO_SUCH_KERNEL,
    "devices/uio_device.py _check_known DeviceGoneError": TOO_LITTLE,
    "devices/uio_device.py _map MapError": NO_SUCH_KERNEL,
    "devices/uio_device.py _no_interrupt DeviceGoneError": "takes a device that leaves between two instructions",
    "devices/uio_device.py _open DeviceGoneError": "takes a device that leaves between two instructions",
    "devices/uio_device.py _read_event_count DeviceGoneError": "takes a device that leaves between two instructions",
    "devices/uio_device.py _read_maps DeviceGoneError": "takes a device that leaves between two instructions",
    "devices/uio_device.py _region MapError": NO_SUCH_KERNEL,
    "devices/uio_device.py invalidate DeviceGoneError": TOO_LITTLE,
    "devices/uio_wait.py wait AbortedError": ELSEWHERE + "see tests/lab/test_departure.py",
    "driver/driver_gate.py command_sleep AbortedError": ELSEWHERE + "see tests/driver/test_clients_of_drivers.py",
    "loop/deadlock.py _registered DeadlockError": TOO_LITTLE,
    "loop/gate_lock.py _refuse UsageError": "raised into a filter, where the log tells of it",
    "realtime/realtime_profile.py _granted RealtimeError": TOO_LITTLE,
    "qnx/attachment.py _events TypeError": "goes to the log, as what a handler raises",
    "qnx/mask_count.py unmask EAGAIN": TOO_LITTLE,
    "qnx/refusal.py raise_as_qnx_does OSError": TOO_LITTLE,
    "loop/hold_time.py report HoldTimeError": "more than a sentence: it has the stack of who held the gate",
}
"""Places that make an exception and need no row, each with the reason."""
PYTHONS_OWN = {"TypeError", *errno.errorcode.values(), "EDEADLK"}


def test_the_page_has_a_row_for_every_case_and_no_other():
    expected = {heading: [case.title for case in cases] for heading, cases in catalogue.ALL.items()}
    assert {heading: [row.title for row in ROWS if row.heading == heading] for heading in expected} == expected
    assert {row.heading for row in ROWS} == set(expected)


@pytest.mark.parametrize(("heading", "case"), HERE)
def test_the_sentence_on_the_page_is_the_one_that_comes(heading, case):
    (row,) = [row for row in ROWS if (row.heading, row.title) == (heading, case.title)]
    assert outcome_of(case) == (case.error, row.sentence_as_said)
    assert row.error == case.error


def test_every_sentence_is_one_line_that_says_something():
    assert [row for row in ROWS if len(row.sentence) < 15 or row.sentence.endswith((" ", ":"))] == []


def test_the_page_begins_with_where_its_headings_are():
    introduction = PAGE.read_text().partition("\n## ")[0]
    assert introduction.endswith(f"\n\n{contents(PAGE.read_text())}")


def test_the_table_of_exceptions_is_that_of_the_code():
    assert class_table() in PAGE.read_text()


def test_every_place_that_makes_an_exception_has_a_row():
    missing = [site for site in sites() if str(site) not in NOT_ON_THE_PAGE and not has_a_row(site)]
    assert [f"{site}: {site.pattern}" for site in missing] == []


def test_no_place_is_left_out_that_is_not_there_any_more():
    assert set(NOT_ON_THE_PAGE) <= {str(site) for site in sites()}


def has_a_row(site: Site) -> bool:
    return site.recognisable and any(
        row.error in kinds(site) and re.fullmatch(site.pattern, row.sentence_as_said, re.DOTALL) for row in ROWS
    )


def kinds(site: Site) -> set[str]:
    """What stands in the second column for an exception made there."""
    if error_class(site.error) or site.error in PYTHONS_OWN:
        return {site.error}
    return PYTHONS_OWN if site.error == "OSError" else {"exit status 2"}
