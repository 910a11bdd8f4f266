"""The group that all verbs hang on."""

from __future__ import annotations

import click

import uio_workloop
from uio_workloop.cli.demo import demo
from uio_workloop.cli.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(uio_workloop.__version__, prog_name="uio_workloop")
def main() -> None:
    """Userspace drivers for Linux: real interrupts, through one work loop."""


main.add_command(demo)
main.add_command(run)
