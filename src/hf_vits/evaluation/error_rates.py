"""Word and character error rate: how much of a text a recognizer misunderstands."""

from collections.abc import Mapping

from hf_vits.evaluation.base import METRICS, EvaluationOptions, Instruments, Metric, SentenceScore, Utterance
from hf_vits.evaluation.normalization import is_english, normalizer_of
from hf_vits.evaluation.requirements import EXTRA


class ErrorRate(Metric):
    """Count substitutions, deletions and insertions per unit of the text, both sides normalized."""

    greater_is_better = False
    percent = True

    def __init__(self, instruments: Instruments):
        self.recognizer = instruments.recognizer
        self.normalize = normalizer_of(instruments.options.language)
        self.instrument = self.recognizer.name

    @classmethod
    def packages(cls, options: EvaluationOptions) -> Mapping[str, str]:
        """Return jiwer, the recognizer's packages, and for English the normalizer."""
        english = {"whisper_normalizer": EXTRA} if is_english(options.language) else {}
        return {"jiwer": EXTRA, **english, **options.recognizer_class.packages}

    def score(self, utterance: Utterance) -> SentenceScore:
        """Return errors and units of one text; understand the utterance first if no metric has done so."""
        if utterance.transcript is None:
            waveform = utterance.waveform
            utterance.transcript = self.recognizer(waveform, utterance.sampling_rate) if waveform.size else ""
        return SentenceScore(*self.count(self.normalize(utterance.text), self.normalize(utterance.transcript)))

    def count(self, reference: str, transcript: str) -> tuple[int, int]:
        """Return the number of errors and the number of units of the reference."""
        raise NotImplementedError


@METRICS.register("wer")
class WordErrorRate(ErrorRate):
    """Wrong words as a fraction of all words."""

    title = "word error rate"

    def count(self, reference: str, transcript: str) -> tuple[int, int]:
        """Return wrong words, and words of the reference."""
        import jiwer

        if not reference:  # jiwer takes no empty reference
            return len(transcript.split()), 0
        return _errors(jiwer.process_words(reference, transcript))


@METRICS.register("cer")
class CharacterErrorRate(ErrorRate):
    """Wrong characters as a fraction of all characters, spaces included."""

    title = "character error rate"

    def count(self, reference: str, transcript: str) -> tuple[int, int]:
        """Return wrong characters, and characters of the reference."""
        import jiwer

        if not reference:
            return len(transcript), 0
        return _errors(jiwer.process_characters(reference, transcript))


def _errors(alignment) -> tuple[int, int]:
    missed = alignment.substitutions + alignment.deletions
    return missed + alignment.insertions, alignment.hits + missed
