"""Target `transformers`: a folder that `transformers.VitsModel` loads without this package, with the same output."""

from collections.abc import Iterator
from pathlib import Path

import torch

from hf_vits.configuration_vits import VitsConfig
from hf_vits.export import Voice, target
from hf_vits.export.graph import inference_copy
from hf_vits.modeling_vits import VitsModel, add_training_modules
from hf_vits.utils.logging import no_progress_bar

MAX_ERROR = 1e-4
"""Largest difference between the two waveforms, of which 1 is full scale."""

FILES = "config.json, model.safetensors and the tokenizer, for transformers without this package"


@target("transformers", FILES, library="transformers", is_graph=False)
def write(voice: Voice, folder: Path) -> Iterator[str]:
    """Write the folder and run it in transformers; yield notes on differences."""
    model, notes = inference_copy(voice.model), []
    if model.config.inference_only:
        model, _ = add_training_modules(model)
        notes.append("Modules that only training uses are newly initialized: use it for inference only.")
    check(model.config)
    with no_progress_bar():
        model.save_pretrained(folder)
    voice.tokenizer.save_pretrained(folder)
    if not voice.tokenizer.is_upstream_equivalent:
        notes.append("transformers' tokenizer would return other ids: give its model those of `hf_vits.VitsTokenizer`.")
    else:
        notes.extend(_without_padding(folder, model.config))
    error = _difference(folder, model)
    if not error <= MAX_ERROR:
        raise ValueError(
            f"The output of transformers differs by {error:.1e}; {MAX_ERROR:.0e} is allowed. Nothing was exported."
        )
    notes.append(f"The output of transformers is within {error:.1e} of the output here.")
    yield from notes


def _without_padding(folder: Path, config: VitsConfig) -> Iterator[str]:
    """Yield a note if transformers' tokenizer pads batches with an id for which the model has no embedding."""
    from transformers import VitsTokenizer as UpstreamTokenizer

    tokenizer = UpstreamTokenizer.from_pretrained(folder)
    pad = tokenizer.pad_token_id
    if pad is None or not 0 <= pad < config.vocab_size:
        yield (
            f"transformers cannot run a padded batch: its pad token {tokenizer.pad_token!r} has the id {pad}, and "
            f"the model knows ids 0 to {config.vocab_size - 1}. Give it one text at a time, or set "
            "`pad_token` to a token of the vocabulary before the export."
        )


def check(config: VitsConfig) -> None:
    """Raise `ValueError` for a model that transformers cannot build, naming the fields."""
    if config.needs_extension:
        fields = ", ".join(f"{name} {getattr(config, name)!r}" for name in config.beyond_upstream)
        raise ValueError(
            f"transformers' VITS has no {fields}, so it cannot run this model. Export it for another target, or "
            "use hf_vits."
        )


@torch.no_grad()
def _difference(folder: Path, model: VitsModel) -> float:
    """Return the largest difference between the waveforms of a text of all tokens, without noise."""
    import transformers

    with no_progress_bar():
        upstream = transformers.VitsModel.from_pretrained(folder).eval()
    upstream.noise_scale = upstream.noise_scale_duration = 0.0
    ids = torch.arange(24).remainder(model.config.vocab_size)[None]
    speaker = {"speaker_id": model.config.num_speakers - 1} if model.config.num_speakers > 1 else {}
    theirs = upstream(ids, **speaker).waveform
    ours = model.eval()(ids, noise_scale=0.0, noise_scale_duration=0.0, **speaker).waveform
    return (theirs - ours).abs().max().item() if theirs.shape == ours.shape else float("inf")
