"""From a text to the ids of a voice: what the tokenizer and a runtime without transformers have in common."""

from collections import Counter
from dataclasses import fields
from typing import Any

from hf_vits.text import vocabulary, writing_systems
from hf_vits.text.errors import check_text, no_tokens_error
from hf_vits.text.expansion.rewriting import Expansion, Rewriting
from hf_vits.text.frontend import FrontEnd, add_special_ids, add_special_spans
from hf_vits.text.lexicon import Lexicon
from hf_vits.text.offsets import Span, TextWithOffsets


class TextToIds:
    """
    The front end of a voice, its vocabulary and its special tokens. A subclass sets, besides the options of a
    [`FrontEnd`] by their names:

    Args:
        encoder (`dict[str, int]`):
            The id of each token.
        lexicon ([`Lexicon`]):
            That of the voice.
        add_blank (`bool`), blank_token (`str`, *optional*):
            Whether a blank is around and between all tokens, and which; id 0 if not given.
        bos_token, eos_token (`str`, *optional*):
            Tokens put before and after the sequence, if `_adds_ends`.
    """

    encoder: dict[str, int]
    lexicon: Lexicon
    add_blank: bool
    blank_token: str | None
    bos_token: str | None
    eos_token: str | None
    _adds_ends: bool
    _known: frozenset[str]
    """Tokens of one character."""

    @property
    def blank_id(self) -> int:
        """Id of the blank between the tokens."""
        return 0 if self.blank_token is None else self.encoder[self.blank_token]

    def dropped_characters(self, text: str, expand: bool = False, lexicon=None) -> Counter:
        """
        Count the characters of a text that are not in the vocabulary.

        Args:
            text (`str`):
                A text of at most 100,000 characters.
            expand, lexicon:
                As in a call.

        Returns:
            `Counter`: How often each character (with `phonemize`, each phoneme) is dropped.

        Raises:
            ValueError: if the text is not a string or is too long.
        """
        return self._tokens(text, False, self.normalize, self._rewriting(expand, lexicon))[1]

    def rewritten(self, text: str, expand: bool = True, lexicon=None) -> list[Expansion]:
        """Return what a call with these arguments rewrites in a text: each place, its reading and the rule."""
        check_text(text)
        return rewriting.found(text) if (rewriting := self._rewriting(expand, lexicon)) else []

    def _rewriting(self, expand: bool | None, lexicon: Any) -> Rewriting | None:
        """Return what to do with a text before the front end; None if there is nothing to do."""
        if not expand and lexicon is None and not self.lexicon:
            return None
        return Rewriting(self.text_language, bool(expand), self.lexicon + Lexicon.of(lexicon), self.phonemize)

    def letters_of_other_scripts(self, text: str) -> Counter:
        """
        Count the letters of scripts that the model's language is not written in, such as Chinese ones for English.

        Such letters are read by their names, pronounced as in another language, or dropped. Single Greek letters,
        Latin words within a text of another script, and text in `[[ ]]` are not counted.

        Args:
            text (`str`):
                A text of any length.

        Returns:
            `Counter`: The number of each of these letters; empty if the model's language is unknown.
        """
        supported = self.supported_scripts
        return Counter() if supported is None else supported.count_others(text)

    @property
    def text_language(self) -> str | None:
        """Language of the texts as an espeak-ng voice, such as "de"; None without phonemes and `language`."""
        return self._front_end(self.normalize).voice if self.phonemize or self.language else None

    @property
    def supported_scripts(self) -> writing_systems.SupportedScripts | None:
        """Scripts of the model's language; None if the language is unknown."""
        return writing_systems.supported_scripts(self._front_end(self.normalize), self._known)

    def _front_end(self, normalize: bool) -> FrontEnd:
        options = {field.name: getattr(self, field.name) for field in fields(FrontEnd)}
        return FrontEnd(**{**options, "normalize": normalize})

    def _tokens(
        self, text: str, track: bool, normalize: bool, rewriting: Rewriting | None
    ) -> tuple[TextWithOffsets, Counter]:
        """Return the tokens of a text that are in the vocabulary, and a count of the others."""
        check_text(text)
        original = TextWithOffsets.original(text, track)
        tokens = self._front_end(normalize).tokens(original if rewriting is None else rewriting(original))
        if not self.phonemize:
            tokens = vocabulary.match_unicode_form(tokens, self._known)
        tokens, dropped = tokens.keep(self._known)
        return (tokens.strip() if normalize and not self.phonemize else tokens), dropped

    def _ids(
        self, text: str, track: bool, normalize: bool | None, with_ends: bool, rewriting: Rewriting | None
    ) -> tuple[list[int], list[Span] | None, Counter]:
        """Return the ids of a text, their spans in it, and a count of what was dropped."""
        tokens, dropped = self._tokens(text, track, self.normalize if normalize is None else normalize, rewriting)
        if not tokens.text:
            raise no_tokens_error(text, dropped, self._known)
        bos, eos = self._bos_eos_ids() if with_ends else (None, None)
        ids = [self.encoder[token] for token in tokens.text]
        ids = add_special_ids(ids, self.blank_id if self.add_blank else None, bos, eos)
        spans = add_special_spans(tokens.spans, self.add_blank, bos is not None, eos is not None) if track else None
        return ids, spans, dropped

    def _bos_eos_ids(self) -> tuple[int | None, int | None]:
        if not self._adds_ends:
            return None, None
        ends = {"bos_token": self.bos_token, "eos_token": self.eos_token}
        vocabulary.check_special_tokens(self.encoder, **ends)  # they may have changed
        return tuple(None if token is None else self.encoder[token] for token in ends.values())
