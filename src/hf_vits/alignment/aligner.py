"""ForcedAligner: the times of the words of a text in a recording, by the voice's own model."""

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from hf_vits.alignment.adaptation import MIN_FRAMES, Adaptation
from hf_vits.alignment.evidence import SILENCE_ENTRY, Evidence, Inventory
from hf_vits.alignment.latents import LatentEncoder
from hf_vits.alignment.result import Alignment, alignment_of
from hf_vits.alignment.search import best_path
from hf_vits.alignment.states import SILENCE, States, spoken_sentences, states_of
from hf_vits.data.audio import read_audio
from hf_vits.data.levels import speech_level
from hf_vits.inference.arguments import Choice
from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.utils.formatting import quoted

LEVELS_DB, USUAL_DB = (-28.0, -12.0), -20.0
"""Speech levels that recordings for training have, in dB of full scale; others are scaled to the usual one."""

BEAM = 500.0
"""States of long texts are given up if they are less likely than the best one by so many frames of random tokens."""

BEAM_STATES = 4000
"""States above which a text is long."""

PHASES = 4
"""Places in a frame that the first frame of a recording is tried at, to a quarter of a frame."""

WRONG_SHARE = 0.2
"""Share of recordings, those that fit worst, that are not adapted to: their texts may be wrong."""


class ForcedAligner:
    """
    Find when each word of a text is said in a recording: monotonic alignment search (paper, section 2.2.1) of the
    latents of the recording, which are the mean of the posterior after the flow, against the prior of the text.

    Args:
        voice (`str`, `PathLike` or [`VitsModel`]):
            A voice of the language, of any speaker, with a posterior encoder: a folder, a name on the Hub, or a model.
        tokenizer ([`VitsTokenizer`], *optional*):
            Its tokenizer; by default the one stored beside the model.

    Raises:
        ImportError: without librosa or numba; names the extra.
        ValueError: for a voice without a posterior encoder, such as one from an ONNX file: `hf-vits complete` makes one
            of it.

    Example:

    ```python
    >>> from hf_vits import ForcedAligner

    >>> aligner = ForcedAligner("completed_voice")  # doctest: +SKIP
    >>> alignment = aligner.align("recording.flac", "what was said")  # doctest: +SKIP
    >>> alignment.words[0]  # doctest: +SKIP
    {'text': 'what', 'start': 0.31, 'end': 0.48, 'score': -19.2, 'confidence': 0.93}
    >>> alignment.save("recording.TextGrid")  # doctest: +SKIP
    ```
    """

    def __init__(self, voice: Any, tokenizer: Any = None):
        if missing := [name for name in ("librosa", "numba") if find_spec(name) is None]:
            raise ImportError(f'The package {missing[0]} is not installed. Run `pip install "hf_vits[train]"`.')
        pipe = TextToSpeechPipeline(voice, tokenizer)
        self.model, self.tokenizer = pipe.model.eval(), pipe.tokenizer
        self.encoder = LatentEncoder(self.model)
        self.sampling_rate = self.model.config.sampling_rate
        self.adaptation: Adaptation | None = None

    @cached_property
    def inventory(self) -> Inventory:
        """All sounds of the language, which the confidence compares with."""
        return Inventory.of(self.model, self.tokenizer, self._language(0))

    def align(
        self,
        recording: Any,
        text: str | Sequence[str],
        *,
        speaker_id: Choice = None,
        language_id: Choice = None,
        batch_size: int = 8,
        phases: int = PHASES,
    ) -> Alignment | list[Alignment]:
        """
        Align a recording with its text, or a list of recordings with a list of texts.

        There may be silence before, after, and between words, and more than one sentence. A recording may have any
        rate, and any length: memory grows with it by about 40 MB a minute.

        Args:
            recording (`str`, `Path`, `bytes`, `dict`, or a list of them):
                A file, its content, or `{"array", "sampling_rate"}`.
            text (`str` or `list[str]`):
                What is said.
            speaker_id, language_id (`int`, `str`, or one per recording, *optional*):
                The speaker and language of a voice of several. A similar speaker does for one that is none of these.
            batch_size (`int`, *optional*, defaults to 8):
                Recordings, or parts of 24 seconds of long ones, that are encoded at once.
            phases (`int`, *optional*, defaults to 4):
                Places in a frame that the first one is tried at; the most likely one is kept. Frames of a recording
                begin anywhere, and what is said changes in the middle of one. Work grows with it.

        Returns:
            [`Alignment`], or a list of them.

        Raises:
            ValueError: if a recording cannot be read, a text has nothing to say, or a recording is shorter than its
                text.
        """
        if isinstance(text, str):
            recording, texts = [recording], [text]
        else:
            texts = text
            _check_pairs(recording, texts)
        waveforms = [self.waveform(one) for one in recording]
        found = []
        for one in self.align_waveforms(waveforms, texts, speaker_id, language_id, batch_size, phases):
            if isinstance(one, ValueError):
                raise one
            found.append(one)
        return found[0] if isinstance(text, str) else found

    def adapt(
        self,
        recordings: Sequence[Any],
        texts: Sequence[str],
        *,
        speaker_id: Choice = None,
        language_id: Choice = None,
        batch_size: int = 8,
    ) -> "ForcedAligner":
        """
        Adapt to the speaker and room of recordings with texts of which most are right, and return the aligner.

        Ten minutes suffice. It makes confidence much more certain where the voice has another speaker. With less than
        24 seconds nothing is changed. Arguments are those of `align`.
        """
        _check_pairs(recordings, texts)
        waveforms = [self.waveform(one) for one in recordings]
        latents = self.latents(waveforms, speaker_id, batch_size)
        languages, speakers = ([_item(one, i) for i in range(len(texts))] for one in (language_id, speaker_id))
        return self.adapt_latents(latents, waveforms, texts, languages, speakers)

    def waveform(self, recording: Any) -> np.ndarray:
        """Read a recording -> float32 (T_wav,) at the voice's rate and about its level; errors as of `align`."""
        waveform = read_audio(recording, self.sampling_rate)
        level = speech_level([waveform], self.sampling_rate)
        if LEVELS_DB[0] <= level <= LEVELS_DB[1] or not np.isfinite(level):
            return waveform
        return waveform * np.float32(10 ** ((USUAL_DB - level) / 20))

    def latents(self, waveforms: Sequence[np.ndarray], speaker_id: Choice = None, batch_size: int = 8) -> list:
        """Return the latents (C, T_spec) of waveforms."""
        return self.encoder(waveforms, self.model.speaker_vector(speaker_id, len(waveforms)), batch_size)

    def align_waveforms(
        self,
        waveforms: Sequence[np.ndarray],
        texts: Sequence[str],
        speaker_id: Choice = None,
        language_id: Choice = None,
        batch_size: int = 8,
        phases: int = PHASES,
    ) -> list[Alignment | ValueError]:
        """Align waveforms (T_wav,) with their texts; in place of an alignment that cannot be, return the error.

        Times are those of the most likely phase, scores those of the first one, to which the confidence is fitted.
        """
        if not 1 <= phases <= self.model.config.hop_length:
            raise ValueError(f"`phases` is {phases}; give 1 to {self.model.config.hop_length}, the samples of a frame.")
        for name, choice in (("speaker_id", speaker_id), ("language_id", language_id)):
            if isinstance(choice, Sequence) and not isinstance(choice, str) and len(choice) != len(texts):
                raise ValueError(f"`{name}` has {len(choice)} values for {len(texts)} recordings; give one for each.")
        found: list[Any] = [None] * len(waveforms)
        best = [(-np.inf, None)] * len(waveforms)
        for phase in range(phases):
            skipped, left = phase * self.model.config.hop_length // phases, range(len(waveforms))
            if skipped:
                least = self.encoder.shortest + skipped
                left = [i for i in left if len(waveforms[i]) > least and isinstance(found[i], Alignment)]
            speakers = None if speaker_id is None else [_item(speaker_id, i) for i in left]
            cut = [waveforms[i][skipped:] for i in left]
            for i, latents in zip(left, self.latents(cut, speakers, batch_size) if cut else [], strict=True):
                arguments = texts[i], _item(language_id, i), _item(speaker_id, i), skipped
                try:
                    likelihood, alignment = self._aligned(latents, waveforms[i][skipped:], *arguments)
                except ValueError as error:  # of a later phase, which has a frame less
                    found[i] = found[i] or error
                    continue
                found[i] = found[i] or alignment
                best[i] = max(best[i], (likelihood, alignment), key=lambda one: one[0])
        pairs = zip(found, best, strict=True)
        return [first if one is None else one.with_scores_of(first) for first, (_, one) in pairs]

    def align_latents(
        self, latents, waveform: np.ndarray, text: str, language_id: Choice = None, speaker_id: Choice = None
    ) -> Alignment:
        """Align the latents (C, T_spec) of a waveform (T_wav,) with a text."""
        return self._aligned(latents, waveform, text, language_id, speaker_id, 0)[1]

    def _aligned(
        self, latents, waveform: np.ndarray, text: str, language_id: Choice, speaker_id: Choice, skipped: int
    ) -> tuple[float, Alignment]:
        """Return the likelihood of what is said, in nats a frame, and the alignment, in which so many samples that
        were skipped come before the waveform."""
        evidence = Evidence.of(latents, waveform, self.inventory, self.adaptation)
        states = self._states(text, language_id, speaker_id)
        path = self._path(evidence, states, text)
        alignment = alignment_of(text, states, path, evidence, self.model.config, len(waveform), skipped)
        return evidence.likelihood(states, path), alignment

    def adapt_latents(
        self,
        latents: Sequence,
        waveforms: Sequence[np.ndarray],
        texts: Sequence[str],
        languages: Sequence[Choice],
        speakers: Sequence[Choice] | None = None,
    ) -> "ForcedAligner":
        """Do as `adapt`, with latents that were computed before."""
        speakers = [None] * len(texts) if speakers is None else speakers
        for _ in range(2):
            found = []
            rows = zip(latents, waveforms, texts, languages, speakers, strict=True)
            for one, waveform, text, language, speaker in rows:
                evidence = Evidence.of(one, waveform, self.inventory, self.adaptation)
                states = self._states(text, language, speaker)
                try:
                    path = self._path(evidence, states, text)
                except ValueError:  # more tokens than frames: the text is wrong
                    continue
                used = evidence.is_loud & (states.tokens[path] != SILENCE)
                if used.any():
                    fit = evidence.of_path(states, path)[used].sum() / evidence.usual[used].sum()
                    found.append((fit, one[:, used], states.mean[:, states.tokens[path[used]]]))
            found.sort(key=lambda item: item[0])
            kept = found[: max(1, round((1 - WRONG_SHARE) * len(found)))]
            if sum(item[1].shape[1] for item in kept) < MIN_FRAMES:
                break
            self.adaptation = Adaptation.fit(*(torch.cat([item[i] for item in kept], dim=1) for i in (1, 2)))
        return self

    def _path(self, evidence: Evidence, states: States, text: str) -> np.ndarray:
        is_optional, frames = states.tokens == SILENCE, evidence.latents.shape[1]
        arguments = (evidence.scores(states), frames, is_optional, SILENCE_ENTRY * evidence.scale)
        path = None
        if len(is_optional) > BEAM_STATES:
            path = best_path(*arguments, beam=BEAM * evidence.scale)
        if path is None:
            path = best_path(*arguments)
        if path is None:
            seconds = frames * self.model.config.hop_length / self.sampling_rate
            raise ValueError(
                f"The text {quoted(text)} has {sum(states.lengths)} tokens, and its recording of {seconds:.2f} s only "
                f"{frames} frames; it cannot be all of what is said."
            )
        return path

    def _states(self, text: str, language_id: Choice, speaker_id: Choice) -> States:
        """Return the states of a text as a speaker says it; if no speaker is given, as an average one does."""
        speaker = None if speaker_id is None else self.model.speaker_vector(speaker_id, 1)
        sentences = spoken_sentences(self.tokenizer, text)
        return states_of(self.model, sentences, self._language(language_id), speaker)

    def _language(self, language_id: Choice):
        return self.model.language_vector(language_id, 1)


def _check_pairs(recordings: Any, texts: Any) -> None:
    if isinstance(recordings, str | bytes | dict) or len(recordings) != len(texts):
        count = "one" if isinstance(recordings, str | bytes | dict) else len(recordings)
        raise ValueError(f"There are {count} recordings and {len(texts)} texts; give a list with one text for each.")


def _item(choice: Choice, number: int) -> Choice:
    """Return the choice of an item, from one for all or one for each."""
    return choice if choice is None or isinstance(choice, int | str) else choice[number]
