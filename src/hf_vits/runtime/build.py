"""Make the graphs of a voice, once: `python -m hf_vits.runtime.build FOLDER`, which `hf-vits speak` starts."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_vits.runtime.graphs import DESCRIPTION, Graphs, find, folder_of, graphs_folder, remove_oldest
from hf_vits.runtime.noise import TorchGenerator
from hf_vits.runtime.speech import SPEECH, TEXT, OnnxSpeech
from hf_vits.text.lexicon import Lexicon
from hf_vits.utils.atomic_folder import new_folder
from hf_vits.utils.digests import record_digests, voice_digest

if TYPE_CHECKING:
    from hf_vits.modeling_vits import VitsModel
    from hf_vits.tokenization_vits import VitsTokenizer

CONFIG_FIELDS = (
    *("sampling_rate", "hop_length", "num_speakers", "speaker_names", "num_languages", "language_names"),
    *("noise_scale", "noise_scale_duration", "speaking_rate", "use_stochastic_duration_prediction"),
)
"""What the runtime knows of a configuration."""

TOKENIZER_FIELDS = ("encoder", "add_blank", "blank_token", "bos_token", "eos_token", "_adds_ends")
"""What the runtime knows of a tokenizer, besides the options of its front end."""

MAX_ERROR = 1e-4
"""Largest difference of samples within ±1 from PyTorch's, with the same noise."""

LENGTHS = (1, 9, 40)
"""Tokens of the texts that are compared."""


def start(voice: Path) -> None:
    """Make the graphs of a voice in a process of its own, which goes on when this one has ended."""
    if not sys.executable:
        return
    silent = {name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with suppress(OSError):
        command = [sys.executable, "-m", __name__, os.path.abspath(voice)]
        subprocess.Popen(command, **silent, start_new_session=True, env=environment)


def build(voice: Path, wait: bool = True) -> Graphs | None:
    """
    Return the graphs of a voice, after making them if there are none.

    Args:
        voice (`Path`):
            A model folder.
        wait (`bool`, *optional*, defaults to `True`):
            If another process makes them, wait for it; otherwise return `None`.

    Raises:
        ImportError: without the packages onnx and onnxruntime.
        OSError: if the cache cannot be written to.
        ValueError: if the voice cannot be loaded.
    """
    from filelock import FileLock, Timeout

    folder = folder_of(voice)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.parent / "sources" / f"{folder.name}.lock", timeout=-1 if wait else 0):
            if (found := find(voice)) is None:
                _make(voice, folder)
                found = find(voice)
            remove_oldest()
            return found
    except Timeout:
        return None


def _make(voice: Path, folder: Path) -> None:
    import torch

    from hf_vits.export import needed
    from hf_vits.modeling_vits import VitsModel
    from hf_vits.tokenization_vits import VitsTokenizer

    for package in ("onnx", "onnxruntime"):
        needed(package)
    tokenizer = VitsTokenizer.from_pretrained(voice)
    model = VitsModel.from_pretrained(voice, dtype=torch.float32)  # as `hf-vits speak` loads it
    if folder.is_file():
        folder.unlink()
    with new_folder(folder, overwrite=folder.is_dir()) as staged:
        description = described(model, tokenizer)
        names = [DESCRIPTION]
        if "refused" not in description:
            try:
                _write_graphs(model, staged)
                _compare(model, tokenizer, OnnxSpeech(staged, description, Lexicon(), threads=1))
                names += [TEXT, SPEECH]
            except Exception as error:  # of the exporter, of onnxruntime, or of a decoder of another package
                description = {"refused": f"its graphs cannot be used ({str(error).splitlines()[0][:200]})"}
                for name in (TEXT, SPEECH):
                    (staged / name).unlink(missing_ok=True)
        (staged / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False), encoding="utf-8")
    record_digests(folder, names)


def described(model: "VitsModel", tokenizer: "VitsTokenizer") -> dict[str, Any]:
    """Return what the runtime needs beside the graphs; or, under `"refused"`, why it cannot speak with this voice."""
    from hf_vits.text.frontend import FrontEnd

    if tokenizer.upstream_compatible:
        return {"refused": "its tokenizer has the option `upstream_compatible`"}
    if max(tokenizer.encoder.values()) >= model.config.vocab_size:
        return {"refused": "its tokenizer has ids that the model does not know"}
    names = (*TOKENIZER_FIELDS, *(field.name for field in fields(FrontEnd)))
    options = {name: getattr(tokenizer, name) for name in names}
    ends = {name: options[name] and str(options[name]) for name in ("blank_token", "bos_token", "eos_token")}
    return {
        "config": {name: getattr(model.config, name) for name in CONFIG_FIELDS},
        "tokenizer": {**options, **ends},
        "digest": voice_digest(model),
    }


def _write_graphs(model: "VitsModel", folder: Path) -> None:
    import torch

    from hf_vits.export.graph import PriorToWaveform, TextToPrior
    from hf_vits.export.onnx_graph import finished, traced

    config, tokens, frames = model.config, {1: "tokens"}, {2: "frames"}
    number = torch.zeros(1, dtype=torch.long), {}
    sid = {"sid": number} if config.num_speakers > 1 else {}
    lid = {"lid": number} if config.num_languages > 1 else {}
    inputs = {"ids": (torch.zeros(1, 7, dtype=torch.long), tokens), "noise": (torch.zeros(1, 2, 7), {2: "tokens"})}
    outputs = {name: {2: "tokens"} for name in ("mean", "log_std", "log_durations")}
    text = traced(TextToPrior(model), {**inputs, **sid, **lid}, outputs)
    (folder / TEXT).write_bytes(finished(text, "float32"))
    inputs = {"sample": (torch.zeros(1, config.flow_size, 5), frames), **sid}
    speech = traced(PriorToWaveform(model), inputs, {"samples": {2: "time"}})
    (folder / SPEECH).write_bytes(finished(speech, "float32"))


def _compare(model: "VitsModel", tokenizer: "VitsTokenizer", speech: OnnxSpeech) -> None:
    """Raise `ValueError` if samples differ from PyTorch's, with noise and for the last speaker and language."""
    import torch

    config, random = model.config, np.random.default_rng(0)
    chosen = {"sid": config.num_speakers - 1, "lid": config.num_languages - 1}
    scales = {"speaking_rate": 0.8, "noise_scale": 0.5, "noise_scale_duration": 0.5}
    for length in LENGTHS:
        ids = random.choice(list(tokenizer.encoder.values()), length).tolist()
        actual = speech.waveform(speech.prior(ids, chosen, TorchGenerator(length), **scales), chosen)
        call = {"generator": torch.Generator().manual_seed(length), **scales}
        with torch.no_grad():
            out = model(torch.tensor([ids]), speaker_id=chosen["sid"], language_id=chosen["lid"], **call)
        expected = out.waveform[0].numpy()
        error = np.abs(actual - expected).max() if actual.shape == expected.shape else np.inf
        if not error <= MAX_ERROR:
            raise ValueError(f"samples differ by {error:.1e} from PyTorch's")


def main(voice: str) -> None:
    """Make the graphs of a voice, with what the machine has to spare."""
    if hasattr(os, "nice"):
        os.nice(10)
    graphs_folder().mkdir(parents=True, exist_ok=True)
    build(Path(voice), wait=False)


if __name__ == "__main__":
    main(sys.argv[1])
