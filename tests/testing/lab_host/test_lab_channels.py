"""Streams that end with a marker, and JSON lines."""

from __future__ import annotations

import pytest

from uio_workloop.testing.lab.channels import JsonLines, MarkedStream, overlap

MARKER = b"ababac"


class Sink:
    """A marked stream and what came through it."""

    def __init__(self) -> None:
        self.data = b""
        self.stream = MarkedStream(MARKER, self.take)

    def take(self, data: bytes) -> None:
        self.data += data


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
@pytest.mark.parametrize("content", [b"", b"hello\n", b"abab", b"ababab", b"aba\0\xff" * 9, b"ababa" * 3])
def test_everything_before_the_marker_passes_however_it_is_cut(content, size):
    sink = Sink()
    sent = content + MARKER

    for start in range(0, len(sent), size):
        sink.stream.feed(sent[start : start + size])

    assert sink.data == content
    assert sink.stream.ended


def test_what_cannot_be_the_marker_passes_at_once():
    sink = Sink()

    sink.stream.feed(b"prompt> ")

    assert sink.data == b"prompt> "
    assert not sink.stream.ended


def test_what_was_held_back_passes_when_the_guest_is_lost():
    sink = Sink()
    sink.stream.feed(b"end: abab")
    assert sink.data == b"end: "

    sink.stream.flush()

    assert sink.data == b"end: abab"


@pytest.mark.parametrize(
    ("data", "length"), [(b"", 0), (b"xyz", 0), (b"xa", 1), (b"xaba", 3), (b"ababa", 5), (b"ababab", 4)]
)
def test_overlap_is_the_longest_beginning_of_the_marker(data, length):
    assert overlap(data, MARKER) == length


def test_json_lines_come_whole_and_noise_is_dropped():
    seen = []
    lines = JsonLines(seen.append)

    for piece in (b'{"event": "he', b'llo"}\nnoise\n[1]\n{"event":', b' "ready"}\n{"half'):
        lines.feed(piece)

    assert seen == [{"event": "hello"}, {"event": "ready"}]
