"""Expand a text as the options of `hf-vits speak` ask for, and print its reading (`--explain`)."""

import argparse
import sys
from functools import partial

from hf_vits.utils.formatting import quoted


def reading(options: argparse.Namespace, tokenizer, text: str) -> dict:
    """
    Return the arguments `expand` and `lexicon` for the options, with the user's own lexicon if there is one.

    Raises:
        OSError: for a lexicon that cannot be read.
        ValueError: for a wrong line in it, or phonemes for a voice of letters.
    """
    from hf_vits.text.expansion.numbers import is_available
    from hf_vits.text.expansion.rewriting import Rewriting
    from hf_vits.text.lexicon import Lexicon, user_lexicon

    expand = not options.no_expand and is_available()
    if not expand and not options.no_expand and any(map(str.isdigit, text)):
        print('Numbers are read as espeak-ng reads them; `pip install "hf_vits[words]"` does better.', file=sys.stderr)
    own, given = user_lexicon(), Lexicon.of(options.lexicon)
    if own.is_file():
        lexicon = Lexicon.of(own)
        given = (lexicon if tokenizer.phonemize else lexicon.without_phonemes()) + given
    Rewriting(None, lexicon=given, phonemes=tokenizer.phonemize)  # raises for phonemes that the voice cannot read
    return {"expand": expand, "lexicon": given}


def explain(options: argparse.Namespace, text: str) -> int:
    """Print the sentences of a text, what is rewritten in each, by which rule, and its phonemes or letters."""
    from hf_vits.conversion.resolve import resolve_voice
    from hf_vits.ssml import VoiceTraits, is_ssml, read_ssml
    from hf_vits.text.errors import NoTokensError
    from hf_vits.text.sentence_splitter import split
    from hf_vits.tokenization_vits import VitsTokenizer

    tokenizer = VitsTokenizer.from_pretrained(resolve_voice(options.voice, "tokenizer_config.json"))
    arguments = reading(options, tokenizer, text)
    divide = partial(split, language=tokenizer.text_language)
    sentences = divide(text)
    if is_ssml(text):
        script = read_ssml(text, VoiceTraits(tokenizer.text_language, tokenizer.phonemize))
        sentences = [sentence.text for sentence in script.sentences(divide)]
        for part in script.ignored:
            print(f"without effect: {part}")
    for sentence in sentences:
        print(sentence)
        found = tokenizer.rewritten(sentence, **arguments)
        rows = [(item.written.strip(), item.spoken.strip(), item.rule) for item in found]
        widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
        for written, spoken, rule in rows:
            print(f"    {written:{widths[0]}}  {spoken:{widths[1]}}  {rule}")
        try:
            print(f"    {tokenizer.decode(tokenizer(sentence, **arguments)['input_ids'])}")
        except NoTokensError:
            print(f"    nothing is spoken of {quoted(sentence)}")
    return 0
