"""The group and the links, as a real systemd-udevd makes them."""

from __future__ import annotations

import grp
import os
import stat

import pytest
from systemd_world import as_user, run, running_as, write

from uio_workloop.testing.lab import guest
from uio_workloop.testing.lab.architecture import host_architecture

CARD, OTHER = guest.edu_addresses()
DUMMY = "/dev/uio-by-name/uio_dummy.0"

pytestmark = pytest.mark.usefixtures("installed")


def rights(path: str) -> tuple[str, str]:
    info = os.stat(path)
    return grp.getgrgid(info.st_gid).gr_name, stat.filemode(info.st_mode)[1:]


def refusal(script: str, *, user: str = "outsider", log_in: bool = True) -> str:
    """The last line of what a script that fails says."""
    done = as_user(user, script, log_in=log_in)
    assert done.returncode == 1, done
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("node", [DUMMY, "/dev/uio1", str(guest.gpio_chip()), "/dev/cpu_dma_latency"])
def test_the_group_may_open_what_drivers_open(node):
    assert rights(node) == ("uio", "rw-rw----")


def test_the_group_may_reach_configuration_and_bars_of_a_card_on_a_uio_driver():
    assert rights(f"/sys/bus/pci/devices/{CARD}/config") == ("uio", "rw-rw-r--")
    assert rights(f"/sys/bus/pci/devices/{CARD}/resource0") == ("uio", "rw-rw----")
    assert rights("/sys/bus/pci/devices/0000:00:01.1/config") == ("root", "rw-r--r--")


def test_links_lead_to_uio_devices_by_name_and_by_path():
    assert os.path.realpath(DUMMY) == "/dev/" + os.listdir("/sys/devices/platform/uio_dummy.0/uio")[0]
    assert os.path.realpath("/dev/uio-by-path/platform-uio_dummy.0") == os.path.realpath(DUMMY)
    for address in (CARD, OTHER):
        node = "/dev/" + os.listdir(f"/sys/bus/pci/devices/{address}/uio")[0]
        assert os.path.realpath(f"/dev/uio-by-path/pci-{address}") == node
    assert "uio_pci_generic" not in os.listdir("/dev/uio-by-name")  # the name of every card on it


def test_links_and_rights_survive_renumbering():
    before = [os.path.realpath(f"/dev/uio-by-path/pci-{address}") for address in (CARD, OTHER)]
    for address in (CARD, OTHER):
        write("/sys/bus/pci/drivers/uio_pci_generic/unbind", address)
    for address in (OTHER, CARD):
        write("/sys/bus/pci/drivers/uio_pci_generic/bind", address)
    run("udevadm", "settle")
    after = [os.path.realpath(f"/dev/uio-by-path/pci-{address}") for address in (CARD, OTHER)]
    assert after == before[::-1]
    assert [rights(node) for node in after] == [("uio", "rw-rw----")] * 2


def test_what_the_group_may_ends_with_the_uio_driver():
    card = f"/sys/bus/pci/devices/{CARD}"
    write("/sys/bus/pci/drivers/uio_pci_generic/unbind", CARD)
    run("udevadm", "settle")
    left = rights(f"{card}/config"), rights(f"{card}/resource0")
    write("/sys/bus/pci/drivers/uio_pci_generic/bind", CARD)
    run("udevadm", "settle")
    assert left == (("root", "rw-r--r--"), ("root", "rw-------"))
    assert rights(f"{card}/config") == ("uio", "rw-rw-r--")


ONE_INTERRUPT = """
import threading
from uio_workloop import *
came = threading.Event()
counts = []
def action(sender, count):
    {acknowledge}
    counts.append(count)
    came.set()
with {open} as device, WorkLoop() as loop:
    source = InterruptEventSource(device, action)
    loop.add_event_source(source)
    source.enable()
    print("ready", flush=True)
    {cause}
    assert came.wait(30), "no interrupt came"
    print(sum(counts))
"""


def test_a_member_opens_a_device_by_its_link_and_gets_its_interrupt():
    script = ONE_INTERRUPT.format(
        open=f"UioDevice.find({DUMMY!r})", acknowledge="device.map(0).write32(0x28, 0)", cause=""
    )
    with running_as("member", script) as member:
        write("/sys/devices/platform/uio_dummy.0/raise", "1")
        assert member.said() == "1"


def test_a_member_drives_a_card_through_its_bar_and_its_configuration_space():
    find = f"PciDevice.find('udev:ID_PATH=pci-{CARD}')"
    acknowledge = "device.bar(0).write32(0x64, device.bar(0).read32(0x24))"
    cause = "device.bus_master = True; assert device.bus_master; device.bar(0).write32(0x60, 1)"
    with running_as("member", ONE_INTERRUPT.format(open=find, acknowledge=acknowledge, cause=cause)) as member:
        assert member.said() == "1"


def test_a_member_hears_the_edges_of_a_gpio_line():
    guest.set_gpio(9, False)
    script = ONE_INTERRUPT.format(open="GpioLine.find('gpio:lab/9')", acknowledge="", cause="")
    with running_as("member", script) as member:
        guest.set_gpio(9, True)
        assert member.said() == "1"
    guest.set_gpio(9, False)


def test_a_member_may_ask_for_low_latency():
    run(
        "setpriv",
        "--reuid=member",
        "--regid=member",
        "--init-groups",
        "sh",
        "-c",
        "echo >/dev/cpu_dma_latency 00000000",
    )


def test_somebody_outside_is_told_the_group_and_the_rule(show):
    script = f"""
from uio_workloop import *
for find, name in (UioDevice.find, {DUMMY!r}), (PciDevice.find, {CARD!r}), (GpioLine.find, "gpio:lab/9"):
    try:
        find(name)
    except PrivilegeError as error:
        print(error)
"""
    sentences = as_user("outsider", script).stdout.splitlines()
    for sentence in sentences:
        show(f"outside the group: {sentence}")
    assert len(sentences) == 3
    for sentence in sentences:
        assert sentence.startswith("cannot ")
        assert sentence.endswith(
            "it belongs to root:uio, mode crw-rw----; join group uio, to which 70-uio-workloop.rules gives it: "
            "as root, usermod -aG uio outsider; then log in again"
        )


def test_a_member_whose_session_is_older_is_told_to_log_in_again(show):
    sentence = refusal(f"import uio_workloop; uio_workloop.UioDevice.find({DUMMY!r})", user="member", log_in=False)
    show(f"joined, but not logged in since: {sentence}")
    assert sentence.endswith(
        "member has joined group uio, to which 70-uio-workloop.rules gives it, but this session is older: log in again"
    )


def test_before_the_installation_one_is_told_to_install(installed, show):
    show(f"before the installation: {installed.refusal_before}")
    assert installed.refusal_before.endswith("make install-udev: its 70-uio-workloop.rules gives it to group uio")


def test_the_installation_tells_udev_and_systemd(installed):
    ran = [line.removeprefix("running: ") for line in installed.shown.splitlines() if line.startswith("running: ")]
    assert [command.split()[0] for command in ran] == ["systemd-sysusers", "systemctl", "udevadm", "udevadm", "udevadm"]


def test_a_card_that_a_rule_means_for_a_uio_driver_is_given_to_it(rule):
    rule.write_text('SUBSYSTEM=="pci", ATTR{vendor}=="0x1234", ATTR{driver_override}="uio_pci_generic"\n')
    run("udevadm", "control", "--reload")
    guest.unplug("edu1")
    guest.insert("edu", "edu1", host_architecture().edu_slots[1])
    run("udevadm", "settle")
    assert rights(f"/dev/uio-by-path/pci-{OTHER}") == ("uio", "rw-rw----")
