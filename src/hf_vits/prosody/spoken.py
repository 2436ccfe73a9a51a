"""Timestamps and marks of sentences that are spoken one after another, with their effects."""

from collections.abc import Sequence
from typing import Any

from hf_vits.configuration_vits import VitsConfig
from hf_vits.prosody.effects import SentenceAudio, SentenceEffects
from hf_vits.timestamps.timeline import Timeline
from hf_vits.timestamps.tokens import SentenceTokens


class SpokenText:
    """
    The times of a text.

    Args:
        wanted (`str` or `tuple[str, ...]`, *optional*):
            Units that timestamps are wanted of, as `check_units` returns them.
        config ([`VitsConfig`]):
            The model's.
    """

    def __init__(self, wanted: str | tuple[str, ...] | None, config: VitsConfig):
        self.wanted, self.config, self._is_document = wanted, config, False
        self._timeline = Timeline(() if wanted is None else wanted, config)

    def pause(self, samples: int, effects: SentenceEffects | None = None) -> None:
        """Add silence before a sentence with these effects: that of a document has marks, if only an empty list."""
        self._is_document = self._is_document or effects is not None and effects.is_document
        self._timeline.pause(samples)

    def sentence(
        self, tokens: Sequence[SentenceTokens] | None, durations: Sequence[int] | None, effects: SentenceEffects | None
    ) -> SentenceAudio | None:
        """
        Add a sentence.

        Args:
            tokens (`list[SentenceTokens]`, *optional*):
                Those of it and of skipped ones beside it; with `wanted`.
            durations (`list[int]`, *optional*):
                Frames of each token.
            effects ([`SentenceEffects`], *optional*):
                Those of it.

        Returns:
            What applies them to its waveform.
        """
        audio = None
        if effects is not None:
            self._is_document = effects.is_document
            audio = SentenceAudio(effects, durations, self.config.hop_length, self.config.sampling_rate)
        if effects is not None or self.wanted is not None:
            self._timeline.sentence([effects.tokens] if tokens is None else tokens, durations, audio)
        return audio

    def take(self, samples: int | None = None) -> dict[str, Any]:
        """Return timestamps and marks of what begins in the next samples, all by default, as fields of an output."""
        timestamps = self._timeline.take(samples)
        fields = {} if self.wanted is None else {"timestamps": timestamps}
        return {**fields, "marks": self._timeline.take_marks()} if self._is_document else fields
