"""The exported graphs of voices in the cache, by the digest of the voice; those that are damaged count as absent."""

import hashlib
import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import hf_vits
from hf_vits.conversion.default_voice import cache_folder
from hf_vits.hub.model_files import CONFIG, WEIGHTS
from hf_vits.runtime.speech import SPEECH, TEXT, OnnxSpeech
from hf_vits.text.lexicon import FILE as LEXICON
from hf_vits.text.lexicon import Lexicon
from hf_vits.text.vocabulary import FILES as TOKENIZER_FILES
from hf_vits.utils.digests import changed_file, has_record, known_digests

VERSION = 1
"""Part of the digest; increased when the graphs or their description change."""

DESCRIPTION = "voice.json"
"""What a voice is beside its graphs; or, under `"refused"`, why it has none."""

KEPT = 8
"""Voices whose graphs are kept, the last used ones: each takes the space of its weights, and a training run makes a
new voice with every checkpoint."""


class Graphs(NamedTuple):
    """A folder of graphs, and the description in it."""

    folder: Path
    description: dict[str, Any]

    @property
    def refused(self) -> str | None:
        """Why the voice has no graphs."""
        return self.description.get("refused")

    def load(self, voice: Path, threads: int) -> OnnxSpeech:
        """Return the voice, to speak with; exceptions are those of onnxruntime and of a wrong lexicon."""
        file = voice / LEXICON
        return OnnxSpeech(self.folder, self.description, Lexicon.of(file if file.is_file() else None), threads)


def graphs_folder() -> Path:
    """Return the folder of all graphs."""
    return cache_folder() / "onnx"


def folder_of(voice: Path) -> Path:
    """Return the folder for the graphs of a voice, a model folder; its weights are read only if they have changed."""
    names = sorted(
        name for name in os.listdir(voice) if name in (CONFIG, LEXICON, *TOKENIZER_FILES) or WEIGHTS.fullmatch(name)
    )
    sources = graphs_folder() / "sources"
    with suppress(OSError):
        sources.mkdir(parents=True, exist_ok=True)
    place = hashlib.sha256(os.fsencode(os.path.realpath(voice))).hexdigest()[:16]
    digests = known_digests(voice, names, sources / f"{place}.json")
    known = json.dumps([VERSION, hf_vits.__version__, digests], sort_keys=True)
    return graphs_folder() / hashlib.sha256(known.encode()).hexdigest()[:16]


def find(voice: Path) -> Graphs | None:
    """Return the graphs of a voice; `None` if there are none, or damaged ones."""
    try:
        folder = folder_of(voice)
        description = json.loads((folder / DESCRIPTION).read_bytes())
        names = [DESCRIPTION] if "refused" in description else [DESCRIPTION, TEXT, SPEECH]
        if not has_record(folder) or changed_file(folder, names) is not None:
            return None
        os.utime(folder, ns=(time.time_ns(),) * 2)  # the system's own clock for files has steps of milliseconds
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return Graphs(folder, description)


def remove_oldest() -> None:
    """Remove the graphs that were not used for longest, if there are more than are kept."""
    with suppress(OSError):
        folders = [file.parent for file in graphs_folder().glob(f"*/{DESCRIPTION}")]
        for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(folder, ignore_errors=True)
