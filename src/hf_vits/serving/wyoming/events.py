"""Read events of the Wyoming protocol from a client that is not trusted: of limited size, with a reason for each error.

An event is a line of JSON, `{"type", "data", "data_length", "payload_length"}`, then JSON of `data_length` bytes, then
`payload_length` bytes. The package `wyoming` reads any size, and drops a client without a word for a mistake.
"""

import asyncio
import json
from typing import Any

from wyoming.event import Event

MAX_DATA = 2**25
"""Largest data of an event, in bytes, whatever the longest text is; a pipeline takes a million characters."""

MAX_PAYLOAD = 2**20
"""Largest payload of an event, in bytes. No event of text-to-speech has one."""


class EventError(ValueError):
    """Raised for bytes that are no event."""


async def read_event(reader: asyncio.StreamReader, max_data: int = MAX_DATA) -> Event | None:
    """
    Return the next event, or None at the end of the stream.

    Args:
        reader (`asyncio.StreamReader`):
            The stream.
        max_data (`int`, *optional*):
            Largest data of an event, in bytes.

    Raises:
        EventError: for anything but an event of limited size.
        asyncio.IncompleteReadError: if the stream ends within an event.
    """
    try:
        line = await reader.readline()
    except ValueError as error:  # the line is longer than the limit of the reader
        raise EventError("The line of JSON that begins an event is too long; put its data after it.") from error
    if not line:
        return None
    header = _object(line, "An event begins with")
    kind, data = header.get("type"), header.get("data") or {}
    if not isinstance(kind, str) or not isinstance(data, dict):
        raise EventError("An event has no `type` that is a string, or its `data` is no JSON object.")
    if size := _size(header, "data_length", max_data):
        data |= _object(await reader.readexactly(size), "The data of an event is")
    size = _size(header, "payload_length", MAX_PAYLOAD)
    return Event(kind, data, await reader.readexactly(size) if size else None)


def _object(content: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise EventError(f"{what} no JSON: {error}.") from error
    if not isinstance(value, dict):
        raise EventError(f"{what} JSON of another kind than an object.")
    return value


def _size(header: dict[str, Any], name: str, most: int) -> int:
    size = header.get(name) or 0
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= most:
        raise EventError(f"`{name}` must be a number of bytes, 0 to {most:,}.")
    return size
