"""The alignment of one recording with its text."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hf_vits.alignment.evidence import Evidence
from hf_vits.alignment.states import SILENCE, States
from hf_vits.configuration_vits import VitsConfig
from hf_vits.timestamps.files import write_timestamps
from hf_vits.timestamps.timeline import UNITS, Timeline, Timestamp

RIGHT, WRONG = {False: -0.89, True: -1.64}, {False: -0.49, True: -0.39}
"""Mean log misfit of right texts and of those of other recordings, without adaptation and with it. These and the
variance were fitted to 300 recordings of one speaker, each with its own text and that of another one."""

VARIANCE, VARIANCE_OF_FRAME = {False: 0.007, True: 0.009}, {False: 4.1, True: 5.3}
"""Variance of the log misfit between recordings, and that of one frame, which is divided by the number of frames: a
single word is less certain than a sentence for that reason."""


MAX_ODDS = 30.0
"""Log-odds of the most certain text; it is not quite certain."""


@dataclass(frozen=True)
class Alignment:
    """
    Times of what is said in a recording, as those of a pipeline's speech, with how well each word fits.

    Args:
        text (`str`):
            The text.
        duration (`float`):
            Seconds of the recording.
        timestamps (`dict[str, list[dict]]`):
            By unit, `{"text": str, "start": float, "end": float}` in seconds. Words and sentences also have `"score"`,
            the mean log-likelihood ratio of their frames on the best path (Viterbi) against the best sound of the
            language, in nats (0 is best), and `"confidence"`.
        score (`float`):
            That of all frames that are not silent.
        confidence (`float`):
            Estimated probability, 0 to 1, that this is said, rather than the text of another recording.
    """

    text: str
    duration: float
    timestamps: dict[str, list[Timestamp]]
    score: float
    confidence: float

    @property
    def words(self) -> list[Timestamp]:
        """Words as written, each once and in order."""
        return self.timestamps["word"]

    @property
    def sentences(self) -> list[Timestamp]:
        """Sentences, from their first token to the last."""
        return self.timestamps["sentence"]

    @property
    def phonemes(self) -> list[Timestamp]:
        """Phonemes, or letters for a voice that reads letters."""
        return self.timestamps["phoneme"]

    @property
    def characters(self) -> list[Timestamp]:
        """Characters of the text."""
        return self.timestamps["character"]

    def with_scores_of(self, other: "Alignment") -> "Alignment":
        """Return these times with the scores and the confidence of another alignment of the same text."""
        timestamps = dict(self.timestamps)
        for unit in ("word", "sentence"):
            pairs = zip(other.timestamps[unit], self.timestamps[unit], strict=True)
            timestamps[unit] = [{**scored, "start": item["start"], "end": item["end"]} for scored, item in pairs]
        return replace(self, timestamps=timestamps, score=other.score, confidence=other.confidence)

    def save(self, path: str | Path) -> None:
        """
        Write a file in the format of its ending, as [`write_timestamps`] does: `.TextGrid`, `.json`, `.ctm`, `.srt` …

        Raises:
            ValueError: for an unknown ending.
            OSError: if it cannot be written.
        """
        write_timestamps(path, self.timestamps, duration=self.duration)


def alignment_of(
    text: str,
    states: States,
    path: np.ndarray,
    evidence: Evidence,
    config: VitsConfig,
    samples: int,
    skipped: int = 0,
) -> Alignment:
    """Return the alignment of a recording of so many samples after `skipped` ones: path is the state of each frame,
    int64 (T_spec,)."""
    durations, pauses = _durations(states, path)
    timeline, first = Timeline(UNITS, config), 0
    timeline.pause(skipped)
    for sentence, length in zip(states.sentences, states.lengths, strict=True):
        timeline.pause(int(pauses[first]) * config.hop_length)
        timeline.sentence(sentence.sentences, durations[first : first + length].tolist())
        first += length
    timestamps = timeline.take()
    ratios, is_adapted = evidence.of_path(states, path), evidence.adaptation is not None
    for unit in ("word", "sentence"):
        for item in timestamps[unit]:
            samples_of = (item[key] * config.sampling_rate - skipped for key in ("start", "end"))
            start, end = (round(place / config.hop_length) for place in samples_of)
            item |= _fit(ratios, evidence, np.arange(start, end), is_adapted)
    loud = np.flatnonzero(evidence.is_loud)
    seconds = (skipped + samples) / config.sampling_rate
    return Alignment(text, seconds, timestamps, **_fit(ratios, evidence, loud, is_adapted))


def _durations(states: States, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return frames of each token, with those of silences within sentences at the marks after them, and of the silence
    before each token that begins a sentence; the last one is that at the end."""
    counts, total = np.bincount(path, minlength=len(states.tokens)), sum(states.lengths)
    durations, pauses, starts = np.zeros(total, np.int64), np.zeros(total + 1, np.int64), np.cumsum(states.lengths)
    begins = {0, *starts.tolist()}
    for state, token in enumerate(states.tokens.tolist()):
        if token != SILENCE:
            durations[token] += counts[state]
            continue
        following = int(states.tokens[state + 1]) if state + 1 < len(states.tokens) else total
        (pauses if following in begins else durations)[following] += counts[state]
    return durations, pauses


def _fit(ratios: np.ndarray, evidence: Evidence, frames: np.ndarray, is_adapted: bool) -> dict[str, float]:
    """Return score and confidence of frames; those of no frame are 0: nothing was said."""
    if not len(frames):
        return {"score": 0.0, "confidence": 0.0}
    usual = -evidence.usual[frames].mean()
    misfit = np.sqrt(np.square(ratios[frames] / usual).mean())  # a wrong sound counts more than several vague ones
    return {"score": float(ratios[frames].mean()), "confidence": confidence_of(misfit, len(frames), is_adapted)}


def confidence_of(misfit: float, frames: int, is_adapted: bool) -> float:
    """
    Return the probability that a text is right, if as many texts are wrong: that of two normal distributions of one
    variance (linear discriminant analysis).

    Args:
        misfit (`float`):
            Root mean square of how much less likely the frames are than the best sound, relative to how much less a
            random sound is.
        frames (`int`):
            Number of frames.
        is_adapted (`bool`):
            The aligner is adapted to the speaker.
    """
    right, wrong = RIGHT[is_adapted], WRONG[is_adapted]
    variance = VARIANCE[is_adapted] + VARIANCE_OF_FRAME[is_adapted] / frames
    odds = (wrong - right) / variance * ((right + wrong) / 2 - np.log(max(misfit, 1e-6)))
    return float(1 / (1 + np.exp(-min(odds, MAX_ODDS))))
