"""Whether files in the original's layout are the voice they were made of, as this package's own reader finds them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hf_vits.conversion import Converted, convert
from hf_vits.conversion.discriminators import ConvertedDiscriminator
from hf_vits.conversion.judge_shapes import list_or_number
from hf_vits.discriminator import VitsDiscriminator
from hf_vits.export import Voice
from hf_vits.export.graph import twin_of
from hf_vits.export.original_limits import JUDGES
from hf_vits.export.parity import Feed, Waveform, compared
from hf_vits.export.symbols import symbols_of

SETTINGS = (
    *("sampling_rate", "fft_size", "win_length", "num_mel_bins", "mel_fmin", "mel_fmax"),
    *("speaker_names", "hidden_dropout"),
)
"""What the description holds and no tensor does."""

MOST = 1e-6
"""Of a tensor's largest value: what weight norm's division and product may cost."""


@torch.no_grad()
def original_parity(voice: Voice, file: Path, has_front_end: bool) -> str:
    """
    Reads files back, and has what was read speak.

    Args:
        voice (`Voice`):
            What they were made of.
        file (`Path`):
            The weights of the generator; the others are beside it.
        has_front_end (`bool`):
            Whether they can say what the voice does to a text.

    Returns:
        `str`: how near it is, in words.

    Raises:
        ValueError: if a weight, a setting, an id or the sound is not the voice's.
    """
    back = convert(file)
    _same_tensors(voice.model.state_dict(), back.state_dict)
    if voice.discriminator is not None:
        _same_judges(voice.discriminator, back.discriminator)
    _same_settings(voice, back)
    symbols = symbols_of(voice.tokenizer)
    if has_front_end and (back.tokenizer is None or symbols_of(back.tokenizer) != symbols):
        raise ValueError("The voice has other ids for its symbols when it is read back; nothing was exported.")
    model = twin_of(back.model())

    def speak(feed: Feed) -> tuple[np.ndarray, Waveform]:
        ids, lengths = (torch.from_numpy(feed[name]) for name in ("input", "input_lengths"))
        said = model(
            ids,
            attention_mask=(torch.arange(ids.shape[1]) < lengths[:, None]).long(),
            speaker_id=torch.from_numpy(feed["sid"]) if "sid" in feed else None,
            noise_scale=0.0,
            noise_scale_duration=0.0,
            speaking_rate=1 / float(feed["scales"][1]),
        )
        hop = model.config.hop_length
        return said.durations.numpy(), lambda item, frames: said.waveform[item, : frames * hop].numpy()

    return compared(voice, symbols.used, speak)


def _same_tensors(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    for name, tensor in ours.items():
        if name not in theirs:
            raise ValueError(f"{name} is not there when the files are read back; nothing was exported.")
        error = (theirs[name] - tensor.float()).abs().max().item()
        if not error <= MOST * max(1.0, tensor.float().abs().max().item()):
            raise ValueError(f"{name} differs by {error:.1e} when it is read back; nothing was exported.")


def _same_judges(ours: VitsDiscriminator, theirs: ConvertedDiscriminator | None) -> None:
    _same_tensors(ours.state_dict(), theirs.state_dict if theirs else {})
    for name in JUDGES:
        written, found = (list_or_number(getattr(judges.config, name)) for judges in (ours, theirs))
        if written != found:
            raise ValueError(
                f"`{name}` of the discriminators is {written} here and {found} when the files are read back; nothing "
                "was exported."
            )


def _same_settings(voice: Voice, back: Converted) -> None:
    ours, theirs = voice.model.config, back.config
    for name in SETTINGS:
        written, found = (_plain(getattr(config, name), name, config.fft_size) for config in (ours, theirs))
        if written != found:
            raise ValueError(
                f"`{name}` is {written!r} here and {found!r} when the files are read back; nothing was exported."
            )


def _plain(value, name: str, fft_size: int):
    """A setting as it means: a window that is not named is as long as the spectrum's, and no names are none."""
    if name == "win_length":
        return value or fft_size
    return list(value or ()) if name == "speaker_names" else value
