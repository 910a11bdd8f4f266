"""What a guest prints of its figures is what the host keeps of them."""

from __future__ import annotations

import json

from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.harness import Result


def test_a_line_of_json_is_a_result():
    said = CliRunner().invoke(main, ["latency-eventfd", "--json", "--rounds", "1", "--scale", "0.001"])
    (line,) = said.stdout.splitlines()
    result = Result(**json.loads(line))
    assert result.name == "latency-eventfd"
    assert result.samples("uio_workloop", "p50")[0] > 0
