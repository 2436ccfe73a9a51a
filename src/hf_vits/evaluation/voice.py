"""Measure a voice: speak sentences, measure them and recordings beside them, and write a report with the audio."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from hf_vits.conversion.resolve import resolve_voice
from hf_vits.data.audio import write_audio
from hf_vits.evaluation.base import Utterance
from hf_vits.evaluation.copy_synthesis import CopySynthesis
from hf_vits.evaluation.evaluator import SpeechEvaluator, check_metrics
from hf_vits.evaluation.model_names import shown_model
from hf_vits.evaluation.pictures import SHOWN, draw_durations, draw_sentence
from hf_vits.evaluation.recordings import EvaluationData
from hf_vits.evaluation.report import SpeechReport
from hf_vits.evaluation.report_page import html_page, markdown_page
from hf_vits.evaluation.requirements import EXTRA, require
from hf_vits.evaluation.settings import EvaluationSettings
from hf_vits.evaluation.speaking import speak
from hf_vits.evaluation.voice_card import check_card, write_card
from hf_vits.hub.cards import language_code, plain_name
from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.utils.atomic_folder import new_folder, refuse_existing, refuse_losing
from hf_vits.utils.precision import decoder_dtype, usable_dtype

FOLDERS = {"voice": "audio", "recordings": "recordings", "copy_synthesis": "copy_synthesis", "compared": "compared"}
"""The parts of a report, each with the subfolder of its audio."""

Rows = dict[str, list[dict[str, Any]]]
"""Rows of a report by its part."""


def evaluate_voice(voice: str, settings: EvaluationSettings) -> dict[str, Any]:
    """
    Measure a voice and write `report.json`, `README.md`, `index.html`, pictures and the speech into `output_dir`.

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
        ValueError: for data, texts or a speaker that do not fit, or a model card that cannot be added to.

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
    require({"librosa": EXTRA, "matplotlib": EXTRA}, "A report with pictures")
    if settings.write_card:
        check_card(voice)
    dtype = usable_dtype(settings.dtype)
    pipe = TextToSpeechPipeline(resolve_voice(voice), dtype=dtype)
    data = EvaluationData.load(settings, pipe)
    evaluator = SpeechEvaluator(settings.metrics, settings.options(language_code(pipe.tokenizer)))
    evaluator.prepare(data.target or ())
    other = None if settings.compare is None else TextToSpeechPipeline(resolve_voice(settings.compare), dtype=dtype)
    with new_folder(folder, overwrite) as staged:
        report = _Measuring(settings, pipe, other, data, evaluator, staged).report(voice)
        (staged / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (staged / "README.md").write_text(markdown_page(report), encoding="utf-8")
        (staged / "index.html").write_text(html_page(report), encoding="utf-8")
    if settings.write_card:
        write_card(Path(voice), report, folder)
    return report


class _Measuring:
    """Measure one sentence after another, in all parts of the report, and write audio and pictures into a folder."""

    def __init__(
        self,
        settings: EvaluationSettings,
        pipe: TextToSpeechPipeline,
        other: TextToSpeechPipeline | None,
        data: EvaluationData,
        evaluator: SpeechEvaluator,
        folder: Path,
    ):
        self.settings, self.pipe, self.other, self.data, self.folder = settings, pipe, other, data, folder
        self.evaluator = evaluator
        self.without_target = evaluator.without_target() if data.is_target else evaluator  # with their own mean
        self.copied, self.reason = None, None  # the similarity of recordings would be too high
        if settings.copy_synthesis and data.recordings is not None and data.is_parallel:
            self.reason = CopySynthesis.reason_against(pipe.model)
            self.copied = None if self.reason else CopySynthesis(pipe.model, settings.seed)
        self.rows: Rows = {part: [] for part in FOLDERS}
        self.pictures: list[str] = []

    def report(self, voice: str) -> dict[str, Any]:
        """Measure, and return the report."""
        settings, data = self.settings, self.data
        if self.evaluator.is_timing:
            self._warm_up()
        for number in tqdm(range(len(data.sentences)), desc="measuring speech", leave=False):
            self._measure_sentence(number)
        if data.recordings is not None and not data.is_parallel:
            for recording in tqdm(data.recordings, desc="measuring recordings", leave=False):
                self._add("recordings", recording, self.without_target)
        self.pictures += draw_durations(self.folder, self.rows["voice"])
        reports = {part: SpeechReport.of(rows, settings.metrics) for part, rows in self.rows.items() if rows}
        compared = reports.get("compared")
        differences = reports["voice"].difference(compared).items() if compared else ()
        return {
            **{part: asdict(reports[part]) if part in reports else None for part in FOLDERS},
            "difference": {name: asdict(one) for name, one in differences} or None,
            "instruments": self.evaluator.instruments,
            "dtype": decoder_dtype(self.pipe.model),
            "seed": settings.seed,
            "name": shown_model(voice),
            "compared_name": settings.compare and shown_model(settings.compare),
            "data": plain_name(settings.texts or settings.dataset_name),
            "is_parallel": data.is_parallel,
            "no_copy_synthesis": self.reason,
            "pictures": self.pictures,
        }

    def _measure_sentence(self, number: int) -> None:
        data, sentence, settings = self.data, self.data.sentences[number], self.settings
        recording = data.recordings[number] if data.recordings is not None and data.is_parallel else None
        spoken = speak(self.pipe, sentence, settings.seed, number, recording)
        shown = {"speech": spoken}
        row = self._add("voice", spoken)
        if spoken.synthesis is not None:
            silence = len(spoken.waveform) / spoken.sampling_rate - spoken.frames.seconds
            row["readings"] = (spoken.synthesis.readings().sum(axis=1) - silence).round(3).tolist()
        if recording is not None:
            shown = {"recording": recording, **shown}
            self._add("recordings", recording, self.without_target)
            row["recorded_seconds"] = recording.frames.seconds
        if self.copied is not None:
            shown["copy-synthesis"] = self.copied(recording, number)
            self._add("copy_synthesis", shown["copy-synthesis"], self.without_target)
        if self.other is not None:
            self._add("compared", speak(self.other, sentence, settings.seed, number, recording))
        if number < SHOWN:
            self.pictures += draw_sentence(self.folder, number, shown)

    def _add(self, part: str, utterance: Utterance, evaluator: SpeechEvaluator | None = None) -> dict[str, Any]:
        """Measure an utterance, and write its audio into the subfolder of the part."""
        row = (evaluator or self.evaluator).row(utterance)
        name = f"{FOLDERS[part]}/{len(self.rows[part]) + 1:04}.wav"
        (self.folder / FOLDERS[part]).mkdir(exist_ok=True)
        if utterance.waveform.size:
            write_audio(self.folder / name, utterance.waveform, utterance.sampling_rate)
            row["audio"] = name
        self.rows[part].append(row)
        return row

    def _warm_up(self) -> None:
        """Speak a sentence that is not measured: the first one of a voice takes longer."""
        for pipe in filter(None, (self.pipe, self.other)):
            spoken = speak(pipe, self.data.sentences[0], self.settings.seed, 0)
            if spoken.synthesis is not None:
                spoken.synthesis.seconds_to_first_sound()
