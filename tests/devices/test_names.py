"""The grammar of names, and what is said of names that are none or of devices that are not there."""

from __future__ import annotations

import errno
from typing import ClassVar

import pytest

from uio_workloop import (
    BadArgumentError,
    DeviceError,
    DeviceNotFoundError,
    GpioLine,
    PciDevice,
    UioDevice,
    find_device,
)
from uio_workloop.devices import udev
from uio_workloop.devices.names import (
    Entry,
    GpioName,
    GpioOffset,
    IrqNumber,
    OfNode,
    PciAddress,
    PciIdentity,
    UdevProperty,
    UioName,
    UioNode,
    parse,
    resolve,
)

FORMS = {
    "/dev/uio0": UioNode("/dev/uio0"),
    "uio12": UioNode("/dev/uio12"),
    "/dev/uio-by-name/left": UioNode("/dev/uio-by-name/left"),
    "links/left": UioNode("links/left"),
    "uio:pruss_evt0": UioName("pruss_evt0"),
    "uio:a/b:c": UioName("a/b:c"),
    "0000:00:04.0": PciAddress("0000:00:04.0"),
    "pci:0000:0A:1f.7": PciAddress("0000:0a:1f.7"),
    "pci:10000:e1:00.0": PciAddress("10000:e1:00.0"),
    "1234:11e8": PciIdentity("1234", "11e8"),
    "1234:11E8#2": PciIdentity("1234", "11e8", 2),
    "irq:39": IrqNumber(39),
    "of:pruss@4a300000": OfNode("pruss@4a300000"),
    "of:/ocp/pruss@4a300000": OfNode("/ocp/pruss@4a300000"),
    "udev:ID_PATH=pci-0000:00:04.0": UdevProperty("ID_PATH", "pci-0000:00:04.0"),
    "udev:A=b=c": UdevProperty("A", "b=c"),
    "gpiochip0:17": GpioOffset("gpiochip0", 17),
    "/dev/gpiochip4:0": GpioOffset("gpiochip4", 0),
    "gpio:pinctrl-rp1/17": GpioName("pinctrl-rp1/17"),
    "gpio:1f000d0000.gpio/4": GpioName("1f000d0000.gpio/4"),
    "gpio:GPIO17": GpioName("GPIO17"),
    "gpio:P9/left": GpioName("P9/left"),
}


@pytest.mark.parametrize(("name", "value"), FORMS.items())
def test_every_form_of_a_name_is_told_from_the_others(name, value):
    assert parse(name) == value


@pytest.mark.parametrize("value", FORMS.values(), ids=str)
def test_what_was_parsed_is_written_so_that_it_is_parsed_again(value):
    assert parse(str(value)) == value


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "'' names no device: write /dev/uio0, uio:NAME, pci:0000:00:04.0, 1234:11e8"),
        ("foo", "'foo' names no device: write /dev/uio0"),
        ("gpiochip0:x", "'gpiochip0:x' names no device: write"),
        ("gpio:", "'gpio:' names no device: write .* gpiochip0:17, gpio:LABEL/17 or gpio:LINE_NAME"),
        ("irq:x", "'irq:x' names no device: write .*irq:39"),
        ("irq:-1", "names no device"),
        ("udev:ID_PATH", "'udev:ID_PATH' names no device: write .*udev:PROPERTY=VALUE"),
        ("udev:=x", "names no device"),
        ("uio:", "'uio:' names no device"),
        ("pci:edu", "'pci:edu' names no device"),
        ("1234:11e8#0", r"names no device: write .*\(the second such card 1234:11e8#2\)"),
        ("00:04.0", "begins with its domain, so perhaps pci:0000:00:04.0; write"),
        ("pci:00:1F.0", "perhaps pci:0000:00:1f.0; write"),
        ("0:00:04.0", "perhaps pci:0000:00:04.0; write"),
        ("pci:1234:11E8", "perhaps 1234:11e8; write"),
        ("0x1234:0x11e8#2", "perhaps 1234:11e8#2; write"),
        ("0000:00:04.0 ", "perhaps pci:0000:00:04.0; write"),
        ("UIO0", "perhaps /dev/uio0; write"),
        ("gpiochip4", "that is a GPIO chip, and a line of it is perhaps gpiochip4:17; write"),
        ("/dev/gpiochip4", "that is a GPIO chip, and a line of it is perhaps gpiochip4:17; write"),
        ("irq:" + 5000 * "9", "names no device: write"),
        ("1234:11e8#" + 5000 * "9", "names no device: write"),
        ("gpiochip0:" + 5000 * "9", "names no device: write"),
        ("udv:A=b", "perhaps udev:A=b; write"),
        ("GPIO:LED", "perhaps gpio:LED; write"),
    ],
)
def test_what_is_no_name_is_told_how_names_look(name, sentence):
    with pytest.raises(BadArgumentError, match=sentence):
        parse(name)


@pytest.mark.parametrize(
    ("find", "name", "sentence"),
    [
        (
            UioDevice.find,
            "1234:11e8",
            "'1234:11e8' names a PCI device, not a UIO device: PciDevice.find opens it; find_device",
        ),
        (UioDevice.find, "gpiochip0:1", "names a GPIO line, not a UIO device: GpioLine.find opens it"),
        (PciDevice.find, "/dev/uio0", "names a UIO device, not a PCI device: UioDevice.find opens it"),
        (PciDevice.bind, "uio:edu", "names a UIO device, not a PCI device"),
        (PciDevice.find, "edu", "'edu' names no device"),
        (GpioLine.find, "17", "'17' names no GPIO line: write"),
        (GpioLine.find, "uio0", "'uio0' names a UIO device, not a GPIO line: UioDevice.find opens it"),
        (GpioLine.find, "1234:11e8", "names a PCI device, not a GPIO line: PciDevice.find opens it"),
        (GpioLine.find, "irq:39", "names a UIO device by its interrupt, not a GPIO line: find_device opens it$"),
        (find_device, "foo", "'foo' names no device"),
    ],
)
def test_a_class_refuses_names_of_another_kind(find, name, sentence):
    with pytest.raises(BadArgumentError, match=sentence):
        find(name)


CARDS = [
    Entry("/dev/uio0", "pruss_evt0", ("/dev/uio0", "uio:pruss_evt0", "irq:20", "of:pruss@4a300000", "of:pruss")),
    Entry("/dev/uio1", "uio_pci_generic", ("pci:0000:00:04.0", "/dev/uio1", "uio:uio_pci_generic", "irq:11")),
    Entry(
        "/dev/uio2", "uio_pci_generic", ("pci:0000:00:08.0", "/dev/uio2", "uio:uio_pci_generic", "irq:11", "udev:A=b")
    ),
]


def found(name: str) -> Entry:
    return resolve(parse(name), CARDS, "UIO device")


@pytest.mark.parametrize(
    ("name", "index"),
    [("uio:pruss_evt0", 0), ("of:pruss", 0), ("irq:20", 0), ("pci:0000:00:08.0", 2), ("udev:A=b", 2)],
)
def test_a_device_is_found_by_every_name_it_has(name, index):
    assert found(name) is CARDS[index]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("uio:pruss_evt1", "there is no UIO device uio:pruss_evt1; names that would do: uio:pruss_evt0$"),
        ("of:prus", "names that would do: of:pruss$"),
        ("irq:39", "names that would do: irq:(20|11), irq:(20|11)$"),
        ("udev:A=c", "names that would do: udev:A=b$"),
        ("udev:NOTHING_LIKE_IT=9", r"there are: /dev/uio0 \(pruss_evt0\), /dev/uio1 \(uio_pci_generic\), /dev/uio2"),
    ],
)
def test_a_name_that_nothing_has_is_told_what_was_looked_at_and_what_would_do(name, sentence):
    with pytest.raises(DeviceNotFoundError, match=sentence):
        found(name)


def test_a_name_that_several_have_is_told_a_name_for_each():
    with pytest.raises(DeviceError) as refused:
        found("uio:uio_pci_generic")
    assert refused.value.errno == errno.ENOTUNIQ
    assert str(refused.value) == (
        "uio:uio_pci_generic is the name of 2 UIO devices: /dev/uio1 (uio_pci_generic), /dev/uio2 (uio_pci_generic); "
        "choose one by a name of its own: pci:0000:00:04.0, pci:0000:00:08.0"
    )


def test_a_machine_without_any_such_device_is_told_so():
    with pytest.raises(
        DeviceNotFoundError, match="there is no UIO device uio:x; there is no UIO device at all on this"
    ):
        resolve(UioName("x"), [], "UIO device")


def test_a_long_list_is_cut_short():
    many = [Entry(f"/dev/uio{n}", "many", (f"/dev/uio{n}", f"irq:{n}")) for n in range(100, 130)]
    with pytest.raises(DeviceNotFoundError, match=r"irq:1\d\d and 22 more$"):
        resolve(IrqNumber(9999999), many, "UIO device")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("/dev/uio77", "there is no UIO device /dev/uio77; "),
        ("uio77", "there is no UIO device /dev/uio77; "),
        ("uio:no-such", "there is no UIO device uio:no-such; "),
        ("/dev/null", "/dev/null is not a UIO device; there are: "),
        ("gpiochip99:0", "there is no GPIO chip gpiochip99; there are: "),
        ("ffff:00:00.0", "there is no PCI device pci:ffff:00:00.0; "),
        ("dead:beef", "there is no PCI device dead:beef; "),
        ("irq:99999", "there is no UIO device irq:99999; "),
        ("of:no-such", "there is no UIO device of:no-such; "),
        ("udev:NO_SUCH=1", "there is no UIO device udev:NO_SUCH=1; "),
    ],
)
def test_a_device_that_is_not_there_is_named_with_a_way_out(name, sentence):
    with pytest.raises(DeviceNotFoundError, match=sentence):
        find_device(name)


def test_udevs_own_properties_are_missed_where_udevd_does_not_run(monkeypatch):
    note = "udevd does not run here, so there are the kernel's own properties alone; "
    for runs in (False, True):
        monkeypatch.setattr(udev, "udev_runs", lambda runs=runs: runs)
        with pytest.raises(DeviceNotFoundError, match="there is no UIO device udev:ID_PATH=x; ") as refused:
            find_device("udev:ID_PATH=x")
        assert str(refused.value).startswith(note) is not runs
        with pytest.raises(DeviceNotFoundError) as refused:
            find_device("of:no-such")
        assert not str(refused.value).startswith(note)


class Leaving:
    """A device as pyudev has it, which leaves while it is looked at."""

    sys_path = "/sys/devices/none"
    sys_number = "7"
    subsystem = "pci"
    properties: ClassVar[dict[str, str]] = {}

    def __init__(self, sys_name: str, name: str | None = None) -> None:
        self.sys_name = sys_name
        self.attributes = self
        self._name = name

    @property
    def parent(self):
        return Leaving("ffff:00:00.0")

    def asstring(self, key):
        if self._name is None:
            raise KeyError(key)
        return self._name


class Context:
    def __init__(self, *devices: Leaving) -> None:
        self._devices = devices

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def list_devices(self, subsystem):
        return self._devices


@pytest.mark.parametrize("name", [None, "uio_pci_generic"])
def test_a_device_that_leaves_while_the_list_is_made_is_not_on_it(monkeypatch, name):
    monkeypatch.setattr(udev, "udev_context", lambda: Context(Leaving("uio7", name)))
    assert UioDevice.list() == {}
    assert udev.pci_entries() == []


def test_cards_are_counted_in_order_of_address_in_every_domain(monkeypatch):
    addresses = ["ffff:00:00.0", "10000:00:00.0", "0000:0a:00.0", "0000:00:1f.7"]
    monkeypatch.setattr(udev, "udev_context", lambda: Context(*map(Leaving, addresses)))
    for name, answer in {"identity": ("1234", "11e8"), "driver": None}.items():
        monkeypatch.setattr(udev.pci, name, lambda address, answer=answer: answer)
    in_order = ["0000:00:1f.7", "0000:0a:00.0", "ffff:00:00.0", "10000:00:00.0"]
    assert list(PciDevice.list()) == in_order
    third = resolve(parse("1234:11e8#3"), udev.pci_entries(), "PCI device")
    assert third.key == "ffff:00:00.0"


def test_a_card_that_is_not_there_cannot_be_bound():
    with pytest.raises(DeviceNotFoundError, match=r"there is no PCI device pci:ffff:00:00\.0; "):
        PciDevice.bind("ffff:00:00.0")


def test_a_plain_file_is_not_a_uio_device(tmp_path):
    (tmp_path / "uio0").touch()
    with pytest.raises(DeviceNotFoundError, match=r"is not a UIO device|there is no UIO device"):
        UioDevice.find(str(tmp_path / "uio0"))


def test_a_gpio_line_below_zero_and_an_edge_that_is_none_are_refused_before_anything_is_opened():
    with pytest.raises(BadArgumentError, match="there is no GPIO line gpiochip0:-1: lines are numbered from 0"):
        GpioLine("gpiochip0", -1)
    with pytest.raises(BadArgumentError, match="gpiochip0:1 cannot interrupt on edge 'up'; write one of"):
        GpioLine("gpiochip0", 1, edge="up")
