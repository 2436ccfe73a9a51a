"""Under what licence a voice may be passed on, from its card, its base and its name."""

import re
from collections.abc import Iterator

from hf_vits.doctor.finding import Finding, note, warning
from hf_vits.doctor.folder import Folder
from hf_vits.files import LARGEST_TABLE
from hf_vits.origin import CARD, CARD_BESIDE, MMS, MMS_LICENSE, origin_of
from hf_vits.wording import quoted


def check_licence(folder: Folder) -> Iterator[Finding]:
    """What the card says, and whether the base says otherwise."""
    for card in (CARD, CARD_BESIDE):
        file = folder.path / card
        if card in folder.entries and file.is_file() and file.stat().st_size > LARGEST_TABLE:
            yield warning("licence.card", f"{card} has {file.stat().st_size:,} bytes; it was not read.", "Cut it.")
            return
    origin = origin_of(str(folder.path))
    called = folder.raw.get("_name_or_path")
    bases = [*origin.on_hub, *([called] if isinstance(called, str) else [])]
    mms = next((base for base in bases if MMS.fullmatch(base)), None)
    facts = {"license": origin.license, "bases": bases}
    if mms and not origin.is_non_commercial:
        said = f"its card says {quoted(origin.license)}" if origin.license else "its card names no licence"
        text = f"The voice was made from {quoted(mms)}, which has the licence {MMS_LICENSE}, but {said}."
        yield warning(
            "licence.base", text, f"What is made from MMS may not be used commercially: name {MMS_LICENSE}.", **facts
        )
    elif origin.is_non_commercial:
        text = f"The licence is {origin.license}: neither the voice nor what is made from it may be used commercially."
        yield warning(
            "licence.non_commercial", text, "Start from a voice with another licence, if that is not meant.", **facts
        )
    elif not origin.license:
        base = f" It was made from {', '.join(map(quoted, bases))}." if bases else ""
        text = f"No licence is named in {CARD}.{base}"
        mend = "Before it is passed on, find out that of its base and its recordings, and name it there as `license`."
        yield note("licence.unknown", text, mend, **facts)
    elif re.search(r"research", f"{origin.license} {origin.license_name} {origin.terms}", re.IGNORECASE):
        yield note("licence.research", f"The licence is {origin.license_in_words}.", **facts)
