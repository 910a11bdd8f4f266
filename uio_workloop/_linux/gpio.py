"""GPIO character device, version 2: line events and line information. Source: include/uapi/linux/gpio.h."""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass

_EVENT = struct.Struct("=QIIII24x")  # timestamp_ns, id, offset, seqno, line_seqno, padding
_EVENTS_PER_READ = 64  # more than the kernel keeps for one line (16) without being asked for more

_CHIP_INFO = struct.Struct("=32s32sI")  # name, label, lines
_GET_CHIP_INFO = 0x8044B401
_LINE_INFO = struct.Struct("=32s32sIIQ160x16x")  # name, consumer, offset, num_attrs, flags, attributes, padding
_GET_LINE_INFO = 0xC100B405
_USED = 0x1


@dataclass(frozen=True, slots=True)
class LineInfo:
    name: str
    consumer: str
    used: bool


def read_events(fd: int) -> tuple[int, int, int]:
    """Read all queued edge events at once: how many, and the line's sequence number and time stamp of the last.

    EAGAIN: none. ENODEV: the chip has left. The line counts its edges from 1. The kernel drops the oldest events when
    its buffer is full, so what the sequence number grew by beyond the events read was lost.
    """
    buffer = os.read(fd, _EVENTS_PER_READ * _EVENT.size)
    timestamp_ns, *_, last = _EVENT.unpack_from(buffer, len(buffer) - _EVENT.size)
    return len(buffer) // _EVENT.size, last, timestamp_ns


def chip_lines(chip_fd: int) -> int:
    """How many lines a chip has."""
    return int(_CHIP_INFO.unpack(fcntl.ioctl(chip_fd, _GET_CHIP_INFO, bytes(_CHIP_INFO.size)))[2])


def line_info(chip_fd: int, offset: int) -> LineInfo:
    """EINVAL: the chip has no such line."""
    request = _LINE_INFO.pack(b"", b"", offset, 0, 0)
    name, consumer, _, _, flags = _LINE_INFO.unpack(fcntl.ioctl(chip_fd, _GET_LINE_INFO, request))
    return LineInfo(_text(name), _text(consumer), bool(flags & _USED))


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode(errors="replace")
