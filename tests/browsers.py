"""A browser that notes what a page plays; tests skip where none is installed."""

import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

NOTES = (Path(__file__).parent / "browser_notes.js").read_text(encoding="utf-8")
"""A script that runs before those of a page."""


@contextmanager
def served(app):
    """Answers requests to an application in a thread -> its address."""
    uvicorn = pytest.importorskip("uvicorn")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window. While it lives, asyncio has a running loop in this thread."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Opens an address in a tab of its own. Errors of its scripts fail the test."""
    contexts, errors = [], []

    def go(url, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.add_init_script(NOTES)
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(url)
        return page

    yield go
    for context in contexts:
        context.close()
    assert not errors


def until(page, expression, seconds=30):
    """Wait until an expression is true in a page, whose policy forbids Playwright's own way -> its value."""
    end = time.monotonic() + seconds
    while not (value := page.evaluate(expression)):
        assert time.monotonic() < end, f"{expression} stays {value!r}"
        time.sleep(0.02)
    return value


def played(page):
    """The samples that were given to the speakers, in the order of their times."""
    parts = sorted(page.evaluate("notes.played"), key=lambda part: part["at"])
    return np.concatenate([np.array(part["samples"], np.float32) for part in parts]) if parts else np.zeros(0)
