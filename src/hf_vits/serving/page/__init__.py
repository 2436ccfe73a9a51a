"""
The page at `/`: static files beside this module, which call the routes of the server as any other client does.

Of `GET /v1/audio/voices` it reads `max_characters` and `voices`: `id`, and where known `name`, `sampling_rate`,
`noise_scale`, `num_speakers`, and `speakers` and `languages` as lists of names. It sends `POST /v1/audio/speech` with
`stream_format: "sse"`, `response_format: "pcm"` and `timestamps: "word"`, and reads `audio` and `timestamps` of each
`speech.audio.delta`, and the rate in the header `X-Sample-Rate`.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
"""Content type of a file, by its suffix."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # ask again after an update of the package
}
"""Headers of every file: nothing is loaded from, sent to, or shown in another site."""

INDEX = "index.html"


def page_files() -> dict[str, bytes]:
    """Return the content of each file by its name."""
    return {file.name: file.read_bytes() for file in Path(__file__).parent.iterdir() if file.suffix in TYPES}


def add_page(app: "Starlette") -> None:
    """
    Serve the page at `/` and its other files below `/page/`, for FastAPI and Starlette.

    The files are read now, and each has a route of its own: no request names a file.
    """
    from starlette.responses import Response

    def send(name: str, content: bytes, request) -> Response:
        return Response(content, media_type=TYPES[Path(name).suffix], headers=HEADERS)

    for name, content in page_files().items():
        route = "/" if name == INDEX else f"/page/{name}"
        app.add_route(route, partial(send, name, content), methods=["GET", "HEAD"])
