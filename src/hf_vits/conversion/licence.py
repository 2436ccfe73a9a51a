"""Under what licence a voice in another project's layout stands, where its own files do not tell."""

from hf_vits.conversion.source import Source
from hf_vits.origin import Origin, held_to_base, origin_beside


def licence_beside(source: Source) -> tuple[Origin | None, tuple[str, ...]]:
    """What the card beside a voice says, which exports from here have and voices on the Hub may have; and a note."""
    origin = origin_beside(source.path if source.path.is_dir() else source.path.parent)
    if origin is None:
        return None, ()
    origin = held_to_base(origin)
    return origin, licence_note(origin)


def licence_note(origin: Origin) -> tuple[str, ...]:
    """One line on a licence that is known."""
    if not origin.license:
        return ()
    forbidden = " Nothing made from it may be used commercially." if origin.is_non_commercial else ""
    return (f"Its licence, by its card or name: {origin.license_in_words}.{forbidden}",)
