"""Move the spectral envelope of a model's speech to that of recordings, frame by frame.

A small network learns it from recordings and from what the model's decoder makes of their latents, which is in time
with them. It sees envelopes alone: with latents, which an adapted posterior encoder sometimes takes for those of other
sounds, more words are lost. Its gains are a filter: pitch and rhythm stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.modules.spectrogram import Spectrogram
from hf_vits.training.initialization import seeded
from hf_vits.training.speaker_perturbation import ENVELOPE_SECONDS, true_envelope

STEPS, CROPS, CROP_FRAMES, LEARNING_RATE, WEIGHT_DECAY = 1200, 6, 100, 1e-3, 0.05
"""Steps of the network's training, crops in each, their frames, and settings of AdamW; the rate falls to 0 in the
second half."""

HIDDEN_CHANNELS, KERNEL_SIZE, DROPOUT = 160, 5, 0.1

LOUD = 5.0
"""Nats below an utterance's loudest frame above which a frame is speech; quieter ones have the mean gain."""

FADE = 1.5
"""Nats over which the one becomes the other."""

MAX_SPREAD = 1.6
"""Factor at most by which a coefficient is spread around its mean, since a network's guesses lie too close to it."""

MAX_GAIN = 3.0
"""Nats by which a frequency is raised at most; recordings of lower rates lack high ones, which may fall to nothing."""


@dataclass(frozen=True)
class EnvelopeExample:
    """Cepstra (Q, T_spec) of what the model makes of a recording's latents and of the recording, and the number of its
    speaker."""

    source: Tensor
    target: Tensor
    speaker: int = 0


class EnvelopeConverter(nn.Module):
    """
    Guess the cepstrum of the target from that of the model's speech.

    Args:
        coefficients (`int`):
            Coefficients of a cepstrum, as [`Envelopes`] has them.
        speakers (`int`):
            Number of target speakers.
    """

    def __init__(self, coefficients: int, speakers: int = 1):
        super().__init__()
        self.speakers = speakers
        for name in ("source_mean", "target_mean"):
            self.register_buffer(name, torch.zeros(speakers, coefficients, 1))
        for name in ("source_std", "target_std", "spread"):
            self.register_buffer(name, torch.ones(speakers, coefficients, 1))
        width, padding = coefficients + speakers, KERNEL_SIZE // 2
        self.layers = nn.Sequential(
            nn.Conv1d(width, HIDDEN_CHANNELS, KERNEL_SIZE, padding=padding),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Conv1d(HIDDEN_CHANNELS, HIDDEN_CHANNELS, KERNEL_SIZE, padding=padding),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Conv1d(HIDDEN_CHANNELS, coefficients, 1),
        )

    def forward(self, source: Tensor, speakers: Tensor) -> Tensor:
        """source cepstra (B, Q, T), numbers of target speakers int64 (B,) -> the target's (B, Q, T), in standard
        deviations from their mean."""
        scaled = (source - self.source_mean[speakers]) / self.source_std[speakers]
        which = F.one_hot(speakers, self.speakers).to(scaled)[:, :, None].expand(-1, -1, scaled.shape[-1])
        return scaled + self.layers(torch.cat([scaled, which], dim=1))

    @torch.no_grad()
    def change(self, source: Tensor, speaker: int = 0) -> Tensor:
        """source cepstra (Q, T) -> what is to be added to these, (Q, T)."""
        guess = self(source[None], torch.tensor([speaker], device=source.device))[0]
        target = guess * self.spread[speaker] * self.target_std[speaker] + self.target_mean[speaker]
        mean = self.target_mean[speaker] - self.source_mean[speaker]
        share = speech_share(source)
        change = (target - source) * share + mean * (1 - share)
        change[0] = mean[0]  # the level follows the model's speech
        return change


class Envelopes:
    """
    Cepstra of waveforms, in time with a model's latents, and filters by them.

    Args:
        spectrogram ([`Spectrogram`]):
            Of the model; frames lie as its latents do.
        sampling_rate (`int`):
            Samples per second.
    """

    def __init__(self, spectrogram: Spectrogram, sampling_rate: int):
        self.size, self.hop = spectrogram.fft_size, spectrogram.hop_length
        self.window = torch.hann_window(self.size)
        self.bins = int(ENVELOPE_SECONDS[1] * sampling_rate)
        self.coefficients = int(1.25 * self.bins)
        self.extra = -(-self.size // self.hop)  # frames before and after, without which the ends would be faded

    def cepstrum(self, waveform: Tensor) -> Tensor:
        """waveform (T,) -> cepstra (Q, T // hop): the even Fourier coefficients of the log-envelope over frequency."""
        log = self._spectrum(waveform)[:, self.extra : -self.extra].abs().clamp(min=1e-4).log()
        envelope = true_envelope(log, self.bins)
        mirrored = torch.cat([envelope, envelope[1:-1].flip(0)])
        return torch.fft.rfft(mirrored, dim=0).real[: self.coefficients] / len(mirrored)

    def filtered(self, waveform: Tensor, change: Tensor) -> Tensor:
        """waveform (T,), change of its cepstra (Q, T // hop) -> the waveform with it, (T // hop * hop,)."""
        gain = F.pad(self._log_gain(change)[None], (self.extra, self.extra), mode="replicate")[0]
        spectrum = self._spectrum(waveform) * gain.clamp(max=MAX_GAIN).exp()
        frames = torch.fft.irfft(spectrum, n=self.size, dim=0) * self.window[:, None]
        total, weight = (self._overlapped(part) for part in (frames, self.window.square()[:, None].expand_as(frames)))
        start = self._edge
        return (total / weight.clamp(min=1e-6))[start : start + change.shape[1] * self.hop]

    @property
    def _edge(self) -> int:
        """Samples from the start of what is transformed to that of the waveform."""
        return (self.size - self.hop) // 2 + self.extra * self.hop

    def _spectrum(self, waveform: Tensor) -> Tensor:
        """waveform (T,) -> complex (F, T // hop + 2 extra); each frame is centred as that of a latent."""
        length = len(waveform) // self.hop * self.hop
        padded = F.pad(waveform[:length].float(), (self._edge, self._edge))
        return torch.fft.rfft(padded.unfold(0, self.size, self.hop).T * self.window[:, None], dim=0)

    def _overlapped(self, frames: Tensor) -> Tensor:
        """frames (N, count) -> their sum (T,), one hop apart."""
        length = (frames.shape[1] - 1) * self.hop + self.size
        return F.fold(frames[None], (1, length), (1, self.size), stride=(1, self.hop))[0, 0, 0]

    def _log_gain(self, change: Tensor) -> Tensor:
        """change of cepstra (Q, T) -> that of log-magnitudes (F, T)."""
        padded = F.pad(change, (0, 0, 0, self.size // 2 + 1 - len(change)))
        return torch.fft.irfft(padded * self.size, n=self.size, dim=0)[: self.size // 2 + 1]


def speech_share(source: Tensor) -> Tensor:
    """cepstra (Q, T) of an utterance -> the share (T,) of speech in each frame, by its level."""
    return ((source[0] - source[0].max() + LOUD) / FADE).clamp(0, 1)


@dataclass(frozen=True)
class _Batch:
    """Source and target cepstra (B, Q, T), shares of speech (B, T), numbers of speakers (B,)."""

    source: Tensor
    target: Tensor
    share: Tensor
    speakers: Tensor

    @classmethod
    def of(cls, examples: Sequence[EnvelopeExample], starts: Sequence[int], frames: int) -> "_Batch":
        """Take so many frames of each example from its start on; what is beyond its end has no share of speech."""

        def stacked(values: Sequence[Tensor]) -> Tensor:
            cut = [value[..., start : start + frames] for value, start in zip(values, starts, strict=True)]
            return torch.stack([F.pad(value, (0, frames - value.shape[-1])) for value in cut])

        fields = (stacked([getattr(one, name) for one in examples]) for name in ("source", "target"))
        share = stacked([speech_share(one.target) for one in examples])
        return cls(*fields, share, torch.tensor([one.speaker for one in examples]))

    @classmethod
    def drawn(cls, examples: Sequence[EnvelopeExample], source: torch.Generator) -> "_Batch":
        """Draw crops of examples."""
        chosen = [examples[int(number)] for number in torch.randint(len(examples), (CROPS,), generator=source)]
        rooms = [max(0, one.source.shape[1] - CROP_FRAMES) for one in chosen]
        starts = [int(torch.randint(room + 1, (), generator=source)) for room in rooms]
        return cls.of(chosen, starts, CROP_FRAMES)

    def difference(self, converter: EnvelopeConverter, guess: Tensor | None) -> Tensor:
        """Return how far the target is from a guess (B, Q, T), or without one from its speaker's mean, in standard
        deviations; the mean over coefficients and speech, ()."""
        scaled = (self.target - converter.target_mean[self.speakers]) / converter.target_std[self.speakers]
        error = F.smooth_l1_loss(torch.zeros_like(scaled) if guess is None else guess, scaled, reduction="none")
        return (error.mean(dim=1) * self.share).sum() / self.share.sum().clamp(min=1)


def train_converter(examples: Sequence[EnvelopeExample], seed: int) -> tuple[EnvelopeConverter, float]:
    """
    Train a network to guess the recordings' cepstra; it follows from the examples and the seed.

    Args:
        examples (`Sequence[EnvelopeExample]`):
            Recordings of speakers with the numbers 0, 1, …; every tenth is kept for a check if there are enough.
        seed (`int`):
            Seed of the weights, crops and dropout.

    Returns:
        `tuple`: the network, frozen and on the CPU; and its error on what was kept, as a part of that which the mean
        of each speaker makes.
    """
    kept = examples[9::10] or examples
    trained = [example for example in examples if all(example is not other for other in kept)] or examples
    source = torch.Generator().manual_seed(seed)
    with seeded(seed):
        converter = EnvelopeConverter(len(examples[0].source), 1 + max(example.speaker for example in examples))
        _measure(converter, examples)
        optimizer = torch.optim.AdamW(converter.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * min(1.0, 2 * (1 - step / STEPS))
            batch = _Batch.drawn(trained, source)
            batch.difference(converter, converter(batch.source, batch.speakers)).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    converter.eval().requires_grad_(False)
    _spread(converter, examples)
    wholes = [_Batch.of([example], [0], example.source.shape[1]) for example in kept]
    left = sum(one.difference(converter, converter(one.source, one.speakers)) for one in wholes)
    return converter, float(left / sum(one.difference(converter, None) for one in wholes).clamp(min=1e-9))


def _measure(converter: EnvelopeConverter, examples: Sequence[EnvelopeExample]) -> None:
    """Set means and deviations of the cepstra of speech, of each speaker."""
    for number in range(converter.speakers):
        own = [example for example in examples if example.speaker == number]
        for name in ("source", "target"):
            values = torch.cat([_spoken(getattr(example, name), example.target) for example in own], dim=1)
            getattr(converter, f"{name}_mean")[number] = values.mean(dim=1, keepdim=True)
            getattr(converter, f"{name}_std")[number] = values.std(dim=1, keepdim=True).clamp(min=1e-3)


def _spread(converter: EnvelopeConverter, examples: Sequence[EnvelopeExample]) -> None:
    """Set the factor by which guesses of each speaker are spread, so that they vary as the recordings do."""
    for number in range(converter.speakers):
        own = [example for example in examples if example.speaker == number]
        batches = [_Batch.of([example], [0], example.source.shape[1]) for example in own]
        guesses = [converter(one.source, one.speakers)[0] for one in batches]
        values = torch.cat([_spoken(guess, one.target) for guess, one in zip(guesses, own, strict=True)], dim=1)
        deviation = values.std(dim=1, keepdim=True).clamp(min=1e-3)
        converter.spread[number] = (1 / deviation).clamp(1.0, MAX_SPREAD)


def _spoken(values: Tensor, cepstra: Tensor) -> Tensor:
    """values (Q, T), cepstra (Q, T) -> the values of frames that are speech (Q, n); of all frames if fewer than two
    are."""
    is_speech = speech_share(cepstra) == 1
    return values[:, is_speech] if is_speech.sum() > 1 else values
