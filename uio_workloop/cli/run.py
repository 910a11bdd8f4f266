"""The verb `run`: drivers, until a signal says that it is enough."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from uio_workloop import Driver, DriverHost, TimerEventSource, WorkLoopError
from uio_workloop.cli.driver_names import find_driver
from uio_workloop.cli.service_manager import ServiceManager
from uio_workloop.devices.discovery import list_devices


class Refusal(click.ClickException):
    """There is nothing to run: exit status 2."""

    exit_code = 2


@click.command()
@click.argument("drivers", nargs=-1, required=True, metavar="MODULE:DRIVER...")
@click.option(
    "--list", "only_list", is_flag=True, help="Show which devices they match, and why not others; start none."
)
def run(drivers: Sequence[str], only_list: bool) -> None:
    """Run drivers on the devices they match, until SIGTERM or Ctrl-C.

    MODULE:DRIVER is a class in a module, or in a file: path/to/file.py:DRIVER. Each device goes to the driver that fits
    best; devices may come and go.

    Under systemd (Type=notify) it says when it is ready and what it drives. With WatchdogSec= a timer on the work loop
    gives the signs of life: if the loop is stuck, the service is restarted.

    Exit status: 0 after a signal, 2 if there is nothing to run.
    """
    _log_to_stderr()
    try:
        classes = [find_driver(name) for name in drivers]
        host = DriverHost(classes)
        if only_list:
            show_matches(classes)
        else:
            run_until_signal(host, classes, ServiceManager())
    except WorkLoopError as error:
        raise Refusal(str(error)) from error


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    logging.getLogger("uio_workloop").setLevel(logging.INFO)  # who drives what, and what goes wrong


def run_until_signal(host: DriverHost, classes: Sequence[type[Driver]], manager: ServiceManager) -> None:
    """Run the host, and keep the service manager informed."""
    names = ", ".join(each.__name__ for each in classes)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops what has started, also while others still start
    with suppress(KeyboardInterrupt), host:
        host.on_change = lambda host: manager.notify(status_of(host, names))
        if not host.drivers:
            click.echo(f"{names}: driving nothing yet; waiting. --list says which devices are wanted.", err=True)
        try:
            manager.notify("READY=1", status_of(host, names))
            _feed_watchdog(host, manager)
            host.loop.run_until_signal()
        finally:
            manager.notify("STOPPING=1")


def status_of(host: DriverHost, names: str) -> str:
    """What the service manager shows."""
    driven = ", ".join(f"{type(each).__name__} on {each.description.name}" for each in host.drivers)
    return f"STATUS=Running {driven}" if driven else f"STATUS=Waiting for a device for {names}"


def _feed_watchdog(host: DriverHost, manager: ServiceManager) -> None:
    if not manager.watchdog_ns:
        return

    def feed(timer: TimerEventSource) -> None:
        manager.notify("WATCHDOG=1")
        timer.set_timeout_ns(manager.watchdog_ns // 2)

    timer = TimerEventSource(feed)
    host.loop.add_event_source(timer)
    timer.set_timeout_ns(0)


def show_matches(classes: Sequence[type[Driver]]) -> None:
    """Print for every device that a driver could have which of these match, and why the others do not."""
    devices = list_devices(gpio_lines=any(each.match.concerns_gpio for each in classes))
    if not devices:
        click.echo("There is no UIO device, PCI card or GPIO line here.")
    for device in devices:
        click.echo(device.name)
        for each in classes:
            reason = each.match.refusal(device)
            if reason is not None:
                click.echo(f"  {each.__name__}: no, {reason}")
            elif device.node is None:
                click.echo(f"  {each.__name__}: yes, once a UIO driver such as uio_pci_generic is bound to it")
            else:
                click.echo(f"  {each.__name__}: yes, score {each.match.score(device)}")
