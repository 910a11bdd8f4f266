"""python -m uio_workloop.testing.lab [OPTIONS] -- COMMAND: run COMMAND in a guest with real interrupts."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from uio_workloop.errors import LabError
from uio_workloop.testing.lab.conversation import CommandTimeoutError
from uio_workloop.testing.lab.run import LAB_FAILED, Options, run

TIMED_OUT = 124  # as timeout(1) has it
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

EPILOG = """\
exit status: COMMAND's own (128+N if signal N killed it); 125 if the lab failed or the guest's kernel log
has a warning, 124 after --timeout, 130 after Ctrl-C.

examples:
  python -m uio_workloop.testing.lab -- python -m pytest tests/lab
  python -m uio_workloop.testing.lab -- sh -c 'cat /proc/interrupts; ls -l /dev/uio*'
  python -m uio_workloop.testing.lab -- sh -c 'modprobe -r uio_dummy && modprobe uio_dummy devices=3'
  python -m uio_workloop.testing.lab --device rtl8139 --device pci-serial -- sh -c 'ls /sys/bus/pci/devices'
  python -m uio_workloop.testing.lab --kernel debian-rt -- uname -a
  python -m uio_workloop.testing.lab --kernel host --no-kvm -- uname -r
"""


class Ended(BaseException):
    """A signal asked us to end; like KeyboardInterrupt, not an Exception, so that nobody swallows it."""

    def __init__(self, number: int) -> None:
        self.number = number


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m uio_workloop.testing.lab",
        description="Boot a small Linux guest with real UIO, PCI and GPIO interrupts, run COMMAND in it, and "
        "exit with its status. The guest sees this machine's files and writes to none of them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--kernel",
        default="debian",
        metavar="debian|debian-rt|host|PATH",
        help="Debian's newest 6.12 (default; downloaded, not installed), the same with PREEMPT_RT, this machine's own, "
        "or a directory of unpacked packages",
    )
    parser.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="QEMU_DEVICE",
        help="one more device, as for QEMU's -device; left unbound; repeatable",
    )
    parser.add_argument("--no-kvm", action="store_true", help="emulate, without looking whether KVM works")
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=900.0,
        metavar="S",
        help="end COMMAND after S seconds (default 900)",
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="where to save the guest's kernel log")
    parser.add_argument(
        "--update", action="store_true", help="look for a newer Debian kernel than the one in the cache"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress lines while preparing")
    parser.add_argument(
        "command", nargs="+", metavar="COMMAND", help="the program to run in the guest, and its arguments"
    )
    return parser.parse_args(arguments)


def positive_seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a time: give a number of seconds above 0")
    return value


def main() -> int:
    """Run the command line; returns the exit status."""
    arguments = parse_arguments()
    options = Options(
        kernel=arguments.kernel,
        devices=arguments.device,
        use_kvm=not arguments.no_kvm,
        timeout_s=arguments.timeout,
        log=arguments.log,
        quiet=arguments.quiet,
        update=arguments.update,
    )
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a shell's background job
            signal.signal(number, end)
    try:
        return run(arguments.command, options)
    except CommandTimeoutError as error:
        print(f"lab: {error}", file=sys.stderr)
        return TIMED_OUT
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return LAB_FAILED
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    except Ended as ended:
        return 128 + ended.number


def end(number: int, frame: FrameType | None) -> None:
    """Begin to end, once: a second signal must not interrupt the cleaning up."""
    for other in ENDING_SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Ended(number)


if __name__ == "__main__":
    sys.exit(main())
