"""Spectrograms of speech as other speakers in other rooms would say it, frame by frame in time with the original.

A posterior encoder that was trained on one voice takes the vowels of another one for other vowels. Pitch and formants
are moved apart from each other here, as in NANSY (Choi et al. 2021, section 3.1), but on magnitudes, which are all that
the encoder gets. Pitch can be changed on the waveform instead, by overlap-add (PSOLA), which keeps harmonics whole.
"""

import math
import random
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.modules.spectrogram import MAGNITUDE_FLOOR
from hf_vits.prosody.pitch import change_pitch
from hf_vits.prosody.script import Pitch

PITCH, FORMANTS = (0.6, 2.1), (0.85, 1.27)
"""Ranges of the factors on pitch and formants, from a low voice to a child's whatever the voice; uniform in their
logarithms."""

NEAR_PITCH, NEAR_FORMANTS, FORMANTS_OF_PITCH = 0.08, 0.146, 0.145
"""Of speakers near one of known pitch: standard deviation of the logarithm of the factor on pitch; largest difference
of that on formants from its mean; and the power of the pitch that this mean is, as high voices have shorter tracts."""

EQUALIZER, GAIN = 0.45, 0.35
"""Standard deviations of each of four cosines over the frequencies, and of the level; in nats."""

BAND_LIMITS, BAND_LIMITED, STOP_BAND = (0.36, 0.5, 0.73, 0.9), 0.5, (1e-4, 1e-2)
"""Edges of the band of recordings of lower rates, as parts of half the sampling rate; their share; and the factor on
what is above."""

NOISE = (3e-5, 0.06)
"""Range of the magnitude of background noise."""

ENVELOPE_SECONDS = (0.0012, 0.0018)
"""Range of the quefrency up to which a cepstrum is the spectral envelope."""

ENVELOPE_ITERATIONS = 8
"""Of the true envelope; more raise it by less than 1 dB."""


@dataclass(frozen=True)
class Perturbation:
    """
    The differences of another speaker; the defaults change nothing.

    Args:
        pitch, formants (`float`):
            Factors on their frequencies.
        waveform_pitch (`float`):
            Factor on the pitch by overlap-add of the waveform, before all else.
        envelope_seconds (`float`):
            Quefrency up to which the cepstrum is the envelope.
        equalizer (`Sequence[float]`):
            Coefficients of cosines of 1, 2, … half periods over the frequencies, in nats.
        gain (`float`):
            Change of the level, in nats.
        band_limit (`float`, *optional*):
            Edge of the band, as a part of half the sampling rate, above which `stop_band` is a factor.
        noise (`float`):
            Mean magnitude of the noise, which `seed` draws.
    """

    pitch: float = 1.0
    formants: float = 1.0
    waveform_pitch: float = 1.0
    envelope_seconds: float = ENVELOPE_SECONDS[0]
    equalizer: tuple[float, ...] = ()
    gain: float = 0.0
    band_limit: float | None = None
    stop_band: float = 1.0
    noise: float = 0.0
    seed: int = 0

    @classmethod
    def draw(cls, source: random.Random) -> "Perturbation":
        """Draw another speaker."""

        def logarithmic(low: float, high: float) -> float:
            return math.exp(source.uniform(math.log(low), math.log(high)))

        return cls(
            pitch=logarithmic(*PITCH),
            formants=logarithmic(*FORMANTS),
            envelope_seconds=source.uniform(*ENVELOPE_SECONDS),
            equalizer=tuple(source.gauss(0, EQUALIZER) for _ in range(4)),
            gain=source.gauss(0, GAIN),
            band_limit=source.choice(BAND_LIMITS) if source.random() < BAND_LIMITED else None,
            stop_band=logarithmic(*STOP_BAND),
            noise=logarithmic(*NOISE),
            seed=source.getrandbits(31),
        )

    @classmethod
    def draw_near(cls, source: random.Random, ratio: float) -> "Perturbation":
        """Draw a speaker whose pitch is about `ratio` times the original's, changed on the waveform."""
        factor = ratio * math.exp(source.gauss(0, NEAR_PITCH))
        formants = ratio**FORMANTS_OF_PITCH * math.exp(source.uniform(-NEAR_FORMANTS, NEAR_FORMANTS))
        return replace(cls.draw(source), pitch=1.0, formants=formants, waveform_pitch=factor)


def perturbed_magnitudes(
    waveform: Tensor, change: Perturbation, sampling_rate: int, fft_size: int, hop_length: int, window: Tensor
) -> Tensor:
    """
    Return the magnitudes that a waveform would have if another speaker had said it.

    Args:
        waveform (`Tensor` of shape `(T,)`):
            Speech within ±1; `T` is a multiple of the hop.
        change ([`Perturbation`]):
            What is changed.
        sampling_rate, fft_size, hop_length (`int`), window (`Tensor` of shape `(N,)`):
            Of the [`Spectrogram`]; `N` is at most `fft_size`.

    Returns:
        `Tensor` of shape `(F, T / hop_length)`: with [`Perturbation`]'s defaults those of the [`Spectrogram`], up to
        rounding.
    """
    if change.waveform_pitch != 1:
        waveform = overlap_added(waveform, change.waveform_pitch, sampling_rate)
    log = _resampled_magnitudes(waveform, change.pitch, sampling_rate, fft_size, hop_length, window).log()
    if change.pitch != 1 or change.formants != 1:
        envelope = true_envelope(log, int(change.envelope_seconds * sampling_rate))
        # The envelope of the resampled speech is that of the original, stretched by the pitch.
        moved = _stretched(envelope, change.formants / change.pitch)
        log = moved + _filled(log - envelope, change.pitch)
    bins = log.shape[0]
    position = torch.linspace(0, 1, bins, device=log.device)[:, None]
    for number, coefficient in enumerate(change.equalizer, 1):
        log = log + coefficient * torch.cos(math.pi * number * position)
    magnitudes = (log + change.gain).exp()
    if change.band_limit is not None:
        magnitudes[int(change.band_limit * (bins - 1)) :] *= change.stop_band
    if change.noise:
        source = torch.Generator(log.device).manual_seed(change.seed)
        noise = torch.randn(2, *log.shape, generator=source, device=log.device) * change.noise
        magnitudes = ((magnitudes + noise[0]).square() + noise[1].square()).sqrt()
    return magnitudes


def overlap_added(waveform: Tensor, factor: float, rate: int) -> Tensor:
    """waveform (T,) -> the same at `factor` times its pitch (T,); as it is where it is unvoiced."""
    spans = [(Pitch(semitones=12 * math.log2(factor)), 0, len(waveform))]
    return torch.from_numpy(change_pitch(waveform.float().cpu().numpy(), rate, spans)).to(waveform)


def _resampled_magnitudes(
    waveform: Tensor, factor: float, rate: int, fft_size: int, hop_length: int, window: Tensor
) -> Tensor:
    """waveform (T,) -> magnitudes (F, frames) of it at `factor` times its speed; each frame is centred on the same
    sound as that of the original."""
    frames, edge = len(waveform) // hop_length, (fft_size - hop_length) // 2
    padded = F.pad(waveform[None, None], (edge, edge), mode="reflect")[0, 0]
    if factor != 1:
        import librosa

        fast = librosa.resample(padded.cpu().numpy(), orig_sr=rate, target_sr=rate / factor, res_type="soxr_mq")
        padded = torch.from_numpy(fast).to(waveform)
    centres = torch.arange(frames, device=waveform.device) * hop_length + fft_size / 2
    starts = (centres / factor).round().long()  # of a frame in what is padded by half a frame more
    padded = F.pad(padded, (fft_size // 2, fft_size))
    missing = fft_size - len(window)
    window = F.pad(window, (missing // 2, missing - missing // 2))  # as `torch.stft` does
    taken = padded[starts[:, None] + torch.arange(fft_size, device=waveform.device)]
    return (torch.fft.rfft(taken * window).abs().square() + MAGNITUDE_FLOOR).sqrt().T


def true_envelope(log: Tensor, coefficients: int) -> Tensor:
    """log-magnitudes (F, T) -> their true envelope (F, T): the smooth curve over the tops of harmonics, whatever lies
    between them (Röbel & Rodet 2005)."""
    keep = torch.arange(len(log), device=log.device)
    lifter = ((coefficients * 1.25 - keep) / (coefficients * 0.25)).clamp(0, 1)[:, None]
    envelope = log
    for _ in range(ENVELOPE_ITERATIONS):
        target = torch.maximum(log, envelope)
        mirrored = torch.cat([target, target[1:-1].flip(0)])
        envelope = torch.fft.irfft(torch.fft.rfft(mirrored, dim=0).real * lifter, n=len(mirrored), dim=0)[: len(log)]
    return envelope


def _stretched(envelope: Tensor, factor: float) -> Tensor:
    """envelope (F, T) -> the envelope with each frequency times the factor (F, T); its least value above its end."""
    bins = len(envelope)
    source = torch.arange(bins, device=envelope.device) / factor
    low = source.floor().long().clamp(max=bins - 2)
    share = (source - low).clamp(0, 1)[:, None]
    moved = envelope[low] * (1 - share) + envelope[low + 1] * share
    return torch.where((source > bins - 1)[:, None], envelope.amin(dim=0), moved)


def _filled(fine: Tensor, factor: float) -> Tensor:
    """Fine structure (F, T) of slower speech, which ends at `factor` of the band -> the same, with its end repeated."""
    bins = len(fine)
    end = int(factor * (bins - 1)) - 4
    if end >= bins or end < 8:
        return fine
    period = min(end - 1, bins // 3)
    index = torch.arange(bins, device=fine.device)
    return fine[torch.where(index < end, index, end - 1 - (index - end) % period)]
