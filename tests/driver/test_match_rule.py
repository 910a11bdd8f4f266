"""What rules accept, and the reasons they give for what they refuse."""

from __future__ import annotations

import pytest

from uio_workloop import BadArgumentError, Compatible, DeviceDescription, GpioName, PciId, UdevProperty, UioName

CARD = DeviceDescription(
    "/sys/devices/pci0000:00/0000:00:04.0",
    "pci",
    "0000:00:04.0",
    "/dev/uio1",
    {"PCI_ID": "1234:11E8", "ID_PATH": "pci-0000:00:04.0"},
    uio_name="uio_pci_generic",
)
PRUSS = DeviceDescription(
    "/sys/devices/platform/pruss/uio/uio0",
    "uio",
    "/dev/uio0",
    "/dev/uio0",
    {f"OF_COMPATIBLE_{n}": name for n, name in enumerate(["ti,pruss-v2", "ti,pruss", *"abcdefgh", "generic-uio"])}
    | {"OF_COMPATIBLE_N": "11"},
    uio_name="pruss_evt0",
)
LINE = DeviceDescription(
    "/sys/devices/platform/gpio/gpiochip0#17",
    "gpio",
    "gpiochip0:17",
    "/dev/gpiochip0",
    {},
    gpio_names=("gpiochip0:17", "pinctrl-rp1/17", "button"),
)


@pytest.mark.parametrize(
    ("rule", "device"),
    [
        (PciId("1234:11e8"), CARD),
        (PciId("1234:11E8"), CARD),
        (UioName("pruss_evt0"), PRUSS),
        (UioName("uio_pci_generic"), CARD),
        (Compatible("ti,pruss"), PRUSS),
        (Compatible("generic-uio"), PRUSS),
        (UdevProperty("ID_PATH", "pci-0000:00:04.0"), CARD),
        (GpioName("button"), LINE),
        (GpioName("pinctrl-rp1/17"), LINE),
        (GpioName("gpiochip0:17"), LINE),
    ],
)
def test_a_device_that_meets_the_condition_has_a_score_and_no_refusal(rule, device):
    assert (rule.score(device), rule.refusal(device)) == (1, None)


@pytest.mark.parametrize(
    ("rule", "device", "reason"),
    [
        (PciId("8086:100e"), CARD, "its PCI identity is 1234:11e8, not 8086:100e"),
        (PciId("1234:11e8"), PRUSS, "it is no PCI card"),
        (UioName("pruss_evt1"), PRUSS, "its UIO name is pruss_evt0, not pruss_evt1"),
        (UioName("pruss_evt1"), LINE, "it is no UIO device"),
        (Compatible("x,y"), CARD, "the device tree calls it compatible with nothing, not x,y"),
        (UdevProperty("ID_PATH", "x"), CARD, "its udev property ID_PATH is pci-0000:00:04.0, not x"),
        (UdevProperty("ID_SERIAL", "x"), CARD, "it has no udev property ID_SERIAL"),
        (GpioName("door"), LINE, "its names are gpiochip0:17, pinctrl-rp1/17, button"),
        (GpioName("door"), CARD, "it is no GPIO line"),
    ],
)
def test_a_device_that_does_not_is_refused_with_the_reason(rule, device, reason):
    assert (rule.score(device), rule.refusal(device)) == (None, reason)


def test_the_device_tree_names_are_in_order_also_from_ten_on():
    assert PRUSS.compatible == ("ti,pruss-v2", "ti,pruss", *"abcdefgh", "generic-uio")


def test_both_conditions_score_higher_than_one():
    rule = PciId("1234:11e8") & UdevProperty("ID_PATH", "pci-0000:00:04.0")
    assert (rule.score(CARD), rule.refusal(CARD)) == (2, None)


def test_of_both_conditions_each_that_fails_is_named():
    rule = UioName("x") & GpioName("button") & PciId("8086:100e")
    assert rule.score(CARD) is None
    assert rule.refusal(CARD) == (
        "its UIO name is uio_pci_generic, not x; it is no GPIO line; its PCI identity is 1234:11e8, not 8086:100e"
    )


def test_of_two_alternatives_the_better_one_counts():
    rule = PciId("1234:11e8") | (PciId("1234:11e8") & UioName("uio_pci_generic")) | GpioName("button")
    assert [rule.score(each) for each in (CARD, PRUSS, LINE)] == [2, None, 1]
    assert rule.refusal(CARD) is None


def test_of_alternatives_that_all_fail_the_same_reason_is_given_once():
    assert (PciId("1234:11e8") | PciId("8086:100e")).refusal(LINE) == "it is no PCI card"


def test_only_rules_about_gpio_have_lines_looked_at():
    assert not (PciId("1234:11e8") | UioName("x")).concerns_gpio
    assert (PciId("1234:11e8") | (UioName("x") & GpioName("y"))).concerns_gpio


@pytest.mark.parametrize("identity", ["edu", "1234", "1234:11e8#2", "0000:00:04.0", "1234:11e8 "])
def test_what_is_no_pci_identity_is_refused_at_once(identity):
    with pytest.raises(BadArgumentError, match="is no PCI identity: write vendor and device as 1234:11e8"):
        PciId(identity)


def test_a_rule_shows_what_it_asks_for():
    assert repr(PciId("1234:11e8") & UioName("x")) == "(PciId(identity='1234:11e8') & UioName(name='x'))"
