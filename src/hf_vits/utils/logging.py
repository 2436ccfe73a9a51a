"""Silence progress bars and tokenizer warnings."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = ("hf_vits.tokenization_vits", "hf_vits.pipeline")
"""Loggers that warn of dropped characters."""


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Disable the progress bars of transformers: loading or saving one file takes a moment."""
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


@contextmanager
def silence_logging() -> Iterator[None]:
    """Silence warnings of dropped characters, for callers that report them once for all texts."""
    loggers, silence = [logging.getLogger(name) for name in LOGGERS], logging.Filter("no logger")
    for logger in loggers:
        logger.addFilter(silence)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(silence)
