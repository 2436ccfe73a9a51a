"""Read the pitch of speech in latents: a small network that is trained on speech whose latents are known.

The divergence from the prior does not tell the posterior encoder which pitch a recording has, since the prior follows
from the text. With the network, what the latents say of pitch can be compared with the recording.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from hf_vits.configuration_vits import VitsConfig
from hf_vits.data.dataset import VitsDataset
from hf_vits.prosody.fundamental import STEP, fundamental_frequency
from hf_vits.training.initialization import seeded
from hf_vits.training.losses import pitch_loss, voicing_loss

READER_STEPS, CROPS, CROP_FRAMES, LEARNING_RATE, WEIGHT_DECAY = 1200, 3, 200, 1e-3, 0.05
"""Steps of the network's training, crops in each, their frames, and settings of AdamW."""

LATENT_NOISE = 0.1
"""Standard deviation of noise on the latents that it is trained on."""

HIDDEN_CHANNELS, KERNEL_SIZE = 96, 5

LEAST_RATE = 5000
"""Samples per second above which F0 is tracked in every so many samples; it looks at what is below 1.1 kHz."""


@dataclass(frozen=True)
class Example:
    """Latents (C, T_spec), F0 of their frames (T_spec,) in hertz, 0 where unvoiced, and the speaker's id, if any."""

    latents: Tensor
    f0: Tensor
    speaker_id: int | None = None


@dataclass(frozen=True)
class PitchOutput:
    """
    What the losses of pitch take, each (B, T_spec).

    Args:
        octaves, voicing (`Tensor`):
            Pitch as it is read in latents, in octaves above its median; and logits of voicing.
        target, voiced (`Tensor`):
            Pitch of the recordings, above their median; and one where they are voiced, else zero.
        mask (`Tensor`):
            One at frames, zero at padding.
    """

    octaves: Tensor
    voicing: Tensor
    target: Tensor
    voiced: Tensor
    mask: Tensor
    requested_losses: tuple[str, ...] = ("pitch", "voicing")


class PitchReader(nn.Module):
    """
    Read pitch and voicing in latents.

    Args:
        channels (`int`):
            Channels of the latents.
    """

    def __init__(self, channels: int):
        super().__init__()
        widths = [channels, HIDDEN_CHANNELS, HIDDEN_CHANNELS]
        layers = []
        for width, next_width in zip(widths, widths[1:], strict=False):
            layers += [nn.Conv1d(width, next_width, KERNEL_SIZE, padding=KERNEL_SIZE // 2), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Conv1d(HIDDEN_CHANNELS, 2, 1))

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """latents (B, C, T_spec) -> octaves above the median, and logits of voicing, each (B, T_spec), in float32."""
        with torch.autocast(latents.device.type, enabled=False):
            octaves, voicing = self.layers(latents.float()).unbind(dim=1)
        return octaves, voicing

    def read(self, latents: Tensor, f0: Tensor, medians: Tensor, mask: Tensor) -> PitchOutput:
        """latents (B, C, T_spec), F0 (B, T_spec) of what they should say and its medians (B,) in hertz, mask of frames
        (B, T_spec) -> PitchOutput."""
        voiced = (f0 > 0).float() * mask
        target = torch.log2(torch.where(f0 > 0, f0, 1.0) / medians[:, None]) * voiced
        return PitchOutput(*self(latents), target, voiced, mask)


def pitch_of_frames(waveform: Tensor, sampling_rate: int, hop_length: int) -> Tensor:
    """waveform (T_wav,) -> F0 (T_wav // hop_length,) in hertz at the centre of each frame, 0 where it is unvoiced."""
    factor = max(1, sampling_rate // LEAST_RATE)
    samples = waveform.detach().float().cpu().numpy()
    fewer = len(samples) // factor
    spectrum = np.fft.rfft(samples)[: fewer // 2 + 1]
    rate = sampling_rate * fewer / len(samples)
    f0 = fundamental_frequency(np.fft.irfft(spectrum, fewer) * fewer / len(samples), rate)
    centres = (np.arange(len(samples) // hop_length) + 0.5) * hop_length / sampling_rate
    index = np.round(centres / STEP).astype(int).clip(0, len(f0) - 1)
    return torch.from_numpy(f0[index].astype(np.float32))


def median_pitches(spoken: Iterable[tuple[int | None, Tensor]]) -> dict[int | None, float]:
    """Ids of speakers and F0 (T_spec,) of their speech -> the median of each in hertz, and of all by `None`; empty if
    all of it is unvoiced."""
    voiced = defaultdict(list)
    for speaker_id, f0 in spoken:
        for key in {speaker_id, None}:
            voiced[key].append(f0[f0 > 0])
    joined = {key: torch.cat(values) for key, values in voiced.items()}
    return {key: float(np.median(values.numpy())) for key, values in joined.items() if len(values)}


def clips_by_speaker(recordings: VitsDataset, config: VitsConfig, most: int) -> dict[int | None, list[int]]:
    """Return the numbers of the clips to measure of each speaker, `most` in all, spread evenly; `None` is the only
    speaker of a model."""
    found: dict[int | None, list[int]] = {}
    for number, clip in enumerate(recordings.clips):
        found.setdefault(clip.speaker_id if config.num_speakers > 1 else None, []).append(number)
    share = max(1, most // len(found))
    return {
        key: [numbers[len(numbers) * place // share] for place in range(share)] if len(numbers) > share else numbers
        for key, numbers in sorted(found.items(), key=lambda item: -1 if item[0] is None else item[0])
    }


def recorded_pitches(
    recordings: VitsDataset, by_speaker: dict[int | None, list[int]], config: VitsConfig
) -> dict[int | None, float]:
    """Return the median F0 of clips of each speaker in hertz, as [`median_pitches`] does."""
    sizes = config.sampling_rate, config.hop_length
    return median_pitches(
        (speaker_id, pitch_of_frames(recordings[number][1], *sizes))
        for speaker_id, numbers in by_speaker.items()
        for number in numbers
    )


def pitch_ratio(speaker_id: int | None, recorded: dict[int | None, float], bases: dict[int | None, float]) -> float:
    """Return the median F0 of a speaker's recordings over that of the base model; of all where its own is unknown."""
    return recorded.get(speaker_id, recorded[None]) / bases.get(speaker_id, bases[None])


def train_reader(examples: Sequence[Example], medians: dict[int | None, float], seed: int) -> tuple[PitchReader, float]:
    """
    Train a network to read the pitch of examples in their latents; it follows from these and the seed.

    Args:
        examples (`Sequence[Example]`):
            Speech; every tenth one is kept for a check if there are enough.
        medians (`dict[int | None, float]`):
            Median F0 of each speaker, as of [`median_pitches`].
        seed (`int`):
            Seed of the weights, crops and noise.

    Returns:
        `tuple`: the network, frozen and on the CPU, and its median error in semitones on what was kept; NaN if nothing
        of that is voiced.
    """
    kept = examples[9::10] or examples
    trained = [example for example in examples if all(example is not other for other in kept)] or examples
    source = torch.Generator().manual_seed(seed)
    with seeded(seed):
        reader = PitchReader(examples[0].latents.shape[0])
    optimizer = torch.optim.AdamW(reader.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    for _ in range(READER_STEPS):
        output = _read(reader, [_crop(_drawn(trained, source), source) for _ in range(CROPS)], medians, source)
        share = output.mask.sum() / output.voiced.sum().clamp(min=1)
        pitch = pitch_loss(output.octaves, output.target, output.voiced, output.mask) * share  # per voiced frame
        (pitch + voicing_loss(output.voicing, output.voiced, output.mask)).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    reader.eval().requires_grad_(False)
    output = _read(reader, kept, medians)
    errors = 12 * (output.octaves - output.target).abs()[output.voiced > 0]
    return reader, float(errors.median()) if len(errors) else float("nan")


def _drawn(examples: Sequence[Example], source: torch.Generator) -> Example:
    return examples[int(torch.randint(len(examples), (), generator=source))]


def _crop(example: Example, source: torch.Generator) -> Example:
    room = max(0, len(example.f0) - CROP_FRAMES)
    start = int(torch.randint(room + 1, (), generator=source))
    frames = slice(start, start + CROP_FRAMES)
    return Example(example.latents[:, frames], example.f0[frames], example.speaker_id)


def _read(
    reader: PitchReader,
    examples: Sequence[Example],
    medians: dict[int | None, float],
    source: torch.Generator | None = None,
) -> PitchOutput:
    """Read examples as one batch, with noise on the latents if there is a source of it."""
    latents = pad_sequence([example.latents.T for example in examples], batch_first=True).transpose(1, 2)
    f0 = pad_sequence([example.f0 for example in examples], batch_first=True)
    mask = pad_sequence([torch.ones_like(example.f0) for example in examples], batch_first=True)
    if source is not None:
        latents = latents + LATENT_NOISE * torch.randn(latents.shape, generator=source) * mask[:, None]
    centres = torch.tensor([medians.get(example.speaker_id, medians[None]) for example in examples])
    return reader.read(latents, f0, centres, mask)
