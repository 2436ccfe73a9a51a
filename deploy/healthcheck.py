"""Ask a server whether it answers: by HTTP at /health, or by Wyoming for its voices. Exits with 0 or 1.

python healthcheck.py [http://127.0.0.1:8000/health | tcp://127.0.0.1:10200]; or in the variable HF_VITS_HEALTH.
"""

import json
import os
import socket
import sys
import urllib.request
from urllib.parse import urlparse

SECONDS = 8.0


def check(address: str) -> None:
    """Return if the server answers; raise if not."""
    url = urlparse(address)
    if url.scheme != "tcp":
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            answer.read()
        return
    with socket.create_connection((url.hostname, url.port), timeout=SECONDS) as connection:
        connection.sendall(b'{"type": "describe"}\n')
        with connection.makefile("rb") as answers:
            if json.loads(answers.readline())["type"] != "info":
                raise ValueError("it answered something else")


if __name__ == "__main__":
    server = (sys.argv[1:] or [os.environ.get("HF_VITS_HEALTH", "http://127.0.0.1:8000/health")])[0]
    try:
        check(server)
    except Exception as error:
        sys.exit(f"{server} does not answer: {error!r}")
