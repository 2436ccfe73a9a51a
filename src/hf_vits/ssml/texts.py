"""Divide a text into sentences: a plain one, one whose words have a prosody of their own, or an SSML document."""

import logging
from collections.abc import Mapping
from typing import Any

from hf_vits.prosody.arguments import with_prosody
from hf_vits.prosody.script import Sentence, Split
from hf_vits.ssml.document import is_ssml, read_ssml
from hf_vits.ssml.reader import VoiceTraits
from hf_vits.ssml.values import SsmlError
from hf_vits.text.errors import NoTokensError
from hf_vits.utils.formatting import listed

logger = logging.getLogger(__name__)


def scripted_sentences(
    text: str, voice: VoiceTraits, split: Split, prosody: Mapping[str, Any], strict: bool | None = None
) -> list[Sentence] | None:
    """
    Return the sentences of an SSML document, or of a text with a prosody; None for any other text.

    Args:
        text (`str`):
            The text.
        voice ([`VoiceTraits`]):
            What the voice can do.
        split (`Callable`):
            Divides a plain text into sentences.
        prosody (`Mapping`):
            What `check_prosody` returned.
        strict (`bool`, *optional*):
            Refuse a document with parts that have no effect; if `False`, warn of them.

    Raises:
        SsmlError: for a document that cannot be spoken.
        NoTokensError: a `ValueError`, for a document without text.
        ValueError: for a prosody that does not fit to the text.
    """
    if is_ssml(text):
        script = read_ssml(text, voice)
        if script.ignored and strict is not None:
            message = f"The SSML document has parts without effect here: {listed(script.ignored, 20, 300)}."
            if strict:
                raise SsmlError(f"{message} Leave them out, or `strict`.")
            logger.warning(message)
        sentences = script.sentences(split)
        if not sentences:
            raise NoTokensError("The SSML document has no text that is left to speak. Put text in it.")
    elif prosody:
        sentences = [Sentence.plain(sentence) for sentence in split(text)]
    else:
        return None
    return with_prosody(sentences, prosody) if prosody else sentences
