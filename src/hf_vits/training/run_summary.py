"""The facts of a run that its model card and its closing message state."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from hf_vits.configuration_vits import VitsConfig
from hf_vits.data.dataset import VitsDataset
from hf_vits.data.filter_report import FilterReport
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.hub.license import Provenance
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.loggers import read_history
from hf_vits.training.speech_figures import SpeechFigures, SpeechSetup
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.training.training_state import Progress

MAX_EXAMPLE_LENGTH = 80
"""Characters of an evaluation text up to which it serves as the example of a command."""


@dataclass(frozen=True)
class EvalClip:
    """A clip of the evaluation set: its row number, its length and its text on one line."""

    row: int
    seconds: float
    text: str


def eval_clips_of(dataset: VitsDataset | None, text_column: str) -> list[EvalClip]:
    """Return the clips of an evaluation set; none if there is no set."""
    return [
        EvalClip(
            clip.row,
            clip.num_samples / dataset.config.sampling_rate,
            " ".join(str(dataset.rows[clip.row][text_column]).split()),
        )
        for clip in (dataset.clips if dataset else ())
    ]


@dataclass(frozen=True)
class RunSummary:
    """
    A run at its present step.

    Args:
        output_dir (`Path`):
            Folder of the run.
        args ([`VitsTrainingArguments`]):
            Settings.
        progress ([`Progress`]):
            Steps taken.
        config ([`VitsConfig`]):
            Configuration of the model.
        discriminator_config ([`VitsDiscriminatorConfig`]):
            Configuration of the discriminators.
        tokenizer ([`VitsTokenizer`]):
            Tokenizer of the model.
        provenance ([`Provenance`], *optional*):
            Model that the run started from.
        new_modules (`list[str]`):
            Modules that were newly initialized in it.
        dataset_name (`str`):
            Folder or data set; empty if unknown.
        filter_report ([`FilterReport`], *optional*):
            Clips that were kept and dropped; `None` for a stream.
        eval_clips (`list[EvalClip]`):
            The evaluation set.
        device, mixed_precision (`str`):
            Type of the device, and precision.
        num_processes (`int`):
            Number of processes.
        speech ([`SpeechSetup`], *optional*):
            What its speech metrics measure with, if it has any.
        best_step (`int`, *optional*):
            Step of the checkpoint that was chosen as the model; `None` if it is that of the last step.
        best_rule (`str`):
            How it was chosen, in words.
        stopped_early (`bool`):
            Whether the run ended because models did not get better.
        is_distilled (`bool`):
            Whether a new decoder was trained on speech of the base model.
    """

    output_dir: Path
    args: VitsTrainingArguments
    progress: Progress
    config: VitsConfig
    discriminator_config: VitsDiscriminatorConfig
    tokenizer: VitsTokenizer
    provenance: Provenance | None
    new_modules: list[str]
    dataset_name: str
    filter_report: FilterReport | None
    eval_clips: list[EvalClip]
    device: str
    mixed_precision: str
    num_processes: int
    speech: SpeechSetup | None = None
    best_step: int | None = None
    best_rule: str = ""
    stopped_early: bool = False
    is_distilled: bool = False

    @property
    def model_step(self) -> int:
        """The step that the model is of."""
        return self.progress.step if self.best_step is None else self.best_step

    def speech_figures(self) -> SpeechFigures | None:
        """Return the speech metrics of the model, or `None` if there are none."""
        if self.speech is None:
            return None
        figures = SpeechFigures.of(read_history(self.output_dir), self.model_step, list(self.speech.instruments))
        return figures if figures.voice else None

    def chosen(self) -> str:
        """Return sentences on which step the model is of, and why the run ended; empty if it is simply the last."""
        early = (
            f"The run ended at step {self.progress.step:,}, since models did not get better."
            if self.stopped_early
            else ""
        )
        if self.best_step is None:
            return early
        return f"{early} The model is that of step {self.best_step:,}, the best by this rule: {self.best_rule}.".strip()

    def closing_message(self) -> str:
        """Return the lines that end a run: where its model is, and commands that speak with it and that resume it."""
        steps, done = self.args.max_steps, self.progress.step
        voice = f"--voice {shlex.quote(str(self.output_dir))}{self._speaker_option()}"
        taken = f"all {steps:,} steps" if done >= steps else f"{done:,} of {steps:,} steps"
        names = "`--max_steps`" + (" and `--max_steps_per_minute`" if self.args.max_steps_per_minute else "")
        more = f", and {names} above {steps}" if done >= steps else ""
        more = ", and a greater `--early_stopping_patience`" if self.stopped_early else more
        figures = self.speech_figures()
        return "\n".join(
            [
                f"The voice is in {self.output_dir}, after {taken}.",
                *([self.chosen()] if self.chosen() else []),
                *([f"Measured: {figures.line()}"] if figures else []),
                f"Listen:  hf-vits speak {shlex.quote(self._example_text())} {voice} --output hello.wav",
                f"Resume:  the same command with --resume_from_checkpoint latest{more}",
            ]
        )

    def _example_text(self) -> str:
        """Return a text in the model's language: the first short one of the evaluation set, if there is any."""
        texts = (clip.text for clip in self.eval_clips)
        return next((t for t in texts if len(t) <= MAX_EXAMPLE_LENGTH and not t.startswith("-")), "Hello.")

    def _speaker_option(self) -> str:
        if self.config.num_speakers < 2:
            return ""
        return f" --speaker {shlex.quote(self.config.speaker_names[0] if self.config.speaker_names else '0')}"
