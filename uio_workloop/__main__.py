"""python -m uio_workloop."""

from __future__ import annotations

import io
import logging
import sys


def run() -> int:
    """Hand over to the command line, if what it is made of is installed."""
    try:
        from uio_workloop.cli.main import main
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"click", "rich"}:
            raise
        print(
            f"uio_workloop: the command line needs {error.name}, which is not installed; "
            "pip install 'uio-workloop[cli]' brings it",
            file=sys.stderr,
        )
        return 2
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "µ" is no reason to stop
    # Of a device that leaves the verbs tell in a sentence of their own; the loop's warning would be a second one.
    logging.getLogger("uio_workloop").setLevel(logging.ERROR)
    main(prog_name="python -m uio_workloop")
    return 0


if __name__ == "__main__":
    sys.exit(run())
