"""Scale recordings to the level at which the base model speaks: its posterior encoder knows spectra of that level."""

import logging
from collections.abc import Sequence

import numpy as np
import torch

from hf_vits.data.dataset import VitsDataset
from hf_vits.data.levels import speech_level
from hf_vits.modeling_vits import VitsModel
from hf_vits.training.dataloader import MapLoader, StreamingLoader

logger = logging.getLogger(__name__)

SPOKEN, RECORDED = 8, 64
"""Clips whose texts the base model speaks, and clips that are measured; both spread evenly."""

SMALL_DB = 0.5
"""Difference that is left as it is."""


@torch.no_grad()
def spoken_level(model: VitsModel, texts: Sequence[Sequence[int]], speakers: Sequence[int | None]) -> float:
    """Return the [`speech_level`] at which a model speaks texts, each a list of tokens, by these speakers."""
    training, waveforms = model.training, []
    model.eval()
    for number, (input_ids, speaker) in enumerate(zip(texts, speakers, strict=True)):
        ids = torch.tensor([input_ids], device=model.device)
        source = torch.Generator(model.device).manual_seed(number)
        speaker_id = None if speaker is None or model.config.num_speakers < 2 else speaker
        waveforms.append(model(ids, speaker_id=speaker_id, generator=source).waveform[0].float().cpu().numpy())
    model.train(training)
    return speech_level(waveforms, model.config.sampling_rate)


def match_loudness(
    model: VitsModel, loader: MapLoader | StreamingLoader, evaluated: VitsDataset | None, is_new: bool = False
) -> float:
    """
    Set the gain of training and evaluation clips at which they are as loud as the model; return it.

    One factor for all clips keeps the differences between them. It does not make the measured ones clip.

    Raises:
        ValueError: if the model is new and cannot speak yet, the data is a stream, or its measured clips are silent.
    """
    if is_new:
        raise ValueError("`match_loudness` needs a model that can speak, and this one is new. Set it to false.")
    if not isinstance(loader, MapLoader):
        raise ValueError("`match_loudness` needs data that is no stream. Load it as a whole, or set it to false.")
    measured = list(loader.examples(RECORDED))
    clips = [clip for clip, _ in measured[:: max(1, len(measured) // SPOKEN)]][:SPOKEN]
    waveforms = [waveform.numpy() for _, waveform in measured]
    recorded = speech_level(waveforms, model.config.sampling_rate)
    if not np.isfinite(recorded):
        raise ValueError("`match_loudness` found no speech in the recordings; are they silent?")
    spoken = spoken_level(model, [clip.input_ids for clip in clips], [clip.speaker_id for clip in clips])
    peak = max(float(np.abs(waveform).max(initial=0)) for waveform in waveforms)
    gain = min(10 ** ((spoken - recorded) / 20), 1 / peak) if np.isfinite(spoken) else 1.0
    decibels = 20 * np.log10(gain)
    if abs(decibels) < SMALL_DB:
        return 1.0
    for dataset in (loader.clips_dataset, evaluated):
        if dataset is not None:
            dataset.gain = gain
    logger.info(f"All recordings are scaled by {decibels:+.1f} dB, to the level at which the base model speaks.")
    return gain
