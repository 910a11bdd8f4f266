"""Names of GPIO lines that survive renumbering: one line, or a sentence that says what was looked at."""

from __future__ import annotations

import errno
import re

import pytest

from uio_workloop import BadArgumentError, DeviceError, DeviceNotFoundError, GpioLine, PrivilegeError
from uio_workloop.devices import gpio_names
from uio_workloop.devices.gpio_names import Line, choose, durable_names

HEADER = [Line("gpiochip4", "pinctrl-rp1", n, name) for n, name in enumerate(["ID_SDA", "GPIO1", "GPIO2"])]
POWER = [Line("gpiochip0", "gpio-brcmstb@107d508500", n, name) for n, name in enumerate(["-", "PMIC_INT", "-", ""])]
TWINS = [Line(f"gpiochip{n}", "pcf8574", 0, "BUTTON") for n in (7, 8)]
LINES = POWER + HEADER + TWINS


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("GPIO2", "gpiochip4:2"),
        ("pinctrl-rp1/2", "gpiochip4:2"),
        ("gpio-brcmstb@107d508500/3", "gpiochip0:3"),
        ("PMIC_INT", "gpiochip0:1"),
    ],
)
def test_a_line_is_found_by_its_name_and_by_its_chips_label(name, address):
    assert choose(name, LINES).address == address


@pytest.mark.parametrize("name", ["a/b", "bank/3", "1/2"])
def test_a_line_name_may_look_like_a_label_with_an_offset(name):
    assert choose(name, [*LINES, Line("gpiochip9", "odd", 5, name)]).address == "gpiochip9:5"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("BUTTON", "'gpio:BUTTON' names 2 GPIO lines: gpiochip7:0, gpiochip8:0; write one of these"),
        ("pcf8574/0", "'gpio:pcf8574/0' names 2 GPIO lines: gpiochip7:0, gpiochip8:0; write one of these"),
        ("-", "names 2 GPIO lines: gpiochip0:0 (gpio:gpio-brcmstb@107d508500/0), gpiochip0:2 ("),
    ],
)
def test_a_name_of_several_lines_is_refused_with_all_of_them(name, sentence):
    with pytest.raises(DeviceError, match=re.escape(sentence)) as refused:
        choose(name, LINES)
    assert refused.value.errno == errno.ENOTUNIQ
    assert str(refused.value).endswith("; write one of these")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gpio2", "; near it: gpio:GPIO2"),
        ("PMICINT", "; near it: gpio:PMIC_INT"),
        ("pinctrl-rp2/1", "; near it: gpio:pinctrl-rp1/1"),
        (
            "pinctrl-rp1/9",
            "(gpio-brcmstb@107d508500, 4 lines), gpiochip4 (pinctrl-rp1, 3 lines), gpiochip7 (pcf8574, 1 line)",
        ),
        ("Zürich", "there is no GPIO line 'gpio:Zürich': looked at gpiochip0 (gpio-brcmstb@107d508500, 4 lines)"),
    ],
)
def test_a_name_of_no_line_is_refused_with_what_was_looked_at_and_what_comes_near(name, sentence):
    with pytest.raises(DeviceNotFoundError, match=re.escape(sentence)):
        choose(name, LINES)


def test_a_machine_with_many_chips_does_not_list_them_all():
    lines = [Line(f"gpiochip{n}", f"chip{n}", 0, "") for n in range(30)]
    with pytest.raises(DeviceNotFoundError, match=r"gpiochip7 \(chip7, 1 line\) and 22 more"):
        choose("xyz", lines)


def test_a_machine_without_chips_says_so():
    with pytest.raises(
        DeviceNotFoundError, match="there is no GPIO line 'gpio:x': there is no GPIO chip on this machi"
    ):
        choose("x", [])


def test_every_line_is_listed_with_a_name_that_only_it_has():
    assert durable_names(LINES) == {
        "gpiochip0:0": "gpio:gpio-brcmstb@107d508500/0",  # there are several "-"
        "gpiochip0:1": "gpio:PMIC_INT",
        "gpiochip0:2": "gpio:gpio-brcmstb@107d508500/2",
        "gpiochip0:3": "gpio:gpio-brcmstb@107d508500/3",
        "gpiochip4:0": "gpio:ID_SDA",
        "gpiochip4:1": "gpio:GPIO1",
        "gpiochip4:2": "gpio:GPIO2",
        "gpiochip7:0": "gpiochip7:0",  # its twin is called the same in every way
        "gpiochip8:0": "gpiochip8:0",
    }


@pytest.mark.parametrize("name", ["17", "gpiochip0:x", "gpiochip:0", "gpio:", "gpiochip0:-1", "GPIO17", ""])
def test_what_is_no_name_is_told_how_names_look(name):
    with pytest.raises(
        BadArgumentError, match=r"names no GPIO line: write chip and offset as gpiochip0:17, or .* or gpio:LINE_NAME"
    ):
        GpioLine.find(name)


@pytest.mark.parametrize("name", ["gpiochip12:3", "/dev/gpiochip12:3"])
def test_chip_and_offset_are_taken_at_their_word_without_looking(name, monkeypatch):
    monkeypatch.setattr(gpio_names, "_survey", None)
    assert gpio_names.resolve(name) == ("gpiochip12", 3)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"edge": "up"}, "cannot interrupt on edge 'up'; write one of ('none', 'rising', 'falling', 'both')"),
        ({"bias": "up"}, "has no bias 'up'; write one of ('default', 'pull_up', 'pull_down', 'disable')"),
        ({"direction": "output"}, "has no direction 'output'; write one of ('in', 'out', 'high', 'low')"),
        ({"debounce_us": -1}, "cannot be debounced for -1 us; write 0 to 4294967295"),
        ({"debounce_us": 1 << 32}, "cannot be debounced for 4294967296 us"),
        ({"debounce": "hard", "debounce_us": 1}, "is not debounced by 'hard'; write one of ('kernel', 'software')"),
        ({"debounce": "software"}, "has nothing to debounce for; say how long: debounce_us=5000"),
        ({"direction": "out", "edge": "both"}, "is an output, which has no edges"),
        ({"direction": "high", "debounce_us": 5}, "is an output, which has no edges"),
        ({"keep_edges": -1}, "cannot keep -1 edges; write 0 to 1000000"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_opened(how, sentence):
    with pytest.raises(BadArgumentError, match=re.escape(f"GPIO line gpiochip99:1 {sentence}")):
        GpioLine.find("gpiochip99:1", **how)


def test_a_chip_that_this_user_may_not_open_matters_only_if_no_other_has_the_line(monkeypatch):
    monkeypatch.setattr(gpio_names, "_survey", lambda: (LINES, [PrivilegeError("cannot open /dev/gpiochip9")]))
    assert gpio_names.resolve("gpio:PMIC_INT") == ("gpiochip0", 1)
    with pytest.raises(PrivilegeError, match="on every chip: cannot open /dev/gpiochip9"):
        gpio_names.resolve("gpio:elsewhere")
