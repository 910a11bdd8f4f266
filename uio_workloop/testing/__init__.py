"""For a driver author's tests, and our own: fixtures, fence, recorder; `lab/` boots a machine with real interrupts."""

from uio_workloop.testing.completed_pass import fence
from uio_workloop.testing.leaks import check_for_leaks
from uio_workloop.testing.recorder import Call, Recorder

__all__ = ["Call", "Recorder", "check_for_leaks", "fence"]
