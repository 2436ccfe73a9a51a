"""Bytes from a client are events, or an error with a reason; never more than a limited size is read."""

import asyncio
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("wyoming.event")
from wyoming.event import Event, async_write_event

from hf_vits.serving.wyoming import events
from hf_vits.serving.wyoming.events import EventError, read_event


def read(content):
    """All events of these bytes."""

    async def run():
        reader, found = asyncio.StreamReader(), []
        reader.feed_data(content)
        reader.feed_eof()
        while (event := await read_event(reader)) is not None:
            found.append(event)
        return found

    return asyncio.run(run())


class Written:
    """Stands in for the writer of a connection."""

    def __init__(self):
        self.content = b""

    def write(self, data):
        self.content += data

    def writelines(self, parts):
        self.content += b"".join(parts)

    async def drain(self):
        pass


def test_events_are_read_as_the_package_writes_them():
    sent = [
        Event("synthesize", {"text": "é\n{}", "voice": {"name": "a"}}),
        Event("ping"),
        Event("x", {"a": 1}, b"\n{}"),
    ]
    written = Written()
    for event in sent:
        asyncio.run(async_write_event(event, written))
    assert read(written.content) == sent


def test_data_in_the_line_and_after_it_are_joined():
    data = json.dumps({"text": "b"}).encode()
    line = json.dumps({"type": "a", "data": {"text": "a", "x": 1}, "data_length": len(data)}).encode() + b"\n"
    assert read(line + data) == [Event("a", {"text": "b", "x": 1})]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "no JSON"),
        (b"[]\n", "another kind than an object"),
        (b"5\n", "another kind"),
        (b'{"type": 5}\n', "no `type`"),
        (b"{}\n", "no `type`"),
        (b'{"type": "a", "data": []}\n', None),
        (b'{"type": "a", "data": [1]}\n', "no JSON object"),
        (b'{"type": "a", "data_length": "9"}\n', "`data_length` must be"),
        (b'{"type": "a", "data_length": -1}\n', "`data_length` must be"),
        (b'{"type": "a", "data_length": true}\n', "`data_length` must be"),
        (b'{"type": "a", "data_length": 1.5}\n', "`data_length` must be"),
        (b'{"type": "a", "data_length": 10000000000000}\n', "0 to 33,554,432"),
        (b'{"type": "a", "payload_length": 10000000000000}\n', "0 to 1,048,576"),
        (b'{"type": "a", "data_length": 2}\n[]', "another kind"),
        (b'{"type": "a", "data_length": 2}\n{]', "no JSON"),
        (b'{"type": "a", "data_length": 4}\n\xff\xff\xff\xff', "no JSON"),
        (b"[" * 60_000 + b"\n", "no JSON"),
        (b"a" * 70_000 + b"\n", "too long"),
    ],
)
def test_what_is_no_event_is_an_error_that_says_why(content, reason):
    if reason is None:
        assert read(content) == [Event("a")]
    else:
        with pytest.raises(EventError, match=reason):
            read(content)


def test_the_end_of_the_stream_within_an_event_is_not_an_event():
    for content in (b'{"type": "a", "data_length": 9}\n{}', b'{"type": "a", "payload_length": 9}\nabc'):
        with pytest.raises(asyncio.IncompleteReadError):
            read(content)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,19.etyp\n', max_size=60).map(str.encode))
def test_any_bytes_are_events_or_one_of_these_errors(content):
    with contextlib.suppress(EventError, asyncio.IncompleteReadError):
        assert all(isinstance(event.type, str) and isinstance(event.data, dict) for event in read(content))


def test_limits_are_those_of_a_text_of_a_million_characters():
    text = "\U0001f44d" * 1_000_000
    assert len(json.dumps({"text": text}, ensure_ascii=False).encode()) < events.MAX_DATA
