"""QMP on behalf of the guest: a request from COMMAND goes to QEMU's monitor, the answer goes back.

A request may name an event to wait for ("await"): device_del answers long before the card has left.
Source: QEMU's QMP specification; commands and events are JSON lines after one greeting.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

REQUEST_TIMEOUT_S = 45.0  # less than the guest waits for an answer (guest.ANSWER_TIMEOUT_S), so that it hears why

Message = dict[str, Any]


class MonitorRelay:
    """Pairs requests of the guest with answers of QEMU. Pure: both directions and the clock are functions given to it.

    A request whose event never comes, such as that of a card that the guest's kernel does not let go of, is answered
    with an error when its time is over, and the next one has its turn.
    """

    def __init__(
        self,
        to_qemu: Callable[[Message], None],
        to_guest: Callable[[Message], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._to_qemu = to_qemu
        self._to_guest = to_guest
        self._clock_s = clock_s
        self._end_s = math.inf  # of the time that the request has
        self._greeted = False
        self._waiting: list[Message] = []
        self._request: Message | None = None
        self._answer: Message | None = None
        self._events: list[Message] = []

    def from_guest(self, request: Message) -> None:
        """Take a request: id, execute, arguments, and perhaps the event to wait for."""
        self._waiting.append(request)
        self._next()

    def from_qemu(self, message: Message) -> None:
        """Take a greeting, an answer or an event."""
        if "QMP" in message:
            self._to_qemu({"execute": "qmp_capabilities", "id": "greeting"})
        elif message.get("id") == "greeting":
            self._greeted = True
        elif "event" in message:
            self._events.append(message)
        elif self._request is not None and message.get("id") == self._request.get("id"):
            self._answer = message
        self._finish()
        self._next()

    @property
    def remaining_s(self) -> float:
        """When to call `expire`, in seconds from now; infinite while nothing is asked for."""
        return max(0.0, self._end_s - self._clock_s())

    def expire(self) -> None:
        """Give up on a request whose time is over; nothing to do if there is none."""
        if self._request is None or self.remaining_s:
            return
        missing = "answer" if self._answer is None else self._request["await"]["event"]
        why = f"no {missing} from QEMU within {REQUEST_TIMEOUT_S:.0f} s"
        self._done({"error": {"desc": why}, "id": self._request.get("id")})
        self._next()

    def _next(self) -> None:
        if self._greeted and self._request is None and self._waiting:
            self._request = self._waiting.pop(0)
            self._events.clear()
            self._end_s = self._clock_s() + REQUEST_TIMEOUT_S
            keys = ("execute", "arguments", "id")
            self._to_qemu({key: self._request[key] for key in keys if key in self._request})

    def _finish(self) -> None:
        if self._request is None or self._answer is None:
            return
        wanted = self._request.get("await")
        if wanted and "error" not in self._answer and not any(map(matcher(wanted), self._events)):
            return
        self._done(self._answer)

    def _done(self, answer: Message) -> None:
        self._to_guest(answer)
        self._request = self._answer = None
        self._end_s = math.inf


def matcher(wanted: Message) -> Callable[[Message], bool]:
    """Does an event have this name and these data?"""

    def matches(event: Message) -> bool:
        data = event.get("data", {})
        return event.get("event") == wanted["event"] and all(
            data.get(key) == value for key, value in wanted.items() if key != "event"
        )

    return matches
