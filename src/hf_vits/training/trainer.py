"""VitsTrainer: train a model on recorded speech, with checkpoints, evaluation, logs and a model card."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from copy import copy
from dataclasses import asdict
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, ProjectConfiguration
from tqdm.auto import tqdm

from hf_vits.configuration_vits import VitsConfig
from hf_vits.data.batch import VitsBatch
from hf_vits.data.dataset import Columns
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.hub import cards
from hf_vits.hub.license import CARD, Provenance
from hf_vits.modeling_vits import VitsModel
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training import checkpoints, phases, training_state
from hf_vits.training.best_model import BestModel
from hf_vits.training.converted_speech import conversion_of
from hf_vits.training.dataloader import build_eval_dataset, build_train_dataloader
from hf_vits.training.duration_step import DurationStep, duration_discriminator_of, take_average
from hf_vits.training.evaluation import NOT_EVALUATED, Evaluation, has_evaluation
from hf_vits.training.generator import VitsGenerator, recompute_activations
from hf_vits.training.initialization import ModelInitialization, tokenizer_of
from hf_vits.training.loggers import AverageMeter, ExperimentLogger, check_trackers
from hf_vits.training.loudness import match_loudness
from hf_vits.training.model_card import card_filename, remove_unlinked, set_repo_id, write_card
from hf_vits.training.optimizer import OptimizedModel, check_modules, moving_average, train_only
from hf_vits.training.phases import Phase, first_duration_step, phase_at
from hf_vits.training.posterior_adaptation import adaptation_of
from hf_vits.training.process import GracefulShutdown
from hf_vits.training.replay import replay_of
from hf_vits.training.run_checks import check_numbering, check_processes_agree, check_same_step
from hf_vits.training.run_summary import RunSummary, eval_clips_of
from hf_vits.training.speaking_rate import SpeakingRate
from hf_vits.training.speech_evaluation import SpeechEvaluation
from hf_vits.training.train_step import StepResult, TrainingStep
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.training.training_state import Progress
from hf_vits.utils.atomic_file import storage_errors
from hf_vits.utils.distributed import (
    check_launch,
    launched_precision,
    lost_processes_named,
    refuse_sharding,
    run_on_all_processes,
    warn_of_ignored,
)
from hf_vits.utils.run_lock import run_lock
from hf_vits.utils.threads import use_cores

logger = logging.getLogger(__name__)

MAX_SKIPPED = 100
"""Consecutive steps without a finite gradient after which a run has failed."""

NOT_UPLOADED = ["checkpoint-*", "samples/*", "runs/*", ".*"]
"""Files of a run's folder that stay on this machine."""


def check_login() -> None:
    """Raise `PermissionError` if nobody is logged in to the Hub: before a run whose model could not be uploaded."""
    cards.check_login("voice")


class VitsTrainer:
    """
    Train a model adversarially (paper, section 2), in one process or in those that `accelerate launch` starts.

    Args:
        model ([`ModelInitialization`], [`VitsModel`], `str` or `Path`):
            Generator and discriminator; or a model, or its folder or name on the Hub, which gets a new discriminator
            if it has none.
        args ([`VitsTrainingArguments`]):
            Settings.
        train_dataset (`datasets.Dataset` or `datasets.IterableDataset`):
            Rows with text and audio, and optionally a speaker.
        eval_dataset (`datasets.Dataset` or `datasets.IterableDataset`, *optional*):
            Rows to evaluate on.
        processing_class ([`VitsTokenizer`], *optional*):
            Tokenizer, which is saved with the model; by default the one in the model's folder.
        columns ([`Columns`], *optional*):
            Names of the columns.
        dataset_name (`str`, *optional*):
            Name of the data in the model card: a folder, or a data set of the Hub.

    Raises:
        ImportError: for a tracker that is not installed.
        ValueError: for columns, speakers or settings that do not fit, or if no clip can be trained on.

    Example:

    ```python
    >>> from hf_vits.training import VitsTrainer, VitsTrainingArguments

    >>> args = VitsTrainingArguments("out", max_steps=1000)
    >>> trainer = VitsTrainer(model, args, train_dataset, eval_dataset, processing_class=tokenizer)
    >>> trainer.train(resume_from_checkpoint="latest")
    ```
    """

    step_class: ClassVar[type[TrainingStep]] = TrainingStep

    def __init__(
        self,
        model: ModelInitialization | VitsModel | str | Path,
        args: VitsTrainingArguments,
        train_dataset,
        eval_dataset=None,
        processing_class: VitsTokenizer | None = None,
        columns: Columns | None = None,
        dataset_name: str = "",
    ):
        refuse_sharding()
        trackers, precision = check_trackers(args.report_to), launched_precision(args.mixed_precision)
        self.args, self.columns, self.dataset_name = (args := copy(args)), columns or Columns(), dataset_name
        discriminator = VitsDiscriminatorConfig().scale_channels_by(args.discriminator_channel_multiplier)
        self.initialization = ModelInitialization.of(model, discriminator, args.seed)
        self.processing_class = processing_class or tokenizer_of(self.initialization.model)
        self.output_dir, self.progress = Path(args.output_dir), Progress()
        self.accelerator = accelerator = Accelerator(
            mixed_precision=precision,
            log_with=trackers or None,
            project_config=ProjectConfiguration(args.output_dir, logging_dir=str(self.output_dir / "runs")),
            step_scheduler_with_optimizer=False,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(seconds=args.ddp_timeout))],
        )
        check_launch(accelerator.num_processes)
        if accelerator.is_main_process:
            warn_of_ignored(args.mixed_precision and precision, args.gradient_accumulation_steps)
        use_cores(accelerator, args.cpu_threads)
        self.best, self.loaded_step = BestModel(args, self.output_dir), None
        with self._lost_processes_named():
            run_on_all_processes(self._prepare_data, train_dataset, eval_dataset)
            run_on_all_processes(self.initialization.complete)
            if accelerator.is_main_process:
                args.warn_of_unchanged_voice()
                self.initialization.warn_of_new_modules(args.new_module_steps)
            self._check_processes_agree()
            self._prepare_models()

    def _prepare_data(self, train_dataset, eval_dataset) -> None:
        """Filter the clips; names of modules in the settings are checked and speech metrics loaded before."""
        args, model, index = self.args, self.initialization.model, self.accelerator.process_index
        self.multipliers = check_modules(checkpoints.add_decoder_weight_norm(model), args)
        self.best.check(eval_dataset is not None)
        self.speech = SpeechEvaluation(args, self.processing_class, self.accelerator) if args.eval_metrics else None
        shared = (self.processing_class, model.config, self.columns, args, index)
        self.train_dataloader, self.filter_report = build_train_dataloader(
            train_dataset, *shared, self.accelerator.num_processes
        )
        args.max_steps = phases.limited_steps(args, self.filter_report, index == 0)
        self.speaking_rate = SpeakingRate(args, self.train_dataloader, model.config.num_speakers)
        if eval_dataset is None and self.speech is None and self.accelerator.is_main_process:
            logger.warning(NOT_EVALUATED)
        self.eval_clips = None if eval_dataset is None else build_eval_dataset(eval_dataset, *shared)
        if self.speech is not None:
            loader = getattr(self.train_dataloader, "loader", None)
            self.speech.set_clips(loader and loader.dataset, self.eval_clips, self.columns.text, model.config)
        if args.match_loudness:
            match_loudness(model, self.train_dataloader, self.eval_clips, self.initialization.provenance is None)

    def _check_processes_agree(self) -> None:
        if self.accelerator.num_processes > 1:
            loader = getattr(self.train_dataloader, "loader", None)  # a stream has none, and its clips are unknown
            clips = (loader.dataset.clips if loader else [], self.eval_clips.clips if self.eval_clips else [])
            shared = (self.args, self.accelerator.mixed_precision, self.initialization, self.processing_class)
            check_processes_agree(*shared, *clips)

    def _prepare_models(self) -> None:
        """Move generator and discriminator to the device, and make their optimizers and the moving average."""
        args, device, initialization = self.args, self.accelerator.device, self.initialization
        model = initialization.model.to(device)
        if args.gradient_checkpointing:
            recompute_activations(model)
        generator = self._build_generator(model).to(device).train()
        rate, discriminator_rate = args.learning_rates
        self.generator = OptimizedModel(generator, rate, args, self.multipliers)
        self.discriminator = OptimizedModel(initialization.discriminator.to(device).train(), discriminator_rate, args)
        self.durations = duration_discriminator_of(args, initialization)
        for optimized in (self.generator, self.discriminator, self.durations):
            if optimized is not None:
                optimized.broadcast_parameters()
        self.ema = moving_average(model, args.ema_decay) if args.ema_decay else None
        loader, accelerator = self.train_dataloader, self.accelerator
        self.replay = replay_of(args, model, loader, accelerator.is_main_process)
        shared = (args, model, self.processing_class, loader, self.columns.text, accelerator)
        self.adaptation, self.conversion = adaptation_of(*shared), conversion_of(*shared)
        clips = self.eval_clips
        self.evaluation = None if clips is None else Evaluation(self.output_model, clips, self.accelerator, args.seed)

    def _build_generator(self, model: VitsModel) -> VitsGenerator:
        return VitsGenerator(model, self.args.segment_frames)

    def _lost_processes_named(self) -> AbstractContextManager[None]:
        """Name processes that do not answer, instead of PyTorch's errors about sockets."""
        accelerator, limit = self.accelerator, self.args.ddp_timeout
        advice = 'Then resume from the last checkpoint, by "latest".'
        return lost_processes_named(accelerator.process_index, accelerator.num_processes, limit, advice)

    @property
    def output_model(self) -> VitsModel:
        """The model that is evaluated and saved: the moving average, or the trained model if there is none."""
        return self.generator.module.model if self.ema is None else self.ema.module

    @property
    def is_finished(self) -> bool:
        """Return True if the run took all its steps, or ended early because models did not get better."""
        return self.progress.step >= self.args.max_steps or self.best.is_patience_exhausted

    def train(self, resume_from_checkpoint: str | Path | None = None) -> Progress:
        """
        Train up to `max_steps`, or until SIGINT, SIGTERM or SIGHUP; then the model is saved in `output_dir`.

        Args:
            resume_from_checkpoint (`str` or `Path`, *optional*):
                A checkpoint to resume, with bitwise identical results; "latest" is the newest in `output_dir`, or a new
                start if there is none. Checkpoints newer than a named one are renamed.

        Raises:
            ConnectionError: if another process of the run ends, or does not answer within `ddp_timeout`.
            FileExistsError: if `output_dir` holds checkpoints and `resume_from_checkpoint` is not given, or a run that
                cannot be resumed.
            FloatingPointError: if no gradient is finite for 100 steps.
            FolderInUse: if another run writes to `output_dir`.
            OSError: if it cannot be written, as on a full disk; names the folder and the cause. Files written before
                stay.
            ValueError: for a checkpoint of another model, or if the processes do not resume from the same step.
        """
        accelerator, self.loaded_step = self.accelerator, None
        with ExitStack() as stack:
            stack.enter_context(self._lost_processes_named())
            stack.enter_context(storage_errors(self.output_dir))
            run_on_all_processes(lambda: accelerator.is_main_process and stack.enter_context(run_lock(self.output_dir)))
            self._resume(resume_from_checkpoint)
            experiment = ExperimentLogger(accelerator, self.output_dir, self.args, self.progress.step)
            with GracefulShutdown() as shutdown:
                self.best.choose(experiment.history)
                if self._evaluates_after(self.progress.step):
                    self._evaluate(experiment)
                if not self.best.is_patience_exhausted:
                    self._train_steps(experiment, shutdown)
                shutdown.action = "saves the finished model and stops"
                self._load_best_model()
                self.save_model()
            if accelerator.is_main_process:
                logger.info(self.summary().closing_message())
            accelerator.end_training()
        return self.progress

    def _train_steps(self, experiment: ExperimentLogger, shutdown: GracefulShutdown) -> None:
        """Train up to the last step, or the one in which a signal comes; log, save and evaluate on the way."""
        args, progress, meter = self.args, self.progress, AverageMeter()
        extras = (args, self.accelerator, self.replay, self.adaptation, self.conversion)
        train_step = self.step_class(self.generator, self.discriminator, *extras)
        duration_step = self.durations and DurationStep(self.generator, self.durations, args, self.accelerator)
        with self._progress_bar() as bar:
            for batches in self._batches_by_step():
                phase = self._phase()
                take = duration_step if phase is Phase.DURATIONS else train_step
                result = take(batches, progress.step, progress.epoch, phase)
                self._advance(len(batches), result)
                meter.add(result.losses)
                bar.update()
                stopped = self._is_any(shutdown.requested)
                is_last = stopped or progress.step >= args.max_steps
                if progress.step % args.logging_steps == 0 or is_last:
                    values = meter.read(self.accelerator)
                    bar.set_postfix({name.removeprefix("train/"): f"{value:.3g}" for name, value in values.items()})
                    values |= {"skipped_steps": progress.skipped_steps, "epoch": progress.epoch}
                    experiment.log(progress.step, values)
                if progress.step % args.save_steps == 0 or is_last:
                    self.save_checkpoint()  # before the evaluation, which takes time and may fail
                if self._evaluates_after(progress.step) and not stopped:
                    self._evaluate(experiment)
                meter.restart_clock()
                if is_last or self.best.is_patience_exhausted:
                    break

    def save_checkpoint(self) -> None:
        """Write a checkpoint: generator, discriminator, and the state that resuming needs."""
        self._fit_speaking_rate()
        if self.accelerator.is_main_process:
            args = (self.args.save_total_limit, self._write_model, self._state(), self.best.step)
            checkpoints.save_checkpoint(self.output_dir, self.progress.step, *args)
        self.accelerator.wait_for_everyone()

    def save_model(self) -> None:
        """Save the model, its discriminator and its model card in `output_dir`."""
        self._fit_speaking_rate()
        if self.accelerator.is_main_process:
            filename = card_filename(self.output_dir)
            if filename != CARD:
                logger.warning(f"{self.output_dir / CARD} was not written by a run and stays; see {filename} instead.")
            checkpoints.replace_files(self.output_dir, lambda folder: self._write_model(folder, filename))
            remove_unlinked(self.output_dir)
        self.accelerator.wait_for_everyone()

    def push_to_hub(self, repo_id: str | None = None, private: bool | None = None) -> None:
        """Upload the saved model with its discriminator and model card; `repo_id` is by default the name of
        `output_dir`, and your account decides who may read a new repository."""
        from huggingface_hub import HfApi

        if self.accelerator.is_main_process:  # no process waits: after `train` they work separately
            name = repo_id or self.output_dir.resolve().name
            repo_id = HfApi().create_repo(name, private=private, exist_ok=True).repo_id
            set_repo_id(self.output_dir, repo_id)
            HfApi().upload_folder(repo_id=repo_id, folder_path=self.output_dir, ignore_patterns=NOT_UPLOADED)

    def summary(self) -> RunSummary:
        """Return the facts that the model card and the closing message state."""
        model, accelerator = self.initialization.model, self.accelerator
        return RunSummary(
            output_dir=self.output_dir,
            args=self.args,
            progress=self.progress,
            config=model.config,
            discriminator_config=self.discriminator.module.config,
            tokenizer=self.processing_class,
            provenance=self.initialization.provenance,
            new_modules=self.initialization.new_modules,
            dataset_name=self.dataset_name,
            filter_report=self.filter_report,
            eval_clips=eval_clips_of(self.eval_clips, self.columns.text),
            device=accelerator.device.type,
            mixed_precision=accelerator.mixed_precision,
            num_processes=accelerator.num_processes,
            speech=self.speech and self.speech.setup,
            best_step=self.loaded_step,
            best_rule=self.best.describe(),
            stopped_early=self.best.is_patience_exhausted,
        )

    def _batches_by_step(self) -> Iterator[list[VitsBatch]]:
        """Yield the batches of each coming step, on the device, epoch by epoch, after choosing what it trains."""
        progress, count, phase = self.progress, self.args.gradient_accumulation_steps, None
        while progress.step < self.args.max_steps:
            batches, start = self.train_dataloader.epoch(progress.epoch, progress.batch), progress.batch
            while group := [batch.to(self.accelerator.device) for batch in islice(batches, count)]:
                if phase != (phase := self._phase()):
                    self._choose_trained_parameters(phase)
                yield group
            if progress.batch == start == 0:
                raise ValueError("The data gave no batch in a whole epoch.")
            progress.epoch, progress.batch = progress.epoch + 1, 0

    def _phase(self, step: int | None = None) -> Phase:
        """Return what the step after so many steps trains; by default the coming one."""
        return phase_at(self.progress.step if step is None else step, self.args, self.initialization)

    def _choose_trained_parameters(self, phase: Phase) -> None:
        initialization, model = self.initialization, self.generator.module.model
        rates = {name: rate for (name, _), rate in zip(model.named_parameters(), self.multipliers, strict=True)}
        if phase is Phase.DURATIONS and self.ema is not None:
            take_average(model, self.ema, self.progress.step == first_duration_step(self.args))
        train_only(model, phases.trained_names(phase, rates, initialization), self.args.freeze_modules)
        self.generator.module.train()
        train_only(self.discriminator.module, None if phases.trains_discriminator(phase, initialization) else ())

    def _advance(self, batches: int, result: StepResult) -> None:
        """Count a step, and update the moving average; raise `FloatingPointError` if too many steps were skipped."""
        progress = self.progress
        progress.step, progress.batch = progress.step + 1, progress.batch + batches
        if result.finite:
            progress.consecutive_skipped_steps = 0
            if self.ema is not None and self.generator.is_trained:
                self.ema.update_parameters(self.generator.module.model)
            return
        progress.skipped_steps += 1
        progress.consecutive_skipped_steps += 1
        logger.warning(
            f"Step {progress.step} is skipped: its gradient is not finite ({progress.skipped_steps} so far)."
        )
        if progress.consecutive_skipped_steps == MAX_SKIPPED:
            raise FloatingPointError(
                f"No gradient was finite for {MAX_SKIPPED} steps. Resume from an earlier checkpoint with a lower "
                "`learning_rate`, with `max_grad_norm`, or in higher precision."
            )

    def _is_any(self, condition: bool) -> bool:
        """Return True in all processes if the condition holds in any of them."""
        if self.accelerator.num_processes == 1:
            return condition
        return bool(self.accelerator.reduce(torch.tensor(int(condition), device=self.accelerator.device), "sum"))

    def _evaluates_after(self, step: int) -> bool:
        return step % self.args.eval_steps == 0 or step >= self.args.max_steps

    def _evaluate(self, experiment: ExperimentLogger) -> None:
        """Do the evaluations that the history lacks at this step: all, or some after a crash; then choose the best."""
        step, history = self.progress.step, experiment.history
        losses = self.evaluation is not None and not has_evaluation(history, step)
        speech = self.speech is not None and self.speech.is_missing(history, step)
        losses, speech = run_on_all_processes(lambda: (losses, speech))[0]
        if losses or speech:
            self._fit_speaking_rate()
        if losses:
            self.evaluation.run(step, experiment)
        if speech:
            self._measure_speech(step, experiment)
        self.best.choose(history)

    def _measure_speech(self, step: int, experiment: ExperimentLogger) -> None:
        self.speech.run(step, self.output_model, experiment)

    def _load_best_model(self) -> None:
        """Load the best checkpoint into the model and its discriminators, if that is wanted."""
        self.loaded_step = self.best.step
        if self.best.step not in (None, self.progress.step):
            folder = self.output_dir / f"checkpoint-{self.best.step}"
            self._load_modules(training_state.read_state(folder), folder)

    def _fit_speaking_rate(self) -> None:
        """Fit the default rate of the model that is saved, once the posterior encoder, which aligns, is trained."""
        step = self.progress.step if self.loaded_step is None else self.loaded_step
        if self._phase(step) in (Phase.CONVERSION, Phase.ALL, Phase.DURATIONS):
            self.speaking_rate.update(self.output_model, step)

    def _progress_bar(self) -> tqdm:
        silent = not self.accelerator.is_main_process
        return tqdm(total=self.args.max_steps, initial=self.progress.step, desc="training", unit="step", disable=silent)

    def _write_model(self, folder: Path, card: str = CARD) -> None:
        checkpoints.save_model_folder(folder, self.output_model, self.processing_class, self.discriminator.module)
        write_card(folder, self.summary(), card)

    def _resume(self, checkpoint: str | Path | None) -> None:
        """Load the checkpoint to resume from, if any; an error in one process ends all of them."""
        if self.accelerator.is_main_process:
            checkpoints.clean_up(self.output_dir)
        self.accelerator.wait_for_everyone()
        run_on_all_processes(self._find_and_load, checkpoint)
        if self.accelerator.num_processes > 1:
            check_same_step(self.progress)

    def _find_and_load(self, checkpoint: str | Path | None) -> None:
        folder = checkpoints.find_checkpoint(self.output_dir, checkpoint)
        if folder is not None:
            self._load_state(folder)
            if self.accelerator.is_main_process:
                checkpoints.archive_newer_checkpoints(self.output_dir, folder, self.progress.step)

    def _state(self) -> dict[str, Any]:
        """Return everything that a resumed run needs to be bitwise identical."""
        scaler, initialization = self.accelerator.scaler, self.initialization
        return {
            "progress": asdict(self.progress),
            "batch_order": self._batch_order(),
            "new_parameters": sorted(initialization.new_parameters),
            "new_discriminator": initialization.new_discriminator,
            "provenance": initialization.provenance and asdict(initialization.provenance),
            "generator": self.generator.module.model.state_dict(),
            "ema": self.ema and self.ema.state_dict(),
            "generator_optimizer": self.generator.optimizer.state_dict(),
            "discriminator": self.discriminator.module.state_dict(),
            "discriminator_optimizer": self.discriminator.optimizer.state_dict(),
            "scaler": scaler and scaler.state_dict(),
            **training_state.durations_state(self.durations),
        }

    def _load_state(self, folder: Path) -> None:
        state, initialization = training_state.read_state(folder), self.initialization
        training_state.check_state(state, folder)
        check_numbering(folder, self.processing_class, initialization.model.config)
        self._load_modules(state, folder)
        for optimized, name in ((self.generator, "generator"), (self.discriminator, "discriminator")):
            saved = state[f"{name}_optimizer"]
            training_state.load_optimizer(optimized.optimizer, saved, f"optimizer of the {name}", folder)
        training_state.load_durations(self.durations, state, folder)
        if self.accelerator.scaler is not None and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        initialization.new_parameters = frozenset(state["new_parameters"])
        initialization.new_discriminator = state["new_discriminator"]
        initialization.provenance = state["provenance"] and Provenance(**state["provenance"])
        vars(self.progress).update(state["progress"])
        logger.info(f"Resuming from {folder}, at step {self.progress.step}.")
        if state["batch_order"] != self._batch_order() and self.progress.batch:
            logger.warning(f"The data or the batches differ from those of {folder}: a new epoch begins.")
            self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0

    def _load_modules(self, state: dict[str, Any], folder: Path) -> None:
        training_state.load_module(self.generator.module.model, state["generator"], "generator")
        training_state.load_module(self.discriminator.module, state["discriminator"], "discriminator")
        if self.ema is not None and state["ema"]:
            training_state.load_module(self.ema, state["ema"], "moving average")
        if self.args.fit_speaking_rate:  # it stays where none can be fitted
            self.output_model.config.speaking_rate = VitsConfig.from_pretrained(folder).speaking_rate

    def _batch_order(self) -> dict[str, Any]:
        clips = self.filter_report and self.filter_report.kept
        return training_state.batch_order(self.args, clips, self.accelerator.num_processes)
