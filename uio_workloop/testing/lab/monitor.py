"""QMP on behalf of the guest: a request from COMMAND goes to QEMU's monitor, the answer goes back.

A request may name an event to wait for ("await"): device_del answers long before the card has left.
Source: QEMU's QMP specification; commands and events are JSON lines after one greeting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Message = dict[str, Any]


class MonitorRelay:
    """Pairs requests of the guest with answers of QEMU. Pure: both directions are functions given to it."""

    def __init__(self, to_qemu: Callable[[Message], None], to_guest: Callable[[Message], None]) -> None:
        self._to_qemu = to_qemu
        self._to_guest = to_guest
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

    def _next(self) -> None:
        if self._greeted and self._request is None and self._waiting:
            self._request = self._waiting.pop(0)
            self._events.clear()
            keys = ("execute", "arguments", "id")
            self._to_qemu({key: self._request[key] for key in keys if key in self._request})

    def _finish(self) -> None:
        if self._request is None or self._answer is None:
            return
        wanted = self._request.get("await")
        if wanted and "error" not in self._answer and not any(map(matcher(wanted), self._events)):
            return
        self._to_guest(self._answer)
        self._request = self._answer = None


def matcher(wanted: Message) -> Callable[[Message], bool]:
    """Does an event have this name and these data?"""

    def matches(event: Message) -> bool:
        data = event.get("data", {})
        return event.get("event") == wanted["event"] and all(
            data.get(key) == value for key, value in wanted.items() if key != "event"
        )

    return matches
