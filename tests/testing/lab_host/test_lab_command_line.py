"""The command's own arguments, and those that are COMMAND's."""

from __future__ import annotations

import pytest

from uio_workloop.testing.lab.__main__ import parse_arguments


def test_what_follows_the_dashes_is_the_command():
    arguments = parse_arguments(["--device", "edu", "--device", "e1000", "--", "cat", "--help", "--", "-q"])

    assert arguments.command == ["cat", "--help", "--", "-q"]
    assert arguments.device == ["edu", "e1000"]
    assert not arguments.quiet


@pytest.mark.parametrize("wrong", [["--timeout", "0", "--", "true"], ["--timeout", "soon", "--", "true"], []])
def test_nonsense_is_refused_with_the_usage(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        parse_arguments(wrong)

    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
