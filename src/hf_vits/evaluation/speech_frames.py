"""Mel-cepstra and F0 of speech every 10 ms, and the alignment of two utterances by dynamic time warping."""

from functools import cached_property

import numpy as np

from hf_vits.data.audio import resample

RATE = 16_000
"""Samples per second that recognizers, speaker encoders and raters take."""

HOP = 160
"""Samples from frame to frame, 10 ms."""

WINDOW, F0_WINDOW = 512, 1024
"""Samples that make a mel-cepstrum, and an F0: 32 and 64 ms."""

MEL_BANDS = 80

COEFFICIENTS = 13
"""Mel-cepstral coefficients, without the zeroth one, which is the loudness."""

DYNAMIC_RANGE = 80.0
"""Decibels below the loudest band of an utterance at which quieter ones are cut off."""

SILENCE = 40.0
"""Decibels below the loudest frame; quieter ones at the beginning and the end are no speech."""

F0_RANGE = (60.0, 500.0)
"""Lowest and highest F0 that is searched, in hertz."""


def resampled(waveform: np.ndarray, sampling_rate: int, target: int = RATE) -> np.ndarray:
    """waveform (T_wav,) within ±1 or clipped to it -> float32 at `target` samples per second."""
    return resample(np.clip(np.asarray(waveform, dtype=np.float32), -1, 1), sampling_rate, target)


class SpeechFrames:
    """
    An utterance without the silence at its beginning and end, at 16 kHz and in frames.

    Args:
        waveform (`np.ndarray` of shape `(T_wav,)`):
            float32 samples; none, or zeros, are one silent frame.
        sampling_rate (`int`):
            Samples per second.
    """

    def __init__(self, waveform: np.ndarray, sampling_rate: int):
        import librosa

        speech = resampled(waveform, sampling_rate)
        if speech.any():
            speech, _ = librosa.effects.trim(speech, top_db=SILENCE, frame_length=2 * HOP, hop_length=HOP)
        speech = speech if speech.any() else np.zeros(0, np.float32)
        self.seconds = len(speech) / RATE
        self.waveform = np.pad(speech, (0, max(0, WINDOW - len(speech)))) if speech.size else speech

    @cached_property
    def mel(self) -> np.ndarray:
        """Levels of mel bands, in decibels relative to the loudest one, (MEL_BANDS, frames)."""
        import librosa

        if not self.waveform.size:
            return np.full((MEL_BANDS, 1), -DYNAMIC_RANGE, np.float32)
        power = librosa.feature.melspectrogram(
            y=self.waveform, sr=RATE, n_fft=WINDOW, hop_length=HOP, n_mels=MEL_BANDS, fmax=RATE / 2
        )
        return librosa.power_to_db(power, ref=np.max, amin=1e-20, top_db=DYNAMIC_RANGE)

    @cached_property
    def cepstra(self) -> np.ndarray:
        """Mel-cepstra in decibels, (COEFFICIENTS, frames); Euclidean distances are mel-cepstral distances."""
        return mel_cepstra(self.mel)

    @cached_property
    def f0(self) -> np.ndarray:
        """F0 in hertz by pYIN (Mauch & Dixon 2014), (frames,); not a number where speech is not voiced."""
        import librosa

        frames = self.mel.shape[1]
        if not self.waveform.size:
            return np.full(frames, np.nan)
        low, high = F0_RANGE
        with np.errstate(divide="ignore", invalid="ignore"):  # of digital silence in pauses
            found, _, _ = librosa.pyin(
                self.waveform, fmin=low, fmax=high, sr=RATE, frame_length=F0_WINDOW, hop_length=HOP
            )
        return found[:frames]


def mel_cepstra(levels: np.ndarray) -> np.ndarray:
    """
    Levels of mel bands in decibels (bands, frames) -> mel-cepstra (COEFFICIENTS, frames).

    The Euclidean distance of two is the root mean square, over mel bands, of the difference of the two spectra's levels
    in decibels, of smoothed spectra, without the difference of loudness (Kubichek 1993).
    """
    import librosa

    cosines = librosa.feature.mfcc(S=levels, n_mfcc=COEFFICIENTS + 1, norm=None)
    return cosines[1:] / len(levels) / np.sqrt(2)


class AlignedFrames:
    """
    Two utterances of one text, aligned by dynamic time warping of their mel-cepstra.

    Args:
        speech, recording ([`SpeechFrames`]):
            The utterances.
    """

    def __init__(self, speech: SpeechFrames, recording: SpeechFrames):
        import librosa

        self.speech, self.recording = speech, recording
        _, path = librosa.sequence.dtw(speech.cepstra, recording.cepstra)
        self.path = path[::-1]

    @property
    def cepstral_distances(self) -> np.ndarray:
        """Mel-cepstral distance of each pair of aligned frames, in decibels, (pairs,)."""
        difference = self.speech.cepstra[:, self.path[:, 0]] - self.recording.cepstra[:, self.path[:, 1]]
        return np.linalg.norm(difference, axis=0)

    @property
    def f0(self) -> tuple[np.ndarray, np.ndarray]:
        """F0 in hertz of speech and recording at each pair of aligned frames, (pairs,) each."""
        return self.speech.f0[self.path[:, 0]], self.recording.f0[self.path[:, 1]]
