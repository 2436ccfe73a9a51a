"""Encode a text sentence by sentence: the part of a pipeline that needs no model."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from hf_vits.prosody.script import Sentence
from hf_vits.text import sentence_splitter, writing_systems
from hf_vits.text.errors import NoTokensError, UnsupportedTextError, dropped_message

logger = logging.getLogger("hf_vits.pipeline")


class SentenceEncoder:
    """Divide a text into sentences and encode each; a subclass has a `tokenizer` and encodes a sentence with it."""

    tokenizer: Any

    def _encoding(self, sentence: str, **arguments: Any) -> dict:
        """Return `input_ids` and what belongs to them, for the arguments of the tokenizer."""
        raise NotImplementedError

    def _split(self, text: str) -> list[str]:
        return sentence_splitter.split(text, language=getattr(self.tokenizer, "text_language", None))

    def _check_readable(self, text: str, strict: bool, arguments: dict) -> None:
        """Warn once about letters of other scripts; if `strict`, raise for those and for all else that is left out."""
        if not hasattr(self.tokenizer, "letters_of_other_scripts"):  # transformers' own
            return
        if others := self.tokenizer.letters_of_other_scripts(text):
            message = self.tokenizer.supported_scripts.describe(others)
            if strict:
                raise UnsupportedTextError(message)
            if self.tokenizer.phonemize or self.tokenizer.is_uroman:  # otherwise the tokenizer warns of dropping them
                logger.warning(message)
        if strict:
            given = {name: arguments[name] for name in ("expand", "lexicon") if name in arguments}
            dropped = sum((self.tokenizer.dropped_characters(item, **given) for item in self._split(text)), Counter())
            if lost := Counter({character: count for character, count in dropped.items() if character.isalnum()}):
                raise UnsupportedTextError(dropped_message(lost))

    def _encodings(
        self, text: str, sentences: Sequence[str | Sentence], arguments: dict, first: int = 0
    ) -> Iterator[tuple[int, str | Sentence, dict | None]]:
        """Return index, sentence and encoding of each sentence from `first` on, None for one without tokens; if no
        sentence of the text has any, raise the tokenizer's error for the text."""
        is_empty = first == 0
        for index, sentence in enumerate(sentences[first:], first):
            plain = isinstance(sentence, str)
            try:
                with writing_systems.without_warnings():
                    if plain:
                        encoding = self._encoding(sentence, **arguments)
                    else:
                        encoding = self._encoding(sentence.text, **{**arguments, "return_offsets_mapping": True})
            except NoTokensError:  # such as a line of asterisks between paragraphs
                yield index, sentence, None
                continue
            is_empty = False
            yield index, sentence, encoding
        if is_empty:
            yield 0, text, self._encoding(text, **arguments)
