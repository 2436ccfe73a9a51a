"""Recordings to measure beside a voice, and of its target speaker, from a folder or a data set of the Hub."""

from collections.abc import Iterator
from dataclasses import dataclass

from hf_vits.data.audio import read_audio
from hf_vits.data.columns import plain_rows, rows_of, speaker_labels, speaker_name, speaker_number
from hf_vits.data.dataset import check_data
from hf_vits.data.load import load_data
from hf_vits.evaluation.base import Utterance
from hf_vits.evaluation.settings import EvaluationSettings
from hf_vits.evaluation.speaking import Sentence, read_texts
from hf_vits.pipeline import TextToSpeechPipeline

MAX_TARGET_RECORDINGS = 64
"""Recordings of the target that similarity compares with at most."""


class Recordings:
    """Rows of a data set as utterances at the voice's rate, `count` at most, spread evenly; read when asked for."""

    def __init__(self, dataset, settings: EvaluationSettings, pipe: TextToSpeechPipeline, count: int):
        columns = settings.columns
        check_data(dataset, columns)
        self.labels, self.config, self.columns = speaker_labels(dataset, columns.speaker), pipe.model.config, columns
        self.default = default_speaker(settings, pipe)
        rows = list(rows_of(plain_rows(dataset, columns.names), columns.audio))
        step = max(1, len(rows) / count)
        self.rows = [rows[int(number * step)] for number in range(min(len(rows), count))]

    @property
    def sentences(self) -> list[Sentence]:
        """Return the texts and their speakers."""
        return [Sentence(str(row[self.columns.text]), self._speaker(row)) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Utterance:
        row, rate = self.rows[number], self.config.sampling_rate
        waveform = read_audio(row[self.columns.audio], rate)
        return Utterance(str(row[self.columns.text]), waveform, rate, self._speaker(row))

    def __iter__(self) -> Iterator[Utterance]:
        return map(self.__getitem__, range(len(self)))

    def _speaker(self, row) -> int | None:
        if self.columns.speaker is None:
            return self.default
        name = speaker_name(row[self.columns.speaker], self.labels)
        return self.default if name is None else speaker_number(name, self.config)


@dataclass(frozen=True)
class EvaluationData:
    """
    The sentences and recordings that a voice is measured on.

    Args:
        sentences (`list[Sentence]`):
            What it speaks.
        target ([`Recordings`], *optional*):
            Recordings of the speaker that it should sound like.
        recordings ([`Recordings`], *optional*):
            Recordings to measure beside it.
        is_parallel (`bool`):
            Whether those are of the same sentences.
        is_target (`bool`):
            Whether those are part of `target`.
    """

    sentences: list[Sentence]
    target: Recordings | None = None
    recordings: Recordings | None = None
    is_parallel: bool = False
    is_target: bool = False

    @classmethod
    def load(cls, settings: EvaluationSettings, pipe: TextToSpeechPipeline) -> "EvaluationData":
        """Read the rows and texts that the settings name; raise `ValueError` for what does not fit the voice."""
        target = recordings = evaluation = None
        if settings.dataset_name is not None:
            names = (settings.dataset_name, settings.dataset_config_name, settings.train_split, settings.eval_split)
            train, evaluation = load_data(*names, columns=settings.columns)
            target = Recordings(train, settings, pipe, MAX_TARGET_RECORDINGS)
            recordings = Recordings(train if evaluation is None else evaluation, settings, pipe, settings.max_sentences)
        if settings.texts is None:
            sentences = recordings.sentences
        else:
            speaker = default_speaker(settings, pipe)
            texts = read_texts(settings.texts, settings.max_sentences, "texts")
            sentences = [Sentence(text, speaker) for text in texts]
        return cls(sentences, target, recordings, settings.texts is None, evaluation is None)


def default_speaker(settings: EvaluationSettings, pipe: TextToSpeechPipeline) -> int | None:
    """Return the id of `speaker_id`, or `None` if that is not given."""
    given = settings.speaker_id
    return None if given is None else speaker_number(given, pipe.model.config)
