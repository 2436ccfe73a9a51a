"""Rewrite a text as it is read: words of a lexicon first, then written forms, with the place of each in the text."""

from dataclasses import dataclass

from hf_vits.text.expansion.expand import Expansion, expanded, expansions, with_stop
from hf_vits.text.lexicon import Lexicon, refuse_phonemes
from hf_vits.text.offsets import TextWithOffsets
from hf_vits.text.phoneme_blocks import BLOCK


@dataclass(frozen=True)
class Rewriting:
    """
    The options of rewriting a text.

    Args:
        language (`str`, *optional*):
            Language of the texts as an ISO code or espeak voice.
        expand (`bool`):
            Expand written forms.
        lexicon ([`Lexicon`]):
            Readings of words.
        phonemes (`bool`):
            True if the voice reads phonemes.

    Raises:
        ValueError: if the lexicon has phonemes and the voice reads letters.
    """

    language: str | None
    expand: bool = False
    lexicon: Lexicon = Lexicon()
    phonemes: bool = True

    def __post_init__(self):
        if not self.phonemes:
            refuse_phonemes(self.lexicon.entries)

    def found(self, text: str) -> list[Expansion]:
        """Return what is rewritten in a text, in its order, with places in it."""
        original = TextWithOffsets.original(text, track=True).composed()
        found = self._found(original)
        return [
            item._replace(**dict(zip(("start", "end"), original.span(item.start, item.end), strict=True)))
            for item in found
        ]

    def _found(self, text: TextWithOffsets) -> list[Expansion]:
        blocks = bytearray(len(text.text))
        for block in BLOCK.finditer(text.text):
            blocks[block.start() : block.end()] = b"\1" * len(block[0])
        out = []
        for start, end, entry in self.lexicon.matches(text.text, self.language):
            if 1 not in blocks[start:end]:
                spoken = with_stop(text.text, text.text[start:end], end, entry.reading, self.language)
                out.append(Expansion(start, end, text.text[start:end], spoken, "lexicon"))
        if self.expand:
            out += expansions(text.text, self.language, [(item.start, item.end) for item in out])
        return sorted(out)

    def __call__(self, text: TextWithOffsets) -> TextWithOffsets:
        """Return the rewritten text; what is new in it has the span of the written form."""
        text = text.composed()
        return expanded(text, self._found(text))
