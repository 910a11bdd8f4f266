"""What systemd wants to hear of a service: that it is ready, how it is, and that it still turns."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from typing import Final

from uio_workloop.clock import MICROSECOND_NS

log = logging.getLogger("uio_workloop")


class ServiceManager:
    """The service manager that started this process; without one, nobody hears.

    Args:
        environment: of the process: NOTIFY_SOCKET says where to speak, WATCHDOG_USEC and WATCHDOG_PID whether and how
            often somebody listens for signs of life.

    Source: sd_notify(3), sd_watchdog_enabled(3).
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address: Final = "\0" + address[1:] if address.startswith("@") else address
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        period_us = environment.get("WATCHDOG_USEC", "") if ours else ""
        self.watchdog_ns: Final = int(period_us) * MICROSECOND_NS if period_us.isdecimal() else 0
        """The service is dead if it gives no sign of life for so long; 0: nobody listens."""

    def notify(self, *assignments: str) -> None:
        """Send assignments, such as `READY=1`, in one datagram. Never blocks; a manager that is not there is logged."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
                speaker.sendto("\n".join(assignments).encode(), socket.MSG_DONTWAIT, self._address)
        except OSError as error:
            log.warning("cannot tell the service manager %s: %s", assignments[0], error)
