"""A folder that stock `transformers.VitsModel` loads and speaks the same from, without this package."""

from collections.abc import Iterator
from pathlib import Path

import torch

from hf_vits.configuration_vits import VitsConfig
from hf_vits.export import Voice
from hf_vits.export.graph import inference_copy
from hf_vits.modeling_vits import VitsModel, add_training_modules
from hf_vits.utils.logging import no_progress_bar

LIBRARY = "transformers"

HELP = "config.json, model.safetensors and the tokenizer, for stock transformers without this package"

MOST = 1e-4
"""Largest difference between the two waveforms, of which 1 is full scale."""


def write(voice: Voice, folder: Path) -> Iterator[str]:
    """Writes the folder, and speaks from it with transformers; yields notes on what differs there."""
    model, notes = inference_copy(voice.model), []
    if model.config.inference_only:
        model, _ = add_training_modules(model)
        notes.append("The posterior encoder and whatever else only training uses are new: it speaks, no more.")
    check(model.config)
    with no_progress_bar():
        model.save_pretrained(folder)
    voice.tokenizer.save_pretrained(folder)
    if not voice.tokenizer.is_upstream_equivalent:
        notes.append("transformers' tokenizer would make other ids: give its model those of `hf_vits.VitsTokenizer`.")
    else:
        notes.extend(_without_padding(folder, model.config))
    error = _difference(folder, model)
    if not error <= MOST:
        raise ValueError(f"transformers speaks it {error:.1e} apart; {MOST:.0e} is allowed. Nothing was exported.")
    notes.append(f"transformers speaks it within {error:.1e} of what is spoken here.")
    yield from notes


def _without_padding(folder: Path, config: VitsConfig) -> Iterator[str]:
    """A note if transformers' tokenizer fills up batches with an id for which the model has no row."""
    from transformers import VitsTokenizer as StockTokenizer

    tokenizer = StockTokenizer.from_pretrained(folder)
    pad = tokenizer.pad_token_id
    if pad is None or not 0 <= pad < config.vocab_size:
        yield (
            f"transformers cannot speak a padded batch: its pad symbol {tokenizer.pad_token!r} has the id {pad}, and "
            f"the voice knows ids 0 to {config.vocab_size - 1}. Give it one text at a time, or name a symbol of the "
            "vocabulary as `pad_token` before the export."
        )


def check(config: VitsConfig) -> None:
    """Raises `ValueError` for a model that transformers cannot build, and says by which fields."""
    if config.needs_extension:
        fields = ", ".join(f"{name} {getattr(config, name)!r}" for name in config.beyond_upstream)
        raise ValueError(
            f"transformers' VITS has no {fields}, so it cannot speak this voice. Export it for another target, or "
            "speak it with hf_vits."
        )


@torch.no_grad()
def _difference(folder: Path, model: VitsModel) -> float:
    """Largest difference between the waveforms of ids that run through the vocabulary, without noise."""
    import transformers

    with no_progress_bar():
        stock = transformers.VitsModel.from_pretrained(folder).eval()
    stock.noise_scale = stock.noise_scale_duration = 0.0
    ids = torch.arange(24).remainder(model.config.vocab_size)[None]
    speaker = {"speaker_id": model.config.num_speakers - 1} if model.config.num_speakers > 1 else {}
    theirs = stock(ids, **speaker).waveform
    ours = model.eval()(ids, noise_scale=0.0, noise_scale_duration=0.0, **speaker).waveform
    return (theirs - ours).abs().max().item() if theirs.shape == ours.shape else float("inf")
