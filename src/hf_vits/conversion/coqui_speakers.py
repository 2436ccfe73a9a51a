"""Who speaks in a Coqui voice, and in which languages: names, and the vectors that are kept outside of the network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.conversion.coqui_json import CoquiVoice
from hf_vits.conversion.only_speaker import TABLE, Tensors, fold_only_speaker
from hf_vits.conversion.original import PARAMETERS
from hf_vits.conversion.rows import row_names
from hf_vits.conversion.source import Source
from hf_vits.files import read_json
from hf_vits.weights import read_contents
from hf_vits.wording import listed

SPEAKERS = ("speakers.pth", "speaker_ids.json", "speakers.json", "speaker_ids.pth")
LANGUAGES = ("language_ids.json", "language_ids.pth")
VECTORS = ("d_vectors.pth", "d_vectors.json", "speakers.pth", "speakers.json")
"""How such files are called where the configuration does not say."""

LARGEST_FILE = 2**29
"""Bytes; a vector for each of a hundred thousand clips has as many."""

Notes = tuple[str, ...]


def speakers(tensors: Tensors, voice: CoquiVoice, source: Source) -> tuple[Tensors, list[str] | None, Notes]:
    """
    Tensors by original name -> the same with a table of all speakers that there are several of, their names and notes.

    Raises:
        FileNotFoundError: if the vectors are in a file, which is missing.
        ValueError: if a file is damaged or does not fit the network, or it cannot do without its only speaker.
    """
    size = next((tensors[name].shape[1] for p in PARAMETERS if (name := f"dec.cond{p}") in tensors), 0)
    if TABLE in tensors:
        names, notes = _speaker_names(len(tensors[TABLE]), voice, source)
    elif size:
        tensors, names, notes = _with_table(tensors, size, voice, source)
    else:
        return tensors, None, ()
    if len(tensors[TABLE]) > 1:
        return tensors, names, notes
    folded, note = fold_only_speaker(tensors)
    return folded, names, (*notes, *note)


def _with_table(tensors: Tensors, size: int, voice: CoquiVoice, source: Source) -> tuple[Tensors, list[str], Notes]:
    """A network that takes vectors from outside -> one with a table of them."""
    vectors = _vectors(voice, source)
    names = sorted(vectors)
    odd = next((name for name in names if len(vectors[name]) != size), None)
    if odd is not None:
        raise ValueError(
            f"The vector of {odd!r} has {len(vectors[odd])} numbers, but the network takes {size}. Do the files belong "
            "together?"
        )
    table = F.normalize(torch.stack([vectors[name] for name in names]))  # as Coqui does at each call
    note = f"The mean of each speaker's vectors became the speaker's row of a table: {listed(names)}."
    return {**tensors, TABLE: table.float()}, names, (note,)


def _speaker_names(count: int, voice: CoquiVoice, source: Source) -> tuple[list[str] | None, Notes]:
    """Names of the rows of a table of so many speakers, or `None`; and notes."""
    if voice.speakers:
        rows = {name: row for row, name in enumerate(voice.speakers)}
        return row_names(rows, count, "speaker", str(voice.fields.file))
    file = source.beside(*voice.speaker_files, *SPEAKERS)
    if file is None:
        wanted = (voice.speaker_files or SPEAKERS)[0]
        return None, (f"The speakers have no names: there is no {wanted} beside the checkpoint.",)
    return row_names(_contents(file), count, "speaker", str(file))


def language_names(count: int, voice: CoquiVoice, source: Source) -> tuple[list[str] | None, Notes]:
    """Names of the rows of a table of so many languages, or `None`; and notes."""
    file = source.beside(*voice.language_files, *LANGUAGES)
    if file is not None:
        return row_names(_contents(file), count, "language", str(file))
    if len(voice.languages) != count:
        return None, (f"The {count} languages have no names: there is no {LANGUAGES[0]} beside the checkpoint.",)
    return list(voice.languages), ()


def _vectors(voice: CoquiVoice, source: Source) -> dict[str, Tensor]:
    """The mean of the vectors of each speaker (S,), by name."""
    wanted = voice.vector_files or VECTORS[:1]
    files = [file for name in wanted if (file := source.beside(name))]
    if not files and (usual := source.beside(*VECTORS)):
        files = [usual]
    elif len(files) < len(wanted):
        raise FileNotFoundError(
            "This voice takes speaker vectors from outside, and a file of them is missing. Put "
            f"{', '.join(wanted)} of the run (Coqui's `d_vector_file`) beside {source.path.name}."
        )
    clips: dict[str, list[Tensor]] = {}
    for file in files:
        contents = _contents(file)
        for clip, entry in contents.items():
            if not (isinstance(entry, Mapping) and isinstance(entry.get("name"), str)):
                raise ValueError(f"{file} has no name and vector for {str(clip)[:60]!r}; it is no file of vectors.")
            clips.setdefault(entry["name"], []).append(_vector(entry.get("embedding"), file))
    if not clips:
        raise ValueError(f"{files[0]} holds no vector.")
    return {name: _mean(vectors, name) for name, vectors in clips.items()}


def _mean(vectors: list[Tensor], name: str) -> Tensor:
    if len({len(vector) for vector in vectors}) > 1:
        raise ValueError(f"The vectors of {name!r} are not all of one length.")
    return torch.stack(vectors).mean(dim=0)


def _vector(value: Any, file: Path) -> Tensor:
    try:
        vector = torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{file} has an `embedding` that is no list of numbers ({error}).") from error
    if vector.dim() != 1 or not len(vector) or not vector.isfinite().all():
        raise ValueError(f"{file} has an `embedding` of the shape {tuple(vector.shape)}; it must be a list of numbers.")
    return vector


def _contents(file: Path) -> Mapping[str, Any]:
    """The table in a file of names or vectors."""
    contents = read_json(file, LARGEST_FILE) if file.suffix == ".json" else read_contents(file)
    if not isinstance(contents, Mapping) or not contents:
        raise ValueError(f"{file} holds a {type(contents).__name__} and no table of names; fetch it again.")
    return contents
