"""A folder that stock `transformers.VitsModel` loads and speaks the same from, without this package."""

from pathlib import Path

import torch

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modeling_vits import VitsModel
from hf_vits.quiet import no_progress_bar
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.starting import completed

MOST = 1e-4
"""Largest difference between the two waveforms, of which 1 is full scale."""


def write(folder: Path, model: VitsModel, tokenizer: VitsTokenizer | None) -> tuple[str, ...]:
    """
    Writes the folder, speaks from it with transformers, and gives notes on what differs there.

    Raises:
        ValueError: if transformers has no such model, or it speaks otherwise.
    """
    notes = ()
    if model.config.inference_only:
        model, _ = completed(model)
        notes += ("The posterior encoder and whatever else only training uses are new: it speaks, no more.",)
    check(model.config)
    with no_progress_bar():
        model.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
        notes += _said_of(tokenizer)
    error = _difference(folder, model)
    if not error <= MOST:
        raise ValueError(f"transformers speaks it {error:.1e} apart; {MOST:.0e} is allowed. Nothing was exported.")
    return (*notes, f"transformers speaks it within {error:.1e} of what is spoken here.")


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


def _said_of(tokenizer: VitsTokenizer) -> tuple[str, ...]:
    if tokenizer._in_upstreams_layout():
        return ()
    return ("transformers' own tokenizer would make other ids: give its model those of `hf_vits.VitsTokenizer`.",)
