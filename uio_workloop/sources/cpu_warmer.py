"""Processors kept awake for an interrupt that is expected."""

from __future__ import annotations

import functools
import logging
import os
from typing import Any, Final

from uio_workloop._linux import scheduling
from uio_workloop.clock import MILLISECOND_NS
from uio_workloop.sources.timer_event_source import TimerEventSource

LEAD_NS: Final = 1 * MILLISECOND_NS
"""How long before the expected time: more than the slowest way out of deep sleep, and than the wake-up for it."""
BOUND_NS: Final = 10 * MILLISECOND_NS
"""How long after it, if nothing comes."""

log = logging.getLogger("uio_workloop")


class CpuWarmer(TimerEventSource):
    """Asks for a wake-up latency of 0 from just before an expected interrupt until it came or `BOUND_NS` have passed.

    It needs to write to /dev/cpu_dma_latency, which belongs to root unless a udev rule says otherwise. The request
    lives as long as the descriptor: whatever becomes of this process, it ends with it.

    Source: Documentation/power/pm_qos_interface.rst.
    """

    def __init__(self, expected_by: str) -> None:
        super().__init__(self._on_time, name=f"warm-up for {expected_by}")
        self._request_fd = -1
        self._cool_at = 0
        self._warm = False

    @property
    def warm(self) -> bool:
        """Whether the processors are being kept awake now."""
        return self._warm

    def expect(self, at_ns: int) -> None:
        """Be warm at that instant; a later call replaces it. Context: gate held."""
        if not self.enabled:  # all sources of the loop may have been disabled
            self.enable()
        self.wake_at_time_ns(at_ns)  # refuses what is no time, before anything is opened
        self.cool()
        try:
            self._request_fd = scheduling.open_cpu_latency()
        except OSError as error:
            self.cancel_timeout()
            _say_once(f"{error.strerror}: {error.filename}")
            return
        self._cool_at = at_ns + BOUND_NS
        self.wake_at_time_ns(max(1, at_ns - LEAD_NS))

    def cool(self) -> None:
        """The interrupt came, or nothing did: let the processors sleep. Context: gate held."""
        if self._request_fd >= 0:
            self.cancel_timeout()

    def _disarm(self) -> None:
        super()._disarm()
        self._let_go()

    def _let_go(self) -> None:
        if self._request_fd >= 0:
            os.close(self._request_fd)
            self._request_fd = -1
            self._warm = False

    def _on_time(self, sender: Any) -> None:
        if self._warm:
            self.cool()
        else:
            scheduling.limit_cpu_latency(self._request_fd, 0)
            self._warm = True
            self.wake_at_time_ns(self._cool_at)

    def free(self) -> None:
        self._let_go()
        super().free()


@functools.cache
def _say_once(reason: str) -> None:
    log.warning("warm_cpu does nothing: %s; give this user write access to it", reason)
