"""GPIO character device, version 2 (Linux 5.10): line events, configuration and information.

Source: include/uapi/linux/gpio.h, drivers/gpio/gpiolib-cdev.c.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

INPUT: Final = 0x4
OUTPUT: Final = 0x8
EDGE_RISING: Final = 0x10
EDGE_FALLING: Final = 0x20
BIAS_PULL_UP: Final = 0x100
BIAS_PULL_DOWN: Final = 0x200
BIAS_DISABLED: Final = 0x400
# Never set here: EVENT_CLOCK_REALTIME, 0x800. Without it events are stamped with CLOCK_MONOTONIC.

_EVENT = struct.Struct("=QIIII24x")  # timestamp_ns, id, offset, seqno, line_seqno, padding
_EDGE = struct.Struct("=QI36x")  # of the same, timestamp_ns and id
_LAST = struct.Struct("=Q12xI24x")  # of the same, timestamp_ns and line_seqno
_MOST_BYTES = 1024 * _EVENT.size  # as many as the kernel queues at most
RISING_EVENT: Final = 1

_CHIP_INFO = struct.Struct("=32s32sI")  # name, label, lines
_GET_CHIP_INFO = 0x8044B401
_LINE_INFO = struct.Struct("=32s32sIIQ160x16x")  # name, consumer, offset, num_attrs, flags, attributes, padding
_GET_LINE_INFO = 0xC100B405
_USED = 0x1

_LINE_CONFIG = struct.Struct("=QI20x240s")  # flags, num_attrs, padding, ten attributes
_SET_LINE_CONFIG = 0xC110B40D
_LINE_REQUEST = struct.Struct("=I252x32s272sII20xi")  # offsets, consumer, config, lines, event_buffer_size, padding, fd
_REQUEST_LINE = 0xC250B407
_VALUES_ATTRIBUTE = struct.Struct("=I4xQQ")  # id, bits, mask of lines
_DEBOUNCE_ATTRIBUTE = struct.Struct("=I4xI4xQ")  # id, debounce_period_us, mask of lines
_VALUES, _DEBOUNCE = 2, 3
_THE_LINE = 1  # the mask of a request's first line, and ours has no other


class LineEvent(NamedTuple):
    timestamp_ns: int
    rising: bool
    sequence: int
    """The line counts its events from 1, modulo 2^32."""


@dataclass(frozen=True, slots=True)
class ChipInfo:
    name: str
    label: str
    lines: int


@dataclass(frozen=True, slots=True)
class LineInfo:
    name: str
    consumer: str
    used: bool


def count_events(fd: int) -> tuple[int, int, int]:
    """Read all queued edge events at once: how many, and the line's sequence number and time stamp of the last.

    EAGAIN: none. ENODEV: the chip has left. The line counts its edges from 1. The kernel drops the oldest events when
    its buffer is full, so what the sequence number grew by beyond the events read was lost.
    """
    buffer = os.read(fd, _MOST_BYTES)
    timestamp_ns, last = _LAST.unpack_from(buffer, len(buffer) - _EVENT.size)
    return len(buffer) // _EVENT.size, last, timestamp_ns


def read_edges(fd: int) -> tuple[Iterator[tuple[int, int]], int, int]:
    """The same events, each a time stamp and a kind; and what `count_events` says of the last."""
    buffer = os.read(fd, _MOST_BYTES)
    timestamp_ns, last = _LAST.unpack_from(buffer, len(buffer) - _EVENT.size)
    return _EDGE.iter_unpack(buffer), last, timestamp_ns


def read_events(fd: int) -> list[LineEvent]:
    """The same events, each with its sequence number."""
    buffer = os.read(fd, _MOST_BYTES)
    return [
        LineEvent(timestamp_ns, kind == RISING_EVENT, sequence)
        for timestamp_ns, kind, _, _, sequence in _EVENT.iter_unpack(buffer)
    ]


def request_line(chip_fd: int, offset: int, consumer: str, flags: int, queued: int) -> int:
    """Open one line; its descriptor, which is closed on exec.

    EBUSY: somebody has it.

    Args:
        queued: how many edge events the kernel is to queue; more than 1,024 are 1,024.
    """
    config = _LINE_CONFIG.pack(flags, 0, b"")
    request = _LINE_REQUEST.pack(offset, consumer.encode(), config, 1, queued, 0)
    *_, fd = _LINE_REQUEST.unpack(fcntl.ioctl(chip_fd, _REQUEST_LINE, request))
    return int(fd)


def set_config(fd: int, flags: int, *, debounce_us: int | None = None, value: bool | None = None) -> None:
    """Configure the line of a request anew, on the same descriptor; events that are queued stay queued.

    EINVAL: the chip refuses the bias or the debounce period. ENXIO: no interrupt for edges, or for the kernel's own
    debouncing. Either may leave the line without edge detection. ENODEV: the chip has left.

    Args:
        debounce_us: 0 has the chip told to stop; None if it was never told to begin. An input's.
        value: an output's level, which without it becomes low.
    """
    attributes = []
    if debounce_us is not None:
        attributes.append(_DEBOUNCE_ATTRIBUTE.pack(_DEBOUNCE, debounce_us, _THE_LINE))
    if value is not None:
        attributes.append(_VALUES_ATTRIBUTE.pack(_VALUES, int(value), _THE_LINE))
    fcntl.ioctl(fd, _SET_LINE_CONFIG, _LINE_CONFIG.pack(flags, len(attributes), b"".join(attributes)))


def chip_info(chip_fd: int) -> ChipInfo:
    name, label, lines = _CHIP_INFO.unpack(fcntl.ioctl(chip_fd, _GET_CHIP_INFO, bytes(_CHIP_INFO.size)))
    return ChipInfo(_text(name), _text(label), lines)


def line_info(chip_fd: int, offset: int) -> LineInfo:
    """EINVAL: the chip has no such line, or the kernel does not know version 2."""
    request = _LINE_INFO.pack(b"", b"", offset, 0, 0)
    name, consumer, _, _, flags = _LINE_INFO.unpack(fcntl.ioctl(chip_fd, _GET_LINE_INFO, request))
    return LineInfo(_text(name), _text(consumer), bool(flags & _USED))


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode(errors="replace")
