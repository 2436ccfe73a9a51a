"""The Hub, played by a server of thirty lines on this machine: what is pushed comes back the same."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Hub(BaseHTTPRequestHandler):
    """Takes commits and serves their files."""

    files: dict[str, bytes] = {}

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
        else:
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


@pytest.fixture
def hub():
    Hub.files = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.url
    server.shutdown()


def run(code, hub, home):
    environment = {
        **{k: v for k, v in os.environ.items() if "proxy" not in k.lower()},
        **{"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home), "HF_TOKEN": "hf_stub"},
        **{"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"},
    }
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def test_a_pushed_voice_comes_back_from_the_hub_the_same(hub, make_model, make_tokenizer, speakers, tmp_path):
    make_model(resblock_type="2", **speakers).save_pretrained(tmp_path / "voice")
    make_tokenizer().save_pretrained(tmp_path / "voice")
    speak = (
        "import torch, hf_vits\n"
        "from hf_vits import VitsModel, VitsTokenizer\n"
        "model, tokenizer = VitsModel.from_pretrained({0!r}), VitsTokenizer.from_pretrained({0!r})\n"
        "out = model(**tokenizer('a hope', return_tensors='pt'), speaker_id='bea', "
        "generator=torch.Generator().manual_seed(1))\n"
        "print(out.waveform.double().sum().item(), out.waveform.shape)\n"
    )
    local = str(tmp_path / "voice")
    push = "model.push_to_hub('org/voice'); tokenizer.push_to_hub('org/voice')\n"
    before = run(speak.format(local) + push, hub, tmp_path / "home")
    assert {"config.json", "model.safetensors", "vocab.json", "tokenizer_config.json"} <= set(Hub.files)
    after = run(speak.format("org/voice"), hub, tmp_path / "other home")
    assert after == before
    auto = speak.replace("hf_vits import VitsModel, VitsTokenizer", "transformers import AutoModel, AutoTokenizer")
    auto = auto.replace("VitsModel.", "AutoModel.").replace("VitsTokenizer.", "AutoTokenizer.")
    assert run(auto.format("org/voice"), hub, tmp_path / "third home") == before


def test_a_repository_without_a_config_is_an_error_not_a_default_voice(hub, tmp_path):
    Hub.files = {"README.md": b"nothing else"}
    code = (
        "from hf_vits import VitsModel\n"
        "try:\n    VitsModel.from_pretrained('org/voice')\n"
        "except OSError as error:\n    print('told:', error)\n"
    )
    told = run(code, hub, tmp_path / "home")
    assert "told:" in told and "org/voice" in told and "config.json" in told
