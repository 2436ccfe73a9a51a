"""The card of a voice that came from elsewhere or goes there: what was left out, and under what licence it stands."""

from collections.abc import Sequence

from huggingface_hub import ModelCard, ModelCardData

from hf_vits.cards import language_code, versions
from hf_vits.origin import Origin
from hf_vits.tokenization_vits import VitsTokenizer


def card(
    name: str,
    origin: Origin | None,
    tokenizer: VitsTokenizer | None,
    notes: Sequence[str],
    library: str = "hf_vits",
) -> ModelCard:
    """
    Args:
        name (`str`):
            Of the voice.
        origin ([`Origin`], *optional*):
            Its licence and what it was made from.
        tokenizer ([`VitsTokenizer`], *optional*):
            Says which language it speaks.
        notes (`Sequence[str]`):
            Of the conversion.
        library (`str`, *optional*, defaults to `"hf_vits"`):
            What reads its files.
    """
    origin = origin or Origin()
    data = ModelCardData(
        license=origin.license,
        license_name=origin.license_name,
        license_link=origin.license_link,
        base_model=origin.on_hub or None,
        language=origin.language or (language_code(tokenizer) if tokenizer else None),
        library_name=library,
        pipeline_tag="text-to-speech",
        tags=["text-to-speech", "vits"],
    )
    known = f"Its licence: {origin.license_in_words}."
    terms = known if origin.license else "Its licence is not known here: add that of the voice it was converted from."
    told = "\n".join(f"- {note}" for note in notes)
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n# {name}\n\n{terms}\n\n## Conversion\n\n{told}\n\n{versions()}\n")
