"""Put the figures, pictures and speech of a report into the model card in a voice's folder."""

import html
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_vits.evaluation.eval_results import results_of
from hf_vits.evaluation.pictures import SHOWN
from hf_vits.evaluation.report_page import figures_table, notes
from hf_vits.hub.card_sections import read_card, with_results, with_section
from hf_vits.hub.license import CARD
from hf_vits.utils.atomic_file import new_file
from hf_vits.utils.atomic_folder import new_files
from hf_vits.utils.digests import sha256

SECTION = "hf-vits evaluate"
"""Name of the section of the card, and mark of its results in the metadata."""

MEDIA = "evaluation"
"""Subfolder of the pictures and the audio that the section shows."""


def check_card(voice: str) -> None:
    """
    Check, before anything is spoken, that a voice has a model card that can be added to.

    Raises:
        ValueError: for a voice that is no folder, or a card with metadata that cannot be read.
    """
    folder = Path(voice)
    if not folder.is_dir():
        raise ValueError(
            f"`write_card` writes into the folder of a voice, and {voice} is none. Fetch or convert the voice into a "
            "folder, and give that."
        )
    with_results(read_card(folder / CARD), folder.resolve().name, [], SECTION)


def write_card(folder: Path, report: Mapping[str, Any], source: Path) -> None:
    """
    Add a report to the model card of a voice, or replace what an earlier one added; everything else of the card stays.

    Pictures and audio have new names, and those of an earlier report are removed last, so that the card is never
    without them.

    Args:
        folder (`Path`):
            The folder of the voice; without a card there it gets one.
        report (`Mapping`):
            What [`evaluate_voice`] returned.
        source (`Path`):
            Its folder.
    """
    text = read_card(folder / CARD)
    files = [*report["pictures"], *(row["audio"] for row in report["voice"]["rows"][:SHOWN] if "audio" in row)]
    names = {file: _media_name(source / file) for file in files}
    with new_files(folder) as staged:
        (staged / MEDIA).mkdir()
        for file, name in names.items():
            shutil.copyfile(source / file, staged / name)
    text = with_section(text, SECTION, _section(report, names))
    text = with_results(text, folder.resolve().name, results_of(report), SECTION)
    with new_file(folder / CARD) as staged:
        staged.write_text(text, encoding="utf-8")
    for file in (folder / MEDIA).iterdir():
        if f"{MEDIA}/{file.name}" not in text:
            file.unlink()


def _media_name(file: Path) -> str:
    """Return the place of a file beside the card, by its contents: equal names are equal files."""
    return f"{MEDIA}/{file.stem}-{sha256(file)[:8]}{file.suffix}"


def _section(report: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the section of the card: figures without those of a second voice, pictures, and speech."""
    alone = {**report, "compared": None, "difference": None}
    shown = []
    for number, row in enumerate(report["voice"]["rows"][:SHOWN], 1):
        shown.append(f"> {html.escape(row['text'], quote=False)}")
        if "audio" in row:
            shown.append(f'<audio controls src="{names[row["audio"]]}"></audio>')
        picture = next((file for file in report["pictures"] if file.endswith(f"/{number:04}.png")), None)
        shown += [f"![Mels and F0]({names[picture]})"] if picture else []
    durations = [names[file] for file in report["pictures"] if file.endswith("durations.png")]
    return "\n\n".join(
        [
            "## Evaluation",
            figures_table(alone).markdown(),
            notes(alone),
            *(f"![Lengths of each sentence in several readings]({name})" for name in durations),
            *shown,
        ]
    )
