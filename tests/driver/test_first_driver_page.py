"""The page a newcomer begins with."""

from __future__ import annotations

from programs import ROOT

EXAMPLE = (ROOT / "examples/edu_driver.py").read_text()


def test_the_driver_on_the_page_is_the_one_in_the_examples():
    page = (ROOT / "docs/first-driver.md").read_text()
    assert page.partition("```python\n")[2].partition("```")[0] == EXAMPLE


def test_it_has_fewer_than_forty_lines():
    assert EXAMPLE.count("\n") < 40
