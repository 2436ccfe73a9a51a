"""Silence about what takes a moment, or is told later."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

READERS = ("hf_vits.tokenization_vits", "hf_vits.pipeline")
"""Loggers that tell what a voice leaves out of a text, or cannot read."""


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Within it, transformers draws no progress bar: a voice is one file, written in a moment."""
    from transformers.utils import logging as theirs

    shown = theirs.is_progress_bar_enabled()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            theirs.enable_progress_bar()


@contextmanager
def silence_logging() -> Iterator[None]:
    """Within it, no tokenizer warns of what it leaves out: a report has it, once for all texts."""
    tellers, silence = [logging.getLogger(name) for name in READERS], logging.Filter("nobody")
    for teller in tellers:
        teller.addFilter(silence)
    try:
        yield
    finally:
        for teller in tellers:
            teller.removeFilter(silence)
