"""The card of a converted voice: what it is, what was left out, and under what licence it stands."""

from collections.abc import Sequence

from huggingface_hub import ModelCard, ModelCardData

from hf_vits.cards import language_code, versions
from hf_vits.tokenization_vits import VitsTokenizer


def card(name: str, license: str | None, tokenizer: VitsTokenizer | None, notes: Sequence[str]) -> ModelCard:
    """
    Args:
        name (`str`):
            Of the voice.
        license (`str`, *optional*):
            As in a card's metadata.
        tokenizer ([`VitsTokenizer`], *optional*):
            Says which language it speaks.
        notes (`Sequence[str]`):
            Of the conversion.
    """
    data = ModelCardData(
        license=license,
        language=language_code(tokenizer) if tokenizer else None,
        library_name="hf_vits",
        pipeline_tag="text-to-speech",
        tags=["text-to-speech", "vits"],
    )
    terms = "" if license else "Its licence is not known here: add that of the voice it was converted from.\n\n"
    told = "\n".join(f"- {note}" for note in notes)
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n# {name}\n\n{terms}## Conversion\n\n{told}\n\n{versions()}\n")
