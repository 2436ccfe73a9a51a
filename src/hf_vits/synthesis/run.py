"""A run of synthesis: plan the rows, speak those that are not done, and describe the folder."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from tqdm.auto import tqdm

from hf_vits.conversion.resolve import resolve_voice
from hf_vits.data.columns import speaker_number
from hf_vits.hub.cards import check_login
from hf_vits.hub.license import Provenance, inherit_license, origin_of
from hf_vits.inference.arguments import scale
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.sampling import seed_of
from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.synthesis.config import SynthesisSettings
from hf_vits.synthesis.dataset_card import MARK, dataset_card
from hf_vits.synthesis.output_folder import STATE, OutputFolder, identity_of, model_controls
from hf_vits.synthesis.plan import REFUSED, Row, SkippedRow, SynthesisPlan, joint_batches, plan_rows
from hf_vits.synthesis.texts import check_columns, load_texts, records, written_columns
from hf_vits.text.errors import shortened
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.distributed import (
    check_launch,
    lost_processes_named,
    refuse_sharding,
    run_on_all_processes,
    warn_of_ignored,
)
from hf_vits.utils.logging import silence_logging
from hf_vits.utils.precision import usable_dtype
from hf_vits.utils.run_lock import run_lock
from hf_vits.utils.threads import use_cores

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

PROCESS_TIMEOUT = timedelta(hours=12)
"""How long processes wait for one that downloads data; the end of a process is detected at once."""

ADVICE = "Then give the same command again: it continues."


def synthesize(settings: SynthesisSettings) -> OutputFolder:
    """
    Speak a column of texts into a folder of FLAC files with a table, or continue a run that was stopped.

    Every process that `accelerate launch` or `torchrun` starts calls it, and does its share.

    Raises:
        ValueError: for a setting that does not fit the data or the voice, texts that cannot be spoken at all, or a
            folder that was begun with other settings; says what differs.
        OSError: for texts, a voice or a folder that cannot be read or written.
    """
    return Synthesis(settings).run()


class Synthesis:
    """One process's part of a run; the main process reports, and writes everything but the audio files."""

    def __init__(self, settings: SynthesisSettings):
        from accelerate import Accelerator
        from accelerate.utils import InitProcessGroupKwargs

        self.settings, self.folder = settings, OutputFolder(settings.output_dir)
        refuse_sharding()
        self.accelerator: Accelerator = Accelerator(
            mixed_precision="no", kwargs_handlers=[InitProcessGroupKwargs(timeout=PROCESS_TIMEOUT)]
        )
        self.main = self.accelerator.is_main_process
        self.process, self.processes = self.accelerator.process_index, self.accelerator.num_processes
        check_launch(self.processes)
        if self.main:
            warn_of_ignored("no")
        use_cores(self.accelerator, settings.cpu_threads)
        self.dataset: Dataset
        self.pipe: TextToSpeechPipeline

    def run(self) -> OutputFolder:
        """Do everything, and return the finished folder."""
        run_on_all_processes(self._check)
        for first in (True, False):  # the first process of a machine downloads what the others then find
            run_on_all_processes(self._load if first == self.accelerator.is_local_main_process else lambda: None)
        plan = self._plan()
        with ExitStack() as stack:
            timeout = PROCESS_TIMEOUT.total_seconds()
            stack.enter_context(lost_processes_named(self.process, self.processes, timeout, ADVICE))
            provenance = run_on_all_processes(self._begin, plan, stack)[0]
            numbers = [row.number for row in plan.rows] if self.main else []
            seconds = run_on_all_processes(self.folder.finished, numbers)[0]
            new, refused = self._speak_remaining(plan, seconds)
            seconds |= new
            if refused:
                plan = plan.without(refused)
                run_on_all_processes(self._report, plan)
            run_on_all_processes(self._finish, plan, seconds, provenance)
        self.accelerator.end_training()
        return self.folder

    def _check(self) -> None:
        """Raise an error for a folder or a repository that cannot be written to, before any work."""
        self.folder.check()
        if self.settings.push_to_hub and self.main:
            check_login("speech")

    def _load(self) -> None:
        """Load texts and voice; raise `ValueError` for what is wrong without looking at the texts."""
        settings = self.settings
        voice = resolve_voice(settings.voice)
        columns = [name for name in (settings.text_column, settings.speaker_column) if name]
        self.dataset = load_texts(settings.dataset_name, settings.dataset_config_name, settings.split, columns)
        check_columns(self.dataset.column_names, settings.text_column, settings.speaker_column)
        self.pipe = load_voice(voice, self.accelerator.device, settings.dtype)
        if settings.speaker_column is None:
            self.pipe.model.speaker_vector(self._speaker(), 1)
        for name, value in model_controls(settings, self.pipe).items():
            scale(name, value, value, 1, torch.ones(1))

    def _speaker(self) -> int | None:
        """Return the number of the speaker of all texts; `None` for one speaker, and if a column names them."""
        name = self.settings.speaker_id
        return None if name is None else speaker_number(name, self.pipe.model.config)

    def _plan(self) -> SynthesisPlan:
        """Plan this process's share of the rows, and merge it with those of the others."""
        share = range(self.process, len(self.dataset), self.processes)
        numbers = tqdm(share, desc="checking texts", disable=not self.main, leave=False)
        columns = self.settings.text_column, self.settings.speaker_column
        arguments = self.dataset, numbers, self.pipe, *columns, self._speaker(), self.settings.strict
        return SynthesisPlan.merge(run_on_all_processes(plan_rows, *arguments))

    def _begin(self, plan: SynthesisPlan, stack: ExitStack) -> Provenance | None:
        """Report what is skipped, lock the folder until the stack ends, and return where the voice is from."""
        if not self.main:
            return None
        _warn_of_skipped(plan)
        _, unwritable = written_columns(self.dataset)
        if unwritable:
            logger.warning(f"Columns that a table of text cannot hold are not written: {unwritable}.")
        stack.enter_context(run_lock(self.folder.path, STATE / "run.lock"))
        self.folder.begin(identity_of(self.settings, self.pipe, plan, self.dataset[self.settings.text_column]))
        self.folder.write_skipped(plan.skipped)
        return inherit_license(origin_of(self.pipe.model.name_or_path))

    def _speak_remaining(
        self, plan: SynthesisPlan, done: dict[int, float]
    ) -> tuple[dict[int, float], list[SkippedRow]]:
        """Speak the rows that are not done; return the seconds of each and the refused rows, of all processes."""
        remaining = [row for row in plan.rows if row.number not in done]
        texts = self.dataset.select_columns([self.settings.text_column])
        seconds: dict[int, float] = {}
        refused: list[SkippedRow] = []
        with SpeechBar(plan.rows, remaining, disable=not self.main) as bar:
            for batch in joint_batches(remaining, self.settings.per_device_eval_batch_size, self.processes):
                shares = run_on_all_processes(self._speak, texts, batch[self.process :: self.processes])
                new = {number: length for share, _ in shares for number, length in share.items()}
                refused += [row for _, share in shares for row in share]
                bar.add(batch, sum(new.values()))
                seconds |= new
        return seconds, refused

    def _speak(self, texts: "Dataset", rows: Sequence[Row]) -> tuple[dict[int, float], list[SkippedRow]]:
        """Speak and write rows; return the seconds of each, and the rows that the model refuses even alone."""
        settings, rate = self.settings, self.pipe.sampling_rate
        try:
            waveforms = speak_batch(
                self.pipe,
                [texts[row.number][settings.text_column] for row in rows],
                [row.speaker for row in rows],
                [row_generator(settings.seed, row.number) for row in rows],  # new ones for each attempt
                model_controls(settings, self.pipe),
                settings.pause,
            )
        except ValueError as error:
            if len(rows) == 1:
                return {}, [SkippedRow(rows[0].number, REFUSED, shortened(str(error), 120))]
            parts = [self._speak(texts, [row]) for row in rows]
            seconds = {number: length for part, _ in parts for number, length in part.items()}
            return seconds, [row for _, refused in parts for row in refused]
        for row, waveform in zip(rows, waveforms, strict=True):
            self.folder.write(row.number, waveform, rate)
        return {row.number: len(waveform) / rate for row, waveform in zip(rows, waveforms, strict=True)}, []

    def _report(self, plan: SynthesisPlan) -> None:
        """Record and report the skipped rows, now that speaking has added some."""
        if self.main:
            self.folder.write_skipped(plan.skipped)
            _warn_of_skipped(plan)

    def _finish(self, plan: SynthesisPlan, seconds: dict[int, float], provenance: Provenance | None) -> None:
        """Describe the folder, and upload it if that is wanted."""
        if not self.main:
            return
        self.folder.write_table(plan, seconds, records(self.dataset, [row.number for row in plan.rows]))
        self.folder.write_card(dataset_card(self.settings, self.pipe, provenance, plan, seconds), MARK)
        logger.info(f"{self.folder.path}: {len(seconds):,} rows, {sum(seconds.values()) / 3600:.2f} hours of speech.")
        if self.settings.push_to_hub:
            self.folder.upload(self.settings.hub_dataset_id, self.settings.hub_private_repo)


def _warn_of_skipped(plan: SynthesisPlan) -> None:
    """Log the skipped rows; raise `ValueError` if those are all."""
    if plan.table():
        logger.warning(plan.table())
    if not plan.rows:
        raise ValueError(f"None of the {len(plan.skipped):,} texts can be spoken; the reasons are above.")


class SpeechBar(tqdm):
    """
    A progress bar that counts tokens, and shows how much speech there is and how fast it is made.

    Args:
        rows, remaining (`Sequence[Row]`):
            All rows, and those that are not done.
        **kwargs:
            Arguments of `tqdm`.
    """

    def __init__(self, rows: Sequence[Row], remaining: Sequence[Row], **kwargs):
        total, left = _tokens(rows), _tokens(remaining)
        form = "{desc}{percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}"
        super().__init__(total=total, initial=total - left, desc="speaking", bar_format=form, **kwargs)
        self.started, self.speech = time.perf_counter(), 0.0

    def add(self, rows: Sequence[Row], seconds: float) -> None:
        """Advance by rows that were spoken, and by the seconds of their speech."""
        self.speech += seconds
        rate = self.speech / max(time.perf_counter() - self.started, 1e-9)
        self.set_postfix_str(f"{self.speech / 3600:.2f} h of speech, {rate:.1f} s of it per s of work", refresh=False)
        self.update(_tokens(rows))


def _tokens(rows: Sequence[Row]) -> int:
    return sum(row.tokens for row in rows)


def load_voice(name: str, device: torch.device | str = "cpu", dtype: str = "float32") -> TextToSpeechPipeline:
    """Load a voice by any name that [`resolve_voice`] takes, its decoder in one of `DTYPES`, ready to speak."""
    folder = resolve_voice(name)
    model = VitsModel.from_pretrained(folder, dtype=usable_dtype(dtype, device))
    return TextToSpeechPipeline(model, VitsTokenizer.from_pretrained(folder), device=device)


def row_generator(seed: int, row: int) -> torch.Generator:
    """
    Return the random generator of a row: `pipe(text, generator=row_generator(seed, row))` speaks like [`synthesize`].

    It is a generator of the CPU, whose numbers are the same for every device.
    """
    return torch.Generator().manual_seed(seed_of(seed, row))


@torch.no_grad()
def speak_batch(
    pipe: TextToSpeechPipeline,
    texts: Sequence[str],
    speakers: Sequence[int | None],
    generators: Sequence[torch.Generator],
    controls: Mapping[str, float | None],
    pause: float = 0.0,
) -> list[np.ndarray]:
    """
    Return the waveform of each text, float32 (T_wav,), equal to `pipe(text, speaker_id=…, generator=…)` to rounding.

    One batch holds the first sentences of all texts, the next one their second sentences, and so on: each text draws
    its noise in the order of its sentences.
    """
    with silence_logging():
        sentences = [list(pipe.preprocess(text)) for text in texts]
    if any(sentence["effects"] for own in sentences for sentence in own):  # SSML, which only the pipeline speaks
        named = zip(texts, speakers, generators, strict=True)
        items = [{"text": text, "speaker_id": speaker, "generator": noise} for text, speaker, noise in named]
        return [speech["audio"] for speech in pipe(items, pause=pause, **controls)]
    spoken: list[list[dict]] = [[] for _ in texts]
    for number in range(max(map(len, sentences), default=0)):
        items = [item for item, own in enumerate(sentences) if number < len(own)]
        batch = {
            name: pad_sequence([sentences[item][number][name][0] for item in items], batch_first=True)
            for name in ("input_ids", "attention_mask")
        }
        speaker_ids = [speakers[item] for item in items]
        out = pipe.model(
            **batch,
            **controls,
            speaker_id=None if None in speaker_ids else speaker_ids,
            generator=[generators[item] for item in items],
        )
        for place, item in enumerate(items):
            one = slice(place, place + 1)
            spoken[item].append({"waveform": out.waveform[one], "sequence_lengths": out.sequence_lengths[one]})
    return [pipe.postprocess(outputs, pause)["audio"] for outputs in spoken]
