"""A tokenizer for a new voice: the symbols that its texts are made of."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from hf_vits.text.espeak_room import EspeakError
from hf_vits.text.front_end import FrontEnd
from hf_vits.text.tracked import TrackedText
from hf_vits.tokenization_vits import VitsTokenizer

logger = logging.getLogger(__name__)

BLANK = "_"
"""Stands at id 0."""


def tokenizer_of_texts(texts: Iterable[str], least: int = 1, **options: Any) -> VitsTokenizer:
    """
    A tokenizer whose vocabulary is that of the texts.

    Args:
        texts (`Iterable[str]`):
            All texts of the data.
        least (`int`, *optional*, defaults to 1):
            How often a symbol must stand in them to be taken up; a voice learns little from fewer.
        options:
            Of the front end, as [`VitsTokenizer`] has them: phonemize, language, phoneme_language, is_uroman, …

    Raises:
        ValueError: if the texts hold no symbol, or for an option that does not exist.
    """
    if unknown := sorted(options.keys() - {item.name for item in fields(FrontEnd)}):
        known = [item.name for item in fields(FrontEnd)]
        raise ValueError(f"There are no tokenizer options {unknown}; known ones are {known}.")
    front_end = FrontEnd(**options)
    symbols = Counter()
    for text in texts:
        try:
            symbols.update(front_end.symbols(TrackedText.original(text, False)).text)
        except EspeakError as error:  # its clip is dropped later, and the others need their symbols
            logger.warning(f"A text has no part in the vocabulary: {error}")
    kept = sorted(symbol for symbol, count in symbols.items() if count >= least and symbol != BLANK)
    if not kept:
        raise ValueError("The texts hold no symbol; is the text column the right one?")
    return VitsTokenizer.of_symbols(
        {symbol: index for index, symbol in enumerate([BLANK, *kept])}, pad_token=BLANK, blank_token=BLANK, **options
    )
