"""The Hub, played by a server of forty lines on this machine."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub(BaseHTTPRequestHandler):
    """Takes commits to one repository, org/voice, and serves their files; remembers how it was created."""

    files: dict[str, bytes] = {}
    created: list[dict] = []

    def log_message(self, *arguments):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, content=b"{}", status=200, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def json(self, content):
        self.answer(json.dumps(content).encode())

    def do_POST(self):
        body = self.body()
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]
            self.json({"files": modes})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.json({"commitUrl": f"{self.server.url}/org/voice/commit/1", "commitOid": "1" * 40})
        elif self.path.endswith("/validate-yaml"):
            self.json({"errors": [], "warnings": []})
        else:
            self.created.append(json.loads(body))
            self.json({"url": f"{self.server.url}/org/voice", "id": "org/voice", "name": "org/voice"})

    def do_GET(self):
        name = re.sub(r".*/resolve/[^/]+/|[?].*", "", self.path)
        if name in self.files:
            content = self.files[name]
            etag = f'"{hashlib.sha1(content).hexdigest()}"'
            self.answer(content, ETag=etag, X_Repo_Commit="1" * 40, Content_Type="application/octet-stream")
        elif "/resolve/" in self.path or "/tree/" in self.path:
            self.answer(b"", 404, X_Error_Code="EntryNotFound", X_Repo_Commit="1" * 40)
        else:
            siblings = [{"rfilename": path} for path in self.files]
            self.json({"id": "org/voice", "sha": "1" * 40, "siblings": siblings})

    do_HEAD = do_GET


@contextmanager
def serving() -> Iterator[str]:
    """The address of an empty Hub."""
    Hub.files, Hub.created = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.url
    server.shutdown()


def connect(url: str, cache: str | None = None, patch: Callable = setattr) -> None:
    """Let huggingface_hub, in this process, take the stub for the Hub; `patch` may be that of `monkeypatch`."""
    import transformers.utils.hub
    from huggingface_hub import constants, hf_api

    if hasattr(transformers.utils.hub, "_hf_api"):  # kept from its first use on, with the address of that time
        patch(transformers.utils.hub, "_hf_api", None)
    patch(constants, "ENDPOINT", url)
    patch(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    patch(hf_api.api, "endpoint", url)
    patch(constants, "HF_HUB_OFFLINE", False)
    patch(constants, "HF_HUB_DISABLE_XET", True)
    if cache is not None:
        patch(constants, "HF_HUB_CACHE", cache)
