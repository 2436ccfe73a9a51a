"""Names of the default voice, which commands know and `from_pretrained` does not."""

import os

DEFAULT = "en_US-joe-medium"

ALIAS = "default"
"""Another name of the default voice."""


def refuse_default_name(name: str | os.PathLike, kind: str) -> None:
    """
    Raise `ValueError` for a name of the default voice, which the Hub would be asked for, unless a folder is called so.

    Args:
        name (`str` or `PathLike`):
            What `from_pretrained` was given.
        kind (`str`):
            The class that it was called of, for the error.
    """
    if str(name) in (ALIAS, DEFAULT) and not os.path.isdir(name):
        raise ValueError(
            f"{str(name)!r} is a name for `hf-vits`; `from_pretrained` takes a folder or a name on the Hub. For the "
            f"default voice: `{kind}.from_pretrained(hf_vits.default_voice())`."
        )
