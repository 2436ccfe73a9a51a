"""VitsTrainer: recorded speech in, a voice out."""

import logging
import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, ProjectConfiguration
from tqdm.auto import tqdm

from hf_vits.data.batch import VitsBatch
from hf_vits.data.dataset import Columns
from hf_vits.hub import cards
from hf_vits.hub.license import CARD, Provenance
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.gradient_checkpointing import recompute_activations
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training import checkpoints
from hf_vits.training.checkpoints import check_state, load_optimizer
from hf_vits.training.dataloader import held_out_clips, training_batches
from hf_vits.training.evaluation import Evaluation
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.initialization import ModelInitialization
from hf_vits.training.loggers import AverageMeter, ExperimentLogger, check_trackers
from hf_vits.training.model_card import card_filename, remove_unlinked, set_address, write_card
from hf_vits.training.optimizer import OptimizedModel, check_frozen, moving_average, train_only
from hf_vits.training.process import GracefulShutdown
from hf_vits.training.run_checks import check_numbering, check_processes_agree, check_same_step
from hf_vits.training.train_step import StepResult, TrainingStep
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.distributed import (
    check_launch,
    launched_precision,
    lost_processes_named,
    refuse_sharding,
    run_on_all_processes,
    warn_of_ignored,
)
from hf_vits.utils.new_files import storage_errors
from hf_vits.utils.run_lock import run_lock
from hf_vits.utils.threads import use_cores

NOT_RELEASED = ["checkpoint-*", "samples/*", "runs/*", ".*"]
"""What of a run's folder is not uploaded."""


def check_login() -> None:
    """Raises `PermissionError` if nobody is logged in: before a run, which would else be trained and not uploaded."""
    cards.check_login("voice")


def upload(output_dir: Path, name: str | None = None, private: bool | None = None) -> None:
    """Uploads a released voice with its judges and its card, which from then on says the repository's name."""
    from huggingface_hub import HfApi

    name = name or output_dir.resolve().name
    repository = HfApi().create_repo(name, private=private, exist_ok=True).repo_id
    set_address(output_dir, repository)
    HfApi().upload_folder(repo_id=repository, folder_path=output_dir, ignore_patterns=NOT_RELEASED)


LONGEST_TEXT = 80
"""Characters of a held-out text that is spoken as an example; a longer one is no example."""


def closing_message(trainer: "VitsTrainer") -> str:
    """Return the lines for a run whose voice was just written into its folder."""
    progress, steps = trainer.progress, trainer.config.max_steps
    voice = f"--voice {shlex.quote(str(trainer.output_dir))}{_speaker(trainer)}"
    is_finished = progress.step >= steps
    done = f"all {steps:,} steps" if is_finished else f"{progress.step:,} of {steps:,} steps"
    more = f", and `--max_steps` above {steps}" if is_finished else ""
    return "\n".join(
        [
            f"The voice is in {trainer.output_dir}, after {done}.",
            f"Hear it:  hf-vits speak {shlex.quote(_text(trainer))} {voice} --output hello.wav",
            f"Go on:    the same command with --resume_from_checkpoint latest{more}",
        ]
    )


def _text(trainer: "VitsTrainer") -> str:
    """A text of the voice's language: a held-out one, if any is short."""
    if trainer.evaluation is not None:
        held_out = trainer.evaluation.clips
        for clip in held_out.clips:
            text = " ".join(str(held_out.rows[clip.row][trainer.columns.text]).split())
            if len(text) <= LONGEST_TEXT and not text.startswith("-"):
                return text
    return "Hello."


def _speaker(trainer: "VitsTrainer") -> str:
    config = trainer.start.model.config
    if config.num_speakers < 2:
        return ""
    return f" --speaker {shlex.quote(config.speaker_names[0] if config.speaker_names else '0')}"


logger = logging.getLogger(__name__)

NOT_EVALUATED = (
    "No clips are held out, so the run is not evaluated: it writes no samples to hear, and nothing shows when it only "
    "learns its clips by heart. Name recordings in the folder's heldout.txt (of ten usable clips or more some are "
    "drawn without it), or give `eval_split`, or in Python `held_out`."
)
"""What is said at the beginning of a run without evaluation."""

MOST_SKIPPED = 100
"""Steps in a row without a finite gradient after which a run has failed."""


@dataclass
class Progress:
    """Where a run is: steps taken, the epoch, batches of it that are used up, and steps that were skipped."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0


class VitsTrainer:
    """
    Trains a voice adversarially (paper, section 2) on one process or on many, as `accelerate launch` has it.

    Args:
        start ([`ModelInitialization`]):
            What the run begins with.
        tokenizer ([`VitsTokenizer`]):
            Of the voice; it is saved with it.
        config ([`VitsTrainingArguments`]):
            Settings.
        train (`datasets.Dataset` or `datasets.IterableDataset`):
            Rows with text and audio, and optionally a speaker.
        held_out (`datasets.Dataset`, *optional*):
            Rows to evaluate on.
        columns ([`Columns`], *optional*):
            Names of the columns.
        data_name (`str`, *optional*):
            What the data is called, for the model card: a folder, or a name on the Hub.

    Raises:
        ImportError: for a tracker that is not installed.
        ValueError: for columns, speakers or settings that do not fit, or if no clip can be trained on.

    Example:

    ```python
    >>> from hf_vits.training import ModelInitialization, VitsTrainer, VitsTrainingArguments

    >>> start = ModelInitialization.from_voice(model)
    >>> trainer = VitsTrainer(start, tokenizer, VitsTrainingArguments("out"), data)
    >>> trainer.train(resume="latest")
    ```
    """

    def __init__(
        self,
        start: ModelInitialization,
        tokenizer: VitsTokenizer,
        config: VitsTrainingArguments,
        train,
        held_out=None,
        columns: Columns | None = None,
        data_name: str | None = None,
    ):
        self.start, self.tokenizer, self.config = start, tokenizer, config
        self.columns, self.data_name = columns or Columns(), data_name
        self.output_dir, self.progress = Path(config.output_dir), Progress()
        refuse_sharding()
        trackers, precision = check_trackers(config.report_to), launched_precision(config.mixed_precision)
        self.accelerator = accelerator = Accelerator(
            mixed_precision=precision,
            log_with=trackers or None,
            project_config=ProjectConfiguration(config.output_dir, logging_dir=str(self.output_dir / "runs")),
            step_scheduler_with_optimizer=False,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(seconds=config.ddp_timeout))],
        )
        check_launch(accelerator.num_processes)
        if accelerator.is_main_process:
            warn_of_ignored(config.mixed_precision, config.gradient_accumulation_steps)
        use_cores(accelerator, config.cpu_threads)
        with self._waiting():
            run_on_all_processes(self._read_data, train, held_out)
            check_processes_agree(self)
            self._make_players()

    def _read_data(self, train, held_out) -> None:
        """Survey the data; what is frozen is looked up before, as that takes no time."""
        config, voice, accelerator = self.config, self.start.model.config, self.accelerator
        check_frozen(checkpoints.normalise_decoder(self.start.model), config.freeze_modules)
        index = accelerator.process_index
        self.batches, self.report = training_batches(
            train, self.tokenizer, voice, self.columns, config, index, accelerator.num_processes
        )
        if held_out is None and accelerator.is_main_process:
            logger.warning(NOT_EVALUATED)
        self.held_out = (
            None if held_out is None else held_out_clips(held_out, self.tokenizer, voice, self.columns, config, index)
        )

    def _make_players(self) -> None:
        """Put generator and discriminator on the device, with their optimizers and the moving average."""
        config, device, start = self.config, self.accelerator.device, self.start
        model = start.model.to(device)
        if config.gradient_checkpointing:
            recompute_activations(model)
        generator = VitsGenerator(model, config.segment_frames).to(device).train()
        rate, discriminator_rate = config.learning_rates
        self.generator = OptimizedModel(generator, rate, config)
        self.discriminator = OptimizedModel(start.discriminator.to(device).train(), discriminator_rate, config)
        for optimized in (self.generator, self.discriminator):
            optimized.broadcast_parameters()
        self.average = moving_average(model, config.ema_decay) if config.ema_decay else None
        clips = self.held_out
        self.evaluation = None if clips is None else Evaluation(self.voice, clips, self.accelerator, config.seed)

    def _waiting(self) -> AbstractContextManager[None]:
        """Name processes that do not answer, in place of PyTorch's errors about sockets."""
        accelerator, limit = self.accelerator, self.config.ddp_timeout
        advice = 'Then go on from the last checkpoint, by resuming from "latest".'
        return lost_processes_named(accelerator.process_index, accelerator.num_processes, limit, advice)

    @property
    def voice(self) -> VitsModel:
        """What is evaluated and saved: the moving average, or without one the model itself."""
        return self.generator.module.model if self.average is None else self.average.module

    def train(self, resume: str | Path | None = None) -> Progress:
        """
        Trains to `max_steps`, or until Ctrl-C, SIGTERM or SIGHUP; either way the voice is then in `output_dir`.

        Args:
            resume (`str` or `Path`, *optional*):
                A checkpoint to go on from, to the bit; "latest" is the newest in `output_dir`, or a new start if there
                is none yet. Later ones than the one that is named are set aside.

        Raises:
            ConnectionError: if another process of the run ends, or does not answer within `ddp_timeout`.
            FileExistsError: if `output_dir` holds checkpoints and `resume` is not given, or what cannot be resumed.
            FloatingPointError: if no gradient is finite for 100 steps.
            FolderInUse: if another run writes to `output_dir`.
            OSError: if it cannot be written, as on a full disk; names the folder and the cause. What was written before
                stays.
            ValueError: for a checkpoint of another voice, or if the processes do not go on from the same step.
        """
        accelerator, config = self.accelerator, self.config
        with ExitStack() as stack:
            stack.enter_context(self._waiting())
            stack.enter_context(storage_errors(self.output_dir))
            run_on_all_processes(lambda: accelerator.is_main_process and stack.enter_context(run_lock(self.output_dir)))
            self._prepare(resume)
            reporter = ExperimentLogger(accelerator, self.output_dir, config, self.progress.step)
            with GracefulShutdown() as interruption:
                if run_on_all_processes(self._owes_evaluation, reporter)[0]:
                    self._evaluate(reporter)
                self._take_steps(reporter, interruption)
                interruption.promise = "puts the finished voice in place and leaves"
                self.release()
            if accelerator.is_main_process:
                logger.info(closing_message(self))
            accelerator.end_training()
        return self.progress

    def _take_steps(self, reporter: ExperimentLogger, interruption: GracefulShutdown) -> None:
        """Trains to the last step, or to the one after a signal; reports, saves and evaluates on the way."""
        config, progress, meter = self.config, self.progress, AverageMeter()
        step = TrainingStep(self.generator, self.discriminator, config, self.accelerator)
        with self._bar() as bar:
            for batches in self._steps():
                result = step(batches, progress.step, progress.epoch, interruption.wanted)
                self._advance(len(batches), result)
                meter.add(result.losses)
                bar.update()
                last = result.stop or progress.step >= config.max_steps
                if progress.step % config.logging_steps == 0 or last:
                    numbers = meter.read(self.accelerator)
                    bar.set_postfix({name.removeprefix("train/"): f"{value:.3g}" for name, value in numbers.items()})
                    reporter.numbers(progress.step, {**numbers, "skipped": progress.skipped, "epoch": progress.epoch})
                if progress.step % config.save_steps == 0 or last:
                    self.save()  # before the evaluation, which takes time and may fail
                if self._is_evaluated(progress.step) and not result.stop:
                    self._evaluate(reporter)
                meter.resume()
                if last:
                    break

    def save(self) -> None:
        """Writes a checkpoint: the voice, its judges, and what resuming needs."""
        if self.accelerator.is_main_process:
            keep = self.config.save_total_limit
            checkpoints.save_checkpoint(self.output_dir, self.progress.step, keep, self._write_voice, self._state())
        self.accelerator.wait_for_everyone()

    def release(self) -> None:
        """Puts the voice, its judges and its model card into the folder of the run itself."""
        if self.accelerator.is_main_process:
            card = card_filename(self.output_dir)
            if card != CARD:
                logger.warning(f"{self.output_dir / CARD} was not written by a run and stays; its card is {card}.")
            checkpoints.release(self.output_dir, lambda folder: self._write_voice(folder, card))
            remove_unlinked(self.output_dir)
        self.accelerator.wait_for_everyone()

    def push_to_hub(self, name: str | None = None, private: bool | None = None) -> None:
        """Uploads the voice with its judges and its card, to be trained on by whoever may read it; `name` is the output
        folder's if not given, and `private` what your account has."""
        if self.accelerator.is_main_process:  # nobody waits: after `train` there are no processes together any more
            upload(self.output_dir, name, private)

    def _steps(self) -> Iterator[list[VitsBatch]]:
        """The batches of each step to come, on the device, epoch after epoch; what is trained is chosen before."""
        progress, count, phase = self.progress, self.config.gradient_accumulation_steps, None
        while progress.step < self.config.max_steps:
            batches, taken = self.batches.epoch(progress.epoch, progress.batch), progress.batch
            while group := [batch.to(self.accelerator.device) for batch in islice(batches, count)]:
                is_fresh = self.start.has_fresh_parts and progress.step < self.config.new_module_steps
                if phase != is_fresh:
                    phase = is_fresh
                    self._choose_trained(is_fresh)
                yield group
            if progress.batch == taken == 0:
                raise ValueError("The data gave no batch in a whole epoch.")
            progress.epoch, progress.batch = progress.epoch + 1, 0

    def _choose_trained(self, only_fresh: bool) -> None:
        start = self.start
        train_only(self.generator.module.model, start.fresh if only_fresh else None, self.config.freeze_modules)
        train_only(self.discriminator.module, () if only_fresh and not start.fresh_discriminator else None)

    def _advance(self, batches: int, result: StepResult) -> None:
        progress = self.progress
        progress.step, progress.batch = progress.step + 1, progress.batch + batches
        if result.finite:
            progress.skipped_in_a_row = 0
            if self.average is not None and self.generator.is_trained:
                self.average.update_parameters(self.generator.module.model)
            return
        progress.skipped, progress.skipped_in_a_row = progress.skipped + 1, progress.skipped_in_a_row + 1
        logger.warning(f"Step {progress.step} is skipped: its gradient is not finite ({progress.skipped} so far).")
        if progress.skipped_in_a_row == MOST_SKIPPED:
            raise FloatingPointError(
                f"No gradient was finite for {MOST_SKIPPED} steps. Go on from an earlier checkpoint with a lower "
                "`learning_rate`, with `max_grad_norm`, or in higher precision."
            )

    def _is_evaluated(self, step: int) -> bool:
        """Say whether there is an evaluation after so many steps."""
        return step % self.config.eval_steps == 0 or step >= self.config.max_steps

    def _owes_evaluation(self, reporter: ExperimentLogger) -> bool:
        """Say whether the evaluation of this step is missing, as before the first one, or after a stop or a crash."""
        step = self.progress.step
        done = any(
            line["step"] == step and any(name.startswith("held_out/") for name in line) for line in reporter.history
        )
        return self._is_evaluated(step) and not done

    def _evaluate(self, reporter: ExperimentLogger) -> None:
        if self.evaluation is not None:
            self.evaluation.run(self.progress.step, reporter)

    def _bar(self) -> tqdm:
        silent = not self.accelerator.is_main_process
        return tqdm(
            total=self.config.max_steps, initial=self.progress.step, desc="training", unit="step", disable=silent
        )

    def _write_voice(self, folder: Path, card: str = CARD) -> None:
        checkpoints.write_voice(folder, self.voice, self.tokenizer, self.discriminator.module)
        write_card(folder, self, card)

    def _prepare(self, resume: str | Path | None) -> None:
        """Load the checkpoint to go on from, if any; what is wrong in one process ends all of them."""
        if self.accelerator.is_main_process:
            checkpoints.recover(self.output_dir)
        self.accelerator.wait_for_everyone()
        run_on_all_processes(self._find_and_restore, resume)
        check_same_step(self)

    def _find_and_restore(self, resume: str | Path | None) -> None:
        folder = checkpoints.find_checkpoint(self.output_dir, resume)
        if folder is not None:
            self._restore(folder)
            if self.accelerator.is_main_process:
                checkpoints.archive_newer_checkpoints(self.output_dir, folder, self.progress.step)

    def _state(self) -> dict[str, Any]:
        """All that the run would be another without, but for the judges, which have a folder of their own."""
        scaler = self.accelerator.scaler
        return {
            "progress": asdict(self.progress),
            "order": self._order(),
            "fresh": sorted(self.start.fresh),
            "fresh_discriminator": self.start.fresh_discriminator,
            "origin": self.start.origin and asdict(self.start.origin),
            "generator": self.generator.module.model.state_dict(),
            "average": self.average and self.average.state_dict(),
            "generator_optimizer": self.generator.optimizer.state_dict(),
            "discriminator": self.discriminator.module.state_dict(),
            "discriminator_optimizer": self.discriminator.optimizer.state_dict(),
            "scaler": scaler and scaler.state_dict(),
        }

    def _restore(self, folder: Path) -> None:
        state = checkpoints.read_state(folder)
        check_state(state, folder, Progress)
        check_numbering(folder, self.tokenizer, self.start.model.config)
        restore = checkpoints.restore
        restore(self.generator.module.model, state["generator"], "generator")
        restore(self.discriminator.module, state["discriminator"], "discriminator")
        if self.average is not None and state["average"]:
            restore(self.average, state["average"], "average")
        for player, name in ((self.generator, "generator"), (self.discriminator, "discriminator")):
            load_optimizer(player.optimizer, state[f"{name}_optimizer"], f"optimizer of the {name}", folder)
        if self.accelerator.scaler is not None and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.start.fresh, self.start.fresh_discriminator = frozenset(state["fresh"]), state["fresh_discriminator"]
        self.start.origin = state["origin"] and Provenance(**state["origin"])
        vars(self.progress).update(state["progress"])
        logger.info(f"Going on from {folder}, at step {self.progress.step}.")
        if state["order"] != self._order() and self.progress.batch:
            logger.warning(f"The data or its batches are others than those of {folder}: a new epoch begins.")
            self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0

    def _order(self) -> dict[str, Any]:
        """What the order of an epoch's batches depends on."""
        limit, processes = self.config.max_batch_seconds, self.accelerator.num_processes
        return {
            "clips": self.report and self.report.kept,
            "global_batch": self.config.per_device_train_batch_size * processes,
            "limit": limit and (limit, processes),  # it is of each process's share
            "seed": self.config.seed,
        }
