"""What docs/realtime.md shows is what happens."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
from programs import ROOT

from uio_workloop import RealtimeProfile
from uio_workloop._linux import scheduling

PAGE = (ROOT / "docs/realtime.md").read_text()
EXAMPLE = PAGE.partition("```python\n")[2].partition("```")[0]
PRINTED = PAGE.partition("that prints\n\n```\n")[2].partition("```")[0]


@pytest.mark.skipif(not scheduling.has_capability(scheduling.CAP_SYS_NICE), reason="takes CAP_SYS_NICE, as root has it")
def test_the_example_prints_what_the_page_says():
    done = subprocess.run([sys.executable, "-W", "error", "-c", EXAMPLE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (PRINTED, "")


def test_the_setting_that_is_measured_is_the_one_on_the_page():
    from benchmarks import busy_thread

    setting = 'RealtimeProfile("fifo", switch_interval=50e-6)'
    (benchmark,) = busy_thread.BENCHMARKS
    assert setting in EXAMPLE
    assert f"`{setting}`" in benchmark.about
    assert (busy_thread.PROFILE.fifo, busy_thread.PROFILE.switch_interval) == (True, 50e-6)


def test_the_page_names_every_parameter():
    assert [name for name in inspect.signature(RealtimeProfile).parameters if name not in PAGE] == []
