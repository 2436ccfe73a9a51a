"""Read files that lie in an archive or on a server, by the addresses that `datasets` gives them."""

import os


def is_remote(path: object) -> bool:
    """Tell whether a path is an address such as `hf://…`, `https://…` or `zip://a.wav::archive.zip`."""
    return isinstance(path, str) and ("://" in path or "::" in path) and not os.path.exists(path)


def read_remote(path: str) -> bytes:
    """
    Read the whole file at an address, as `datasets` opens it: with its retries, and the login to the Hub.

    Raises:
        ValueError: if it cannot be read, for whatever reason, or `datasets` is not installed.
    """
    try:
        from datasets.utils.file_utils import xopen
    except ImportError as error:
        raise ValueError(f"{path} is no local file, and reading it takes `pip install datasets`.") from error
    try:
        with xopen(path, "rb") as file:
            return file.read()
    except Exception as error:  # each protocol has errors of its own
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ValueError(f"{path} cannot be read: {reason}") from error
