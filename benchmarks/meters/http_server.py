"""`hf-vits serve` in a process of its own, on a free port."""

import re
import subprocess
import sys
import threading


def started(voice: str, *options: str) -> tuple[subprocess.Popen, int]:
    """
    Starts the server and waits until it listens.

    Args:
        voice (`str`):
            As the command takes it.
        *options (`str`):
            Further words of the command line.

    Returns:
        `tuple`: the process and the port.

    Raises:
        SystemExit: if it does not start; has what it wrote to standard error.
    """
    command = [sys.executable, "-m", "hf_vits.cli", "serve", voice, "--port", "0", *options]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace")
    lines = []
    for line in server.stderr:
        if match := re.search(r"127\.0\.0\.1:(\d+)", line):
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, int(match[1])
        lines.append(line)
    raise SystemExit(f"The server did not start and ended with status {server.wait()}:\n{''.join(lines)}")
