"""Requests that are wrong, made by rule: types, ranges, texts, names, bodies, headers, methods and slow clients."""

import json
from collections.abc import Iterator

JSON = {"Content-Type": "application/json"}
GOOD = {"model": "tts-1", "voice": "tiny", "input": "a bed."}
MAX_BODY = 20_000
MAX_CHARACTERS = 5_000

TEXT, NUMBER, INTEGER, SWITCH, LIST, TABLE = "text", "number", "integer", "switch", "list", "table"
VALUES = {
    TEXT: ("x", "12", "1.5", "true", "null", "[]"),
    NUMBER: (1.5, -0.5),
    INTEGER: (1, 0),
    SWITCH: (True, False),
    LIST: ([], ["x"], [None], [[1]]),
    TABLE: ({}, {"id": None}, {"id": 3}, {"x": "tiny"}),
}
FIELDS = {
    "model": (TEXT,),
    "input": (TEXT,),
    "voice": (TEXT,),
    "instructions": (TEXT,),
    "response_format": (),
    "speed": (NUMBER, INTEGER),
    "stream_format": (),
    "stream": (SWITCH,),
    "sample_rate": (),
    "seed": (INTEGER,),
    "speaker": (INTEGER, TEXT),
    "language": (INTEGER, TEXT),
    "noise_scale": (NUMBER, INTEGER),
    "noise_scale_duration": (NUMBER, INTEGER),
    "pause": (NUMBER, INTEGER),
    "timestamps": (SWITCH,),
    "strict": (SWITCH,),
    "volume": (NUMBER, INTEGER),
    "pitch": (NUMBER, INTEGER),
    "pitch_range": (NUMBER, INTEGER),
    "expand": (SWITCH,),
    "short_text_context": (SWITCH,),
}
"""The types of each field; names and choices of which no value above is one have none."""

RANGES = {
    "speed": ("0.2499", "4.01", "0", "-1", "1e999", "-1e999", "NaN", "Infinity", "9" * 400, "1e-400"),
    "seed": (str(2**64), str(-(2**63) - 1), "1.5", "9" * 5_000, "NaN", "1e3"),
    "noise_scale": ("-0.001", "10.001", "NaN", "1e999"),
    "noise_scale_duration": ("-0.001", "10.001", "NaN", "-Infinity"),
    "volume": ("-100.1", "24.1", "NaN"),
    "pitch": ("-24.1", "24.1", "1e999"),
    "pitch_range": ("-0.001", "4.001", "NaN"),
    "pause": ("-0.001", "60.001", "NaN", "1e999"),
    "sample_rate": ("7999", "48001", "0", "-1", "22050.5", "9" * 30),
    "speaker": ("-1", "1", "99", "1e3", "9" * 400, '""', '"nobody"', '"' + "x" * 300 + '"'),
    "language": ("-1", "1", "99", '""', '"en"', '"../de"'),
    "timestamps": ("[]", '["words"]', '"Word"', '["word", 1]', '["word", "word", "word", "word", "word"]'),
    "response_format": ('"MP3"', '"ogg"', '"wav "', '""', '"../wav"', '"' + "x" * 9_999 + '"', '"w\\u0000av"'),
    "stream_format": ('"SSE"', '""', '"json"', '"audio/sse"'),
}
TEXTS = ("", " ", "\n\t \n", "\0", "\ud800", "\ud83d", "😀", "…—!?", "a" * (MAX_CHARACTERS + 1), "中文", "123")
"""Texts with nothing that the tiny voice can speak, and one that is too long."""
DOCUMENTS = (
    *(
        "<speak>",
        "<speak>a bed</speek>",
        "<speak>a <bed</speak>",
        "<speak/>",
        "<speak> </speak>",
        "<speak>a & b</speak>",
    ),
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><speak>&a;</speak>',
    '<!DOCTYPE x [<!ENTITY a "a bed">]><speak>&a;</speak>',
    "<speak>" + 500 * "<p>" + "a" + 500 * "</p>" + "</speak>",
)
"""Documents that are not well-formed, declare entities, or say nothing."""

NAMES = (
    *("", " ", "TINY", "tiny ", " tiny", "tiny\0", "tiny\n", "tiny:", ":tiny", "tiny:nobody", "tiny:-1", "tiny::0"),
    *("..", "../tiny", "./tiny", "/", "/etc/passwd", "../../../../etc/passwd", "tiny/../tiny", "tiny/", "/tiny", "~"),
    *("..\\..\\windows\\win.ini", "C:\\tiny", "\\\\host\\share", "file:///etc/passwd", "https://voices.example/tiny"),
    *("%2e%2e%2ftiny", "..%2Ftiny", "%00", "tiny%00.wav", "$HOME", "${HOME}", "`id`", "$(id)", "{tiny}", "%s%s%n"),
    *("default", "en_US-joe-medium", "facebook/mms-tts-eng", "__class__", "None", "0", "-1", "*", "?", "tiny*"),
    *("x" * 199, "x" * 201, "x" * 10_000, "tіny", "tiny\u200b", "\u202eynit", "ｔｉｎｙ", "\ufefftiny", "null", "[]"),
)
"""Names of no voice: paths, addresses, patterns, and letters that only look like it."""


def request(body: bytes, path="/v1/audio/speech", method="POST", headers=None) -> bytes:
    """One request as bytes."""
    headers = {"Host": "127.0.0.1", **JSON, "Content-Length": str(len(body)), "Connection": "close", **(headers or {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def with_literal(name: str, literal: str) -> bytes:
    """A request in which a field has a value that is written as it is."""
    fields = {key: json.dumps(value) for key, value in GOOD.items()} | {name: literal}
    return request(("{" + ", ".join(f'"{key}": {value}' for key, value in fields.items()) + "}").encode())


def wrong_fields() -> Iterator[tuple[str, bytes]]:
    """Types, ranges, texts, names, and missing fields."""
    for name, types in FIELDS.items():
        for kind, values in VALUES.items():
            for value in values if kind not in types else ():
                yield f"{name} is {kind} {value!r}", with_literal(name, json.dumps(value))
    for name, literals in RANGES.items():
        yield from ((f"{name} is {literal[:20]}", with_literal(name, literal)) for literal in literals)
    for text in TEXTS:
        yield f"input is {text[:10]!r}", with_literal("input", json.dumps(text))
    for document in DOCUMENTS:
        yield f"SSML is {document[:40]}", with_literal("input", json.dumps(document))
    for name in NAMES:
        yield f"voice is {name[:20]!r}", with_literal("voice", json.dumps(name))
        yield f"voice id is {name[:20]!r}", with_literal("voice", json.dumps({"id": name}))
        yield f"model is {name[:20]!r}", with_literal("model", json.dumps(name))
    for name in GOOD:
        yield f"no {name}", request(json.dumps({key: value for key, value in GOOD.items() if key != name}).encode())
        yield f"{name} is null", with_literal(name, "null")


def wrong_bodies() -> Iterator[tuple[str, bytes]]:
    """Bodies that are no JSON object, or too large."""
    good = json.dumps(GOOD).encode()
    for length in range(0, len(good), 4):
        yield f"body ends after {length} bytes", request(good[:length])
    for value in (None, True, 3, "x", [], [GOOD], [[[]]], 1.5):
        yield f"body is {value!r}"[:40], request(json.dumps(value).encode())
    for name, body in {
        "zeros": b"\0" * 100,
        "Latin-1": good.replace(b"a bed", "é".encode("latin-1")),
        "cut UTF-8": good.replace(b"a bed", b"\xe4\xb8"),
        "form": b"model=tts-1&voice=tiny&input=a",
        "XML": b"<speak>a bed</speak>",
        "deep": b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
        "deep list": b"[" * 9_000,
        "comment": b"/* */" + good,
        "two": good + good,
        "single quotes": good.replace(b'"', b"'"),
        "comma": good[:-1] + b",}",
        "gzip": b"\x1f\x8b\x08\x00" + b"\0" * 30,
    }.items():
        yield f"body is {name}", request(body)
    large = json.dumps(GOOD | {"input": "a" * MAX_BODY}).encode()
    yield "body is too large", request(large)
    yield "body is said to be too large", request(b"", headers={"Content-Length": str(10**15)})
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large)
    yield "chunked body is too large", request(chunk, headers={"Content-Length": None, "Transfer-Encoding": "chunked"})


def wrong_headers() -> Iterator[tuple[str, bytes]]:
    """Requests that are no HTTP, contradict themselves, or have another type of body."""
    good = json.dumps(GOOD).encode()
    for kind in (
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "a" * 999,
    ):
        yield f"content type is {kind}"[:50], request(good, headers={"Content-Type": kind})
    for length in ("-1", "+5", "0x10", "1e3", "ten", "", "5 5", "5, 6", "9" * 50, "１２"):
        encoded = request(good, headers={"Content-Length": "LENGTH"}).replace(b"LENGTH", length.encode())
        yield f"content length is {length[:9]}", encoded
    extra = {
        "two content types": "Content-Type: application/json",
        "two lengths": "Content-Length: 5",
        "length and chunked": "Transfer-Encoding: chunked",
        "unknown coding": "Transfer-Encoding: gzip",
        "coding twice": "Transfer-Encoding: chunked, chunked",
        "no colon": "Nonsense",
        "empty name": ": value",
        "space before colon": "X-A : b",
        "space in name": "X A: b",
        "control in value": "X-A: b\x01c\x00d",
        "line feed in value": "X-A: b\rc",
        "two hosts": "Host: other.example",
        "large header": f"X-A: {'b' * 70_000}",
        "many headers": "\r\n".join(f"X-{number}: {'b' * 50}" for number in range(1_500)),
    }
    for name, line in extra.items():
        yield name, request(good).replace(b"\r\n", b"\r\n" + line.encode("latin-1") + b"\r\n", 1)
    for name, start in {
        "no version": "POST /v1/audio/speech",
        "HTTP 3": "POST /v1/audio/speech HTTP/3.0",
        "no path": "POST HTTP/1.1",
        "space in path": "POST /v1/audio speech HTTP/1.1",
        "method of signs": "P@ST /v1/audio/speech HTTP/1.1",
        "no method": " /v1/audio/speech HTTP/1.1",
        "long path": f"POST /{'a' * 70_000} HTTP/1.1",
        "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    }.items():
        yield name, start.encode("latin-1") + b"\r\n" + request(good).partition(b"\r\n")[2]
    yield "no host", request(good, headers={"Host": None})
    for size in ("-1", "zz", "1" * 30, ""):
        body = f"{size}\r\n".encode() + good + b"\r\n0\r\n\r\n"
        yield (
            f"chunk size is {size[:5]}",
            request(body, headers={"Content-Length": None, "Transfer-Encoding": "chunked"}),
        )


def wrong_places() -> Iterator[tuple[str, bytes]]:
    """Paths and methods that do not exist."""
    for path in (
        *("/v1", "/v1/audio", "/v1/audio/speech/../../../etc/passwd", "/v1/models/../../etc/passwd", "/.env", "//"),
        *("/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/v1/models/nobody", "/v1/models/%00", "/v1/audio/voices/tiny"),
        *("/v1/audio/transcriptions", "/v1/files", "/admin", "/static/../setup.py", "/page/../app.py", "/%ff"),
    ):
        yield f"GET {path}", request(b"", path, "GET")
        yield f"POST {path}", request(json.dumps(GOOD).encode(), path)
    for path in ("/v1/audio/speech", "/v1/models", "/v1/audio/voices", "/health", "/metrics"):
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW", "POST"):
            if (method == "POST") != (path == "/v1/audio/speech") and (method != "GET" or path == "/v1/audio/speech"):
                yield f"{method} {path}", request(b"{}", path, method)


def slow() -> Iterator[tuple[str, list[bytes]]]:
    """Parts of requests that never become complete."""
    good = request(json.dumps(GOOD).encode())
    head, _, body = good.partition(b"\r\n\r\n")
    yield "one byte", [b"P"]
    yield "half of the headers", [head[:60]]
    yield "headers in small parts", [head[i : i + 8] for i in range(0, len(head) - 8, 8)]
    yield "headers without their end", [head + b"\r\n"]
    yield "headers without a body", [head + b"\r\n\r\n"]
    yield "half of the body", [head + b"\r\n\r\n" + body[:20]]
    yield "body in small parts", [head + b"\r\n\r\n", *(body[i : i + 1] for i in range(len(body) - 2))]
    chunked = request(b"", headers={"Content-Length": None, "Transfer-Encoding": "chunked"})
    yield "chunks without end", [chunked, *(b"1\r\n \r\n" for _ in range(30))]
