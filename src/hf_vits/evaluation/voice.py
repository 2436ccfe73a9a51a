"""Measure a voice: speak sentences, measure them and recordings beside them, and write a report with the audio."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from hf_vits.conversion.resolve import resolve_voice
from hf_vits.data.audio import read_audio, write_audio
from hf_vits.data.columns import plain_rows, rows_of, speaker_labels, speaker_name, speaker_number
from hf_vits.data.dataset import check_data
from hf_vits.data.load import load_data
from hf_vits.evaluation.base import Utterance
from hf_vits.evaluation.evaluator import SpeechEvaluator, check_metrics
from hf_vits.evaluation.model_names import shown_model
from hf_vits.evaluation.report import SpeechReport
from hf_vits.evaluation.report_page import report_page
from hf_vits.evaluation.settings import EvaluationSettings
from hf_vits.evaluation.speaking import Sentence, read_texts, speak
from hf_vits.hub.cards import language_code
from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.utils.atomic_folder import new_folder, refuse_existing, refuse_losing

MAX_TARGET_RECORDINGS = 64
"""Recordings of the target that similarity compares with at most."""


def evaluate_voice(voice: str, settings: EvaluationSettings) -> dict[str, Any]:
    """
    Measure a voice and write `report.json`, `README.md` and the speech into `output_dir`.

    Args:
        voice (`str`):
            Folder, `"default"`, or name on the Hub.
        settings ([`EvaluationSettings`]):
            What is measured, and with what.

    Returns:
        `dict`: the contents of `report.json`.

    Raises:
        FileExistsError: if `output_dir` holds anything and `overwrite` is not set.
        ImportError: if a metric needs packages that are not installed; says which.
        OSError: for a recognizer or encoder that cannot be loaded.
        ValueError: for data, texts or a speaker that do not fit.

    Example:

    ```python
    >>> from hf_vits.evaluation import EvaluationSettings, evaluate_voice

    >>> report = evaluate_voice("default", EvaluationSettings(texts="sentences.txt", metrics=["wer"]))
    >>> report["voice"]["estimates"]["wer"]["value"]
    0.016
    ```
    """
    folder, overwrite = Path(settings.output_dir), settings.overwrite
    for source in filter(None, (voice, settings.compare, settings.dataset_name, settings.texts)):
        refuse_losing(folder, source)
    refuse_existing(folder, overwrite)
    check_metrics(settings.metrics, settings.options(None))
    pipe = TextToSpeechPipeline(resolve_voice(voice))
    target, recorded, is_target = _recordings(settings, pipe)
    evaluator = SpeechEvaluator(settings.metrics, settings.options(language_code(pipe.tokenizer)))
    if "similarity" in settings.metrics:
        evaluator.prepare(target())
    other = None if settings.compare is None else TextToSpeechPipeline(resolve_voice(settings.compare))
    sentences = _sentences(settings, pipe, recorded)
    with new_folder(folder, overwrite) as staged:
        spoken = _measured(pipe, sentences, evaluator, settings.seed, staged, "audio")
        compared = other and _measured(other, sentences, evaluator, settings.seed, staged, "compared")
        difference = {name: asdict(one) for name, one in spoken.difference(compared).items()} if compared else None
        report = {
            "voice": asdict(spoken),
            "recordings": _measure_recordings(evaluator, recorded, is_target),
            "compared": compared and asdict(compared),
            "difference": difference,
            "instruments": evaluator.instruments,
            "seed": settings.seed,
            "name": shown_model(voice),
            "compared_name": settings.compare and shown_model(settings.compare),
        }
        (staged / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (staged / "README.md").write_text(report_page(report), encoding="utf-8")
    return report


class _Rows:
    """Rows of a data set as recordings at the voice's rate, read one after another."""

    def __init__(self, dataset, settings: EvaluationSettings, pipe: TextToSpeechPipeline, count: int):
        columns = settings.columns
        check_data(dataset, columns)
        self.labels, self.config, self.columns = speaker_labels(dataset, columns.speaker), pipe.model.config, columns
        self.default = _speaker(settings.speaker_id, pipe)
        rows = list(rows_of(plain_rows(dataset, columns.names), columns.audio))
        step = max(1, len(rows) / count)
        self.rows = [rows[int(number * step)] for number in range(min(len(rows), count))]

    @property
    def sentences(self) -> list[Sentence]:
        return [Sentence(str(row[self.columns.text]), self._speaker(row)) for row in self.rows]

    def __iter__(self) -> Iterator[Utterance]:
        for row, sentence in zip(self.rows, self.sentences, strict=True):
            waveform = read_audio(row[self.columns.audio], self.config.sampling_rate)
            yield Utterance(sentence.text, waveform, self.config.sampling_rate, sentence.speaker)

    def _speaker(self, row) -> int | None:
        if self.columns.speaker is None:
            return self.default
        name = speaker_name(row[self.columns.speaker], self.labels)
        return self.default if name is None else speaker_number(name, self.config)


def _recordings(settings: EvaluationSettings, pipe: TextToSpeechPipeline):
    """Return a function that gives recordings of the target, the recordings to measure, or `None`, and whether they are
    of the target's."""
    if settings.dataset_name is None:
        return (lambda: []), None, False
    names = (settings.dataset_name, settings.dataset_config_name, settings.train_split, settings.eval_split)
    train, evaluation = load_data(*names, columns=settings.columns)
    target = _Rows(train, settings, pipe, MAX_TARGET_RECORDINGS)
    recorded = _Rows(train if evaluation is None else evaluation, settings, pipe, settings.max_sentences)
    return (lambda: target), recorded, evaluation is None


def _sentences(settings: EvaluationSettings, pipe: TextToSpeechPipeline, recorded: _Rows | None) -> list[Sentence]:
    if settings.texts is None:
        return recorded.sentences[: settings.max_sentences]
    speaker = _speaker(settings.speaker_id, pipe)
    return [Sentence(text, speaker) for text in read_texts(settings.texts, settings.max_sentences, "texts")]


def _speaker(given: str | None, pipe: TextToSpeechPipeline) -> int | None:
    return None if given is None else speaker_number(given, pipe.model.config)


def _measured(
    pipe: TextToSpeechPipeline,
    sentences: Sequence[Sentence],
    evaluator: SpeechEvaluator,
    seed: int,
    folder: Path,
    subfolder: str,
) -> SpeechReport:
    """Speak and measure each sentence, and write its audio into a subfolder."""
    (folder / subfolder).mkdir()
    rows = []
    for number, sentence in enumerate(tqdm(sentences, desc="measuring speech", leave=False)):
        utterance, name = speak(pipe, sentence, seed, number), f"{subfolder}/{number + 1:04}.wav"
        rows.append(evaluator.row(utterance))
        if utterance.waveform.size:
            write_audio(folder / name, utterance.waveform, utterance.sampling_rate)
            rows[-1]["audio"] = name
    return SpeechReport.of(rows, list(evaluator.metrics))


def _measure_recordings(evaluator: SpeechEvaluator, recorded: _Rows | None, is_target: bool) -> dict[str, Any] | None:
    if recorded is None:
        return None
    bar = tqdm(recorded, desc="measuring recordings", total=len(recorded.rows), leave=False)
    report = asdict(evaluator.measure(bar))
    if is_target:
        report["estimates"].pop("similarity", None)  # with their own mean it would be too high
    return report
