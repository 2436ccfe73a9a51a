"""The files of the page: their headers, and that no request reaches another file."""

import asyncio
import re

import pytest

pytest.importorskip("starlette")
from starlette.applications import Starlette

from hf_vits.serving.page import INDEX, TYPES, add_page, page_files


@pytest.fixture
def ask():
    """Asks for a path -> status, headers, content."""
    app = Starlette()
    add_page(app)

    def go(path, method="GET"):
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "root_path": ""}
        asyncio.run(app(scope, receive, send))
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])

    return go


def test_each_file_is_served_with_its_type_and_a_policy_that_allows_only_this_server(ask):
    for name, content in page_files().items():
        status, headers, answer = ask("/" if name == INDEX else f"/page/{name}")
        assert (status, answer) == (200, content)
        assert headers["content-type"].startswith(TYPES[name[name.index(".") :]])
        assert headers["x-content-type-options"] == "nosniff"
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy.pop("default-src") == "'none'" and set(policy.values()) <= {"'self'", "'none'"}
        assert policy["script-src"] == "'self'"


@pytest.mark.parametrize("path", ["/page/", "/page/__init__.py", "/page/../app.py", "/page/%2e%2e/app.py", "/page"])
def test_other_paths_are_not_found(ask, path):
    assert ask(path)[0] in (404, 307)
    assert b"import" not in ask(path)[2]


def test_a_head_request_gets_the_same_headers(ask):
    assert ask("/", "HEAD")[:2] == ask("/")[:2]


def test_files_refer_to_each_other_alone():
    files = {name: content.decode() for name, content in page_files().items()}
    referred = re.findall(r'(?:src|href)="page/([^"]+)"', files[INDEX])
    for name, text in files.items():
        referred += re.findall(r'from "\./([^"]+)"', text)
        assert not re.search(r"(?:https?:)?//[\w.-]+\.\w", text.replace("http://www.w3.org/2000/svg", "")), name
    assert set(referred) == set(files) - {INDEX}


def test_all_that_scripts_look_up_is_in_the_page():
    files = {name: content.decode() for name, content in page_files().items()}
    ids = set(re.findall(r'\bid="([\w-]+)"', files[INDEX]))
    assert set(re.findall(r'\$\("([\w-]+)"\)', files["main.js"])) <= ids
    assert set(re.findall(r'(?:for|aria-controls|aria-labelledby)="([\w-]+)"', files[INDEX])) <= ids
    for described in re.findall(r'aria-describedby="([^"]+)"', files[INDEX]):
        assert set(described.split()) <= ids
