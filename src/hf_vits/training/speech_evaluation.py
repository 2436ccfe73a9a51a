"""Speech metrics during training: speak sentences as users do with the model that is saved, and measure them."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from accelerate import Accelerator
from tqdm.auto import tqdm

from hf_vits.configuration_vits import VitsConfig
from hf_vits.data.dataset import VitsDataset
from hf_vits.data.joining import JoinedDataset
from hf_vits.evaluation.base import METRICS, Utterance
from hf_vits.evaluation.evaluator import SpeechEvaluator, check_metrics
from hf_vits.evaluation.report import SpeechReport
from hf_vits.evaluation.speaking import Sentence, read_texts, speak
from hf_vits.hub.cards import language_code
from hf_vits.modeling_vits import VitsModel
from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.checkpoints import inference_copy
from hf_vits.training.loggers import ExperimentLogger
from hf_vits.training.speech_figures import SpeechFigures, SpeechSetup, history_values
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.distributed import run_on_all_processes

logger = logging.getLogger(__name__)

MAX_TARGET_CLIPS = 64
"""Recordings of a speaker that make the target of the similarity; more of them hardly move it."""

MIN_TARGET_SECONDS = 1.6
"""Length from which recordings tell speakers apart well; shorter ones are taken if there are no others."""


def check_speech_metrics(args: VitsTrainingArguments) -> None:
    """Raise `ImportError` or `ValueError` before data is read if the metrics of a run could not be measured."""
    if args.eval_metrics:
        check_metrics(args.eval_metrics, args.evaluation_options(None, "cpu"))
        _texts(args)


def _texts(args: VitsTrainingArguments) -> list[str] | None:
    """Return the sentences of `eval_texts`, or `None` if that is not given."""
    return read_texts(args.eval_texts, args.max_eval_texts, "eval_texts") if args.eval_texts is not None else None


def load_evaluator(args: VitsTrainingArguments, tokenizer: VitsTokenizer, device: str) -> SpeechEvaluator:
    """Load the metrics of a run, and what they measure with; the tokenizer's language is the default."""
    return SpeechEvaluator(args.eval_metrics, args.evaluation_options(language_code(tokenizer), device))


class SpeechEvaluation:
    """
    Measure the voice of a run at each evaluation, and once its base and the recordings.

    What metrics measure with is loaded here, so that a run that lacks it fails before it reads clips.

    Args:
        args ([`VitsTrainingArguments`]):
            Settings.
        tokenizer ([`VitsTokenizer`]):
            Tokenizer of the model; the metrics take its language if the settings have none.
        accelerator (`Accelerator`):
            Distributes the sentences over processes.

    Raises:
        ImportError: for packages that are not installed.
        OSError: for a recognizer or encoder that cannot be loaded.
        ValueError: for a file of texts that cannot be read, or a language that the recognizer does not know.
    """

    def __init__(self, args: VitsTrainingArguments, tokenizer: VitsTokenizer, accelerator: Accelerator):
        self.args, self.tokenizer, self.accelerator = args, tokenizer, accelerator
        self.texts = _texts(args)
        self.evaluator = load_evaluator(args, tokenizer, str(accelerator.device))
        self.train_clips: VitsDataset | JoinedDataset | None = None
        self.eval_clips: VitsDataset | None = None
        self.sentences: list[Sentence] = []
        self.is_prepared = False

    def set_clips(
        self,
        train_clips: VitsDataset | JoinedDataset | None,
        eval_clips: VitsDataset | None,
        text_column: str,
        config: VitsConfig,
    ) -> None:
        """
        Choose the sentences to speak, and their speakers; clips to train on are `None` for a stream.

        Sentences of a file are spoken by the speakers of the evaluation set in turn, or of the training data if there
        is none.

        Raises:
            ValueError: if there are no sentences, or no recordings to compare with.
        """
        self.train_clips, self.eval_clips = train_clips, eval_clips
        if self.texts is None and not eval_clips:
            raise ValueError(
                "`eval_metrics` needs sentences to speak, and there is no evaluation set: give a file of sentences as "
                "`eval_texts`, or recordings to evaluate on."
            )
        if self.evaluator.needs_target and not (train_clips or eval_clips):
            raise ValueError(
                "`eval_metrics` has similarity, which compares with recordings; of a stream none are kept: give "
                "recordings to evaluate on, as `eval_split`, or leave it out."
            )
        if self.evaluator.needs_recording and self.texts is not None:
            raise ValueError(
                "`eval_metrics` has a metric that compares with recordings of the same sentences: leave out "
                "`eval_texts`, so that those of the evaluation set are spoken."
            )
        if self.texts is None:
            rows = (eval_clips.rows[clip.row][text_column] for clip in eval_clips.clips)
            spoken = [Sentence(text, clip.speaker_id) for text, clip in zip(rows, eval_clips.clips, strict=True)]
            self.sentences = _evenly(spoken, self.args.max_eval_texts)
        else:
            clips = (eval_clips or train_clips).clips if eval_clips or train_clips else []
            speakers = sorted({clip.speaker_id for clip in clips if clip.speaker_id is not None}) or [None]
            self.sentences = [Sentence(text, speakers[i % len(speakers)]) for i, text in enumerate(self.texts)]
        self.text_column, self.sampling_rate = text_column, config.sampling_rate

    def is_missing(self, history: Sequence[Mapping[str, float]], step: int) -> bool:
        """Return True if a history lacks the metrics of a step."""
        values = history_values(history, "eval", step)
        return not all(name in values for name in self.evaluator.metrics)

    def run(self, step: int, model: VitsModel, experiment: ExperimentLogger) -> None:
        """Measure the voice of a model, and before that the recordings if the history lacks them; log both."""
        self._prepare(experiment)
        recorded = history_values(experiment.history, "recordings")
        if self.eval_clips and not all(name in recorded for name in self._recorded_metrics):
            self._log("recordings", step, self._measure(self._recordings(), len(self._recorded_clips)), experiment)
        pipe = TextToSpeechPipeline(inference_copy(model), self.tokenizer, device=self.accelerator.device)
        report = self._measure(self._spoken(pipe), len(self.sentences))
        self._log("eval", step, report, experiment)
        experiment.draw_losses()
        if self.accelerator.is_main_process:
            names = list(self.evaluator.metrics)
            logger.info(f"Step {step}: {SpeechFigures.of(experiment.history, step, names).line()}")

    @property
    def setup(self) -> SpeechSetup:
        """Return the models that metrics use, and the numbers of sentences and recordings."""
        recordings = len(self._recorded_clips) if self.eval_clips else 0
        return SpeechSetup(self.evaluator.instruments, len(self.sentences), recordings)

    @property
    def _recorded_clips(self) -> list[int]:
        return _evenly(range(len(self.eval_clips.clips)), self.args.max_eval_texts)

    @property
    def _recorded_metrics(self) -> list[str]:
        """Metrics of the recordings: not of comparisons with recordings, if these are the only ones, nor of voices."""
        metrics = self.evaluator.metrics.items()
        return [
            name
            for name, metric in metrics
            if not (metric.needs_recording or metric.needs_synthesis or metric.needs_target and not self.train_clips)
        ]

    def _prepare(self, experiment: ExperimentLogger) -> None:
        if not self.is_prepared:
            if self.accelerator.is_main_process:
                self._warn_of_other_instruments(experiment)
            if self.evaluator.needs_target:
                run_on_all_processes(lambda: self.evaluator.prepare(self._targets()))
            self.is_prepared = True

    def _warn_of_other_instruments(self, experiment: ExperimentLogger) -> None:
        """Log a warning if the newest figures of the run so far were measured with something else."""
        steps = [line["step"] for line in experiment.history if any(f"eval/{name}" in line for name in METRICS)]
        before = experiment.read_json(max(steps, default=0), "speech").get("instruments", {})
        now = self.evaluator.instruments
        if changed := [name for name in now if before.get(name, now[name]) != now[name]]:
            differing = "; ".join(f"{name} was measured by {before[name]}, now by {now[name]}" for name in changed)
            logger.warning(
                f"Figures of this run cannot be compared with those before it was resumed: {differing}. The choice of "
                "the best checkpoint compares them: give the former ones, or start anew."
            )

    def _targets(self) -> Iterator[Utterance]:
        """Yield recordings of each speaker: those trained on, or if there are none those to evaluate on."""
        wanted = {sentence.speaker for sentence in self.sentences}
        wanted |= {clip.speaker_id for clip in self.eval_clips.clips} if self.eval_clips else set()
        for dataset in filter(None, (self.train_clips, self.eval_clips)):
            by_speaker = defaultdict(list)
            for index, clip in enumerate(dataset.clips):
                if clip.speaker_id in wanted:
                    by_speaker[clip.speaker_id].append(index)
            shortest = MIN_TARGET_SECONDS * self.sampling_rate
            for indices in by_speaker.values():
                long = [index for index in indices if dataset.clips[index].num_samples >= shortest]
                yield from (self._utterance(dataset, index) for index in _evenly(long or indices, MAX_TARGET_CLIPS))
            wanted -= by_speaker.keys()

    def _recordings(self) -> Iterator[tuple[int, Utterance]]:
        for number, index in self._shared(self._recorded_clips, "measuring recordings"):
            yield number, self._recording(index)

    def _recording(self, index: int) -> Utterance:
        text = self.eval_clips.rows[self.eval_clips.clips[index].row][self.text_column]
        return self._utterance(self.eval_clips, index, text)

    def _utterance(self, dataset: VitsDataset | JoinedDataset, index: int, text: str = "") -> Utterance:
        clip, waveform = dataset[index]
        return Utterance(text, waveform.numpy(), self.sampling_rate, clip.speaker_id)

    def _spoken(self, pipe: TextToSpeechPipeline) -> Iterator[tuple[int, Utterance]]:
        is_compared = self.evaluator.needs_recording  # then sentences are those of the evaluation set, in its order
        for number, sentence in self._shared(self.sentences, "measuring speech"):
            recording = self._recording(self._recorded_clips[number]) if is_compared else None
            yield number, speak(pipe, sentence, self.args.seed, number, recording)

    def _shared(self, items: Sequence, description: str) -> Iterable[tuple[int, Any]]:
        """Return the numbered items of this process, with a progress bar."""
        index, processes = self.accelerator.process_index, self.accelerator.num_processes
        share = list(enumerate(items))[index::processes]
        return tqdm(share, desc=description, leave=False, disable=index > 0)

    def _measure(self, utterances: Iterable[tuple[int, Utterance]], count: int) -> SpeechReport:
        """Measure the utterances of this process, and return the report on those of all processes."""
        shares = run_on_all_processes(lambda: [(number, self.evaluator.row(one)) for number, one in utterances])
        rows = dict(pair for share in shares for pair in share)
        return SpeechReport.of((rows[number] for number in range(count)), list(self.evaluator.metrics))

    def _log(self, kind: str, step: int, report: SpeechReport, experiment: ExperimentLogger) -> None:
        """Log the figures and their intervals, and the rows to a file beside the samples."""
        values = {}
        for name, estimate in report.estimates.items():
            if kind == "recordings" and name not in self._recorded_metrics:
                continue
            values |= {f"{kind}/{name}": estimate.value}
            values |= {f"{kind}/{name}/low": estimate.low, f"{kind}/{name}/high": estimate.high}
        experiment.log(step, values)
        name = "recordings" if kind == "recordings" else "speech"
        experiment.log_json(step, name, {**report.to_dict(), "instruments": self.evaluator.instruments})


def _evenly(items: Sequence, count: int) -> list:
    """Return at most so many items, spread evenly."""
    step = max(1, len(items) / count)
    return [items[int(number * step)] for number in range(min(len(items), count))]
