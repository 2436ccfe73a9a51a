"""A whole run: looks at the texts, speaks what is not spoken yet, and describes the folder."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import torch
from huggingface_hub.utils import validate_repo_id
from tqdm.auto import tqdm

from hf_vits.conversion.resolve import resolve_voice
from hf_vits.data.columns import speaker_number
from hf_vits.hub.cards import check_login
from hf_vits.hub.license import Provenance, inherit_license, origin_of
from hf_vits.inference.arguments import scale
from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.synthesis.card import MARK, card
from hf_vits.synthesis.config import SynthesisSettings
from hf_vits.synthesis.output_folder import STATE, OutputFolder, controls_of, identity_of
from hf_vits.synthesis.plan import REFUSED, Row, SkippedRow, SynthesisPlan, joint_batches, survey
from hf_vits.synthesis.texts import check_columns, load_texts, records, written_columns
from hf_vits.text.errors import shortened
from hf_vits.utils.distributed import (
    check_launch,
    lost_processes_named,
    refuse_sharding,
    run_on_all_processes,
    warn_of_ignored,
)
from hf_vits.utils.run_lock import run_lock
from hf_vits.utils.threads import use_cores

if TYPE_CHECKING:
    from datasets import Dataset


import time
from collections.abc import Mapping

from torch.nn.utils.rnn import pad_sequence

from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.sampling import seed_of
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.logging import no_progress_bar, silence_logging

FORMAT = "{desc}{percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}"


class SpeechBar(tqdm):
    """
    A bar of all rows, of which `remaining` are still to be spoken; tokens stand for the speech that is not there yet.

    Args:
        rows, remaining (`Sequence[Row]`):
            All rows, and those that are not done.
        **kwargs:
            As of `tqdm`.
    """

    def __init__(self, rows: Sequence[Row], remaining: Sequence[Row], **kwargs):
        whole, left = _tokens(rows), _tokens(remaining)
        super().__init__(total=whole, initial=whole - left, desc="speaking", bar_format=FORMAT, **kwargs)
        self.begun, self.speech = time.perf_counter(), 0.0

    def add(self, rows: Sequence[Row], seconds: float) -> None:
        """Moves on by rows that were spoken, which last so many seconds."""
        self.speech += seconds
        rate = self.speech / max(time.perf_counter() - self.begun, 1e-9)
        self.set_postfix_str(f"{self.speech / 3600:.2f} h of speech, {rate:.1f} s of it per s of work", refresh=False)
        self.update(_tokens(rows))


def _tokens(rows: Sequence[Row]) -> int:
    return sum(row.tokens for row in rows)


def load_voice(name: str, device: torch.device | str = "cpu") -> TextToSpeechPipeline:
    """Load a voice by any name that [`resolve_voice`] takes, ready to speak."""
    folder = resolve_voice(name)
    with no_progress_bar():
        model = VitsModel.from_pretrained(folder)
    return TextToSpeechPipeline(model, VitsTokenizer.from_pretrained(folder), device=device)


def row_generator(seed: int, row: int) -> torch.Generator:
    """
    The source of a row's noise: `pipe(text, generator=row_generator(seed, row))` says it as [`synthesize`] does.

    It is one of the CPU, whose numbers are the same beside every device.
    """
    return torch.Generator().manual_seed(seed_of(seed, row))


@torch.no_grad()
def speak(
    pipe: TextToSpeechPipeline,
    texts: Sequence[str],
    speakers: Sequence[int | None],
    generators: Sequence[torch.Generator],
    controls: Mapping[str, float | None],
    pause: float = 0.0,
) -> list[np.ndarray]:
    """
    Waveforms float32 (T_wav,) of texts, each what `pipe(text, speaker_id=…, generator=…)` gives, to rounding.

    The first sentences of all texts are spoken together, then the second ones, and so on: a text takes its noise in the
    order of its sentences.
    """
    with silence_logging():
        sentences = [list(pipe.preprocess(text)) for text in texts]
    spoken: list[list[dict]] = [[] for _ in texts]
    for number in range(max(map(len, sentences), default=0)):
        items = [item for item, own in enumerate(sentences) if number < len(own)]
        batch = {
            name: pad_sequence([sentences[item][number][name][0] for item in items], batch_first=True)
            for name in ("input_ids", "attention_mask")
        }
        who = [speakers[item] for item in items]
        out = pipe.model(
            **batch,
            **controls,
            speaker_id=None if None in who else who,
            generator=[generators[item] for item in items],
        )
        for place, item in enumerate(items):
            one = slice(place, place + 1)
            spoken[item].append({"waveform": out.waveform[one], "sequence_lengths": out.sequence_lengths[one]})
    return [pipe.postprocess(pieces, pause)["audio"] for pieces in spoken]


logger = logging.getLogger(__name__)

PATIENCE = timedelta(hours=12)
"""How long processes wait for one that fetches data; one that dies is noticed at once."""


def synthesize(settings: SynthesisSettings) -> OutputFolder:
    """
    Speaks a column of texts into a folder of FLAC files with a table, or goes on where a run of the same was stopped.

    Every process that `accelerate launch` or `torchrun` starts calls it, and does its share.

    Raises:
        ValueError: for a setting that does not fit data or voice, texts of which nothing can be said, or a folder that
            was begun with others; says what differs.
        OSError: for texts, a voice or a folder that cannot be read or written.
    """
    return Synthesis(settings).run()


class Synthesis:
    """One process's part of a run; `main` is the process that reports, and writes what is not speech."""

    def __init__(self, settings: SynthesisSettings):
        from accelerate import Accelerator
        from accelerate.utils import InitProcessGroupKwargs

        self.settings, self.folder = settings, OutputFolder(settings.output_dir)
        refuse_sharding()
        self.accelerator: Accelerator = Accelerator(
            mixed_precision="no", kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)]
        )
        self.main = self.accelerator.is_main_process
        check_launch(self.accelerator.num_processes)
        if self.main:
            warn_of_ignored("no")
        use_cores(self.accelerator, settings.cpu_threads)

    def run(self) -> OutputFolder:
        """All of it; gives the finished folder."""
        run_on_all_processes(self._check)
        dataset, pipe = self._loaded()
        found = self._surveyed(dataset, pipe)
        accelerator, advice = self.accelerator, "Then give the same command again: it goes on."
        with ExitStack() as stack:
            stack.enter_context(
                lost_processes_named(
                    accelerator.process_index, accelerator.num_processes, PATIENCE.total_seconds(), advice
                )
            )
            origin = run_on_all_processes(self._begin, dataset, pipe, found, stack)[0]
            numbers = [row.number for row in found.rows] if self.main else []
            seconds = run_on_all_processes(self.folder.finished, numbers)[0]
            new, refused = self._spoken(dataset, pipe, found, seconds)
            seconds |= new
            if refused:
                found = found.without(refused)
                run_on_all_processes(self._leave_out, found)
            run_on_all_processes(self._finish, dataset, pipe, found, seconds, origin)
        self.accelerator.end_training()
        return self.folder

    def _check(self) -> None:
        """What would make the work useless, before it begins."""
        self.folder.check()
        if self.settings.push_to_hub is not None and self.main:
            validate_repo_id(self.settings.push_to_hub)
            check_login("speech")

    def _loaded(self) -> tuple["Dataset", TextToSpeechPipeline]:
        """Texts and voice. The first process of a machine fetches what the others then find."""
        loaded = []
        for turn in (True, False):
            if turn == self.accelerator.is_local_main_process:
                run_on_all_processes(lambda: loaded.extend(self._load()))
            else:
                run_on_all_processes(lambda: None)
        return tuple(loaded)

    def _load(self) -> tuple["Dataset", TextToSpeechPipeline]:
        """Raises `ValueError` for what can be seen to be wrong without looking at the texts."""
        settings = self.settings
        voice = resolve_voice(settings.voice)
        texts = [name for name in (settings.text_column, settings.speaker_column) if name]
        dataset = load_texts(settings.dataset_name, settings.dataset_config_name, settings.split, texts)
        check_columns(dataset.column_names, settings.text_column, settings.speaker_column)
        pipe = load_voice(voice, self.accelerator.device)
        if settings.speaker_column is None:
            pipe.model.speaker_vector(self._speaker(pipe), 1)
        for name, value in controls_of(settings, pipe).items():
            scale(name, value, value, 1, torch.ones(1))
        return dataset, pipe

    def _speaker(self, pipe: TextToSpeechPipeline) -> int | None:
        """Who speaks all texts, by number; `None` in a voice of one speaker, and if a column says who."""
        name = self.settings.speaker_id
        return None if name is None else speaker_number(name, pipe.model.config)

    def _surveyed(self, dataset: "Dataset", pipe: TextToSpeechPipeline) -> SynthesisPlan:
        """Each process looks at its share."""
        settings, accelerator = self.settings, self.accelerator
        share = range(accelerator.process_index, len(dataset), accelerator.num_processes)
        numbers = tqdm(share, desc="looking at texts", disable=not self.main, leave=False)
        columns = settings.text_column, settings.speaker_column
        speaker, strict = self._speaker(pipe), settings.strict
        return SynthesisPlan.joined(run_on_all_processes(survey, dataset, numbers, pipe, *columns, speaker, strict))

    def _begin(
        self, dataset: "Dataset", pipe: TextToSpeechPipeline, found: SynthesisPlan, stack: ExitStack
    ) -> Provenance | None:
        """Reports what will not be heard, and claims the folder until the stack ends; gives where the voice is from."""
        if not self.main:
            return None
        _tell(found)
        _, left_out = written_columns(dataset)
        if left_out:
            logger.warning(f"Left out, as a table of text cannot hold them: columns {left_out}.")
        stack.enter_context(run_lock(self.folder.path, STATE / "run.lock"))
        self.folder.begin(identity_of(self.settings, pipe, found, dataset[self.settings.text_column]))
        self.folder.note(found.left_out)
        return inherit_license(origin_of(pipe.model.name_or_path))

    def _spoken(
        self, dataset: "Dataset", pipe: TextToSpeechPipeline, found: SynthesisPlan, done: dict[int, float]
    ) -> tuple[dict[int, float], list[SkippedRow]]:
        """Speaks the rows that are not done; seconds of each, and those refused, of other processes too."""
        remaining = [row for row in found.rows if row.number not in done]
        texts = dataset.select_columns([self.settings.text_column])
        processes, own = self.accelerator.num_processes, self.accelerator.process_index
        seconds: dict[int, float] = {}
        refused: list[SkippedRow] = []
        with SpeechBar(found.rows, remaining, disable=not self.main) as bar:
            for batch in joint_batches(remaining, self.settings.batch_size, processes):
                new = {}
                for part, refused_there in run_on_all_processes(self._speak, texts, pipe, batch[own::processes]):
                    new |= part
                    refused += refused_there
                bar.add(batch, sum(new.values()))
                seconds |= new
        return seconds, refused

    def _speak(
        self, texts: "Dataset", pipe: TextToSpeechPipeline, rows: Sequence[Row]
    ) -> tuple[dict[int, float], list[SkippedRow]]:
        """Speaks and writes these rows; seconds of each, and those that the model refuses even alone."""
        try:
            waveforms = self._waveforms(texts, pipe, rows)
        except ValueError as error:
            if len(rows) == 1:
                return {}, [SkippedRow(rows[0].number, REFUSED, shortened(str(error), 120))]
            alone = [self._speak(texts, pipe, [row]) for row in rows]
            seconds = {number: length for part, _ in alone for number, length in part.items()}
            return seconds, [row for _, refused in alone for row in refused]
        for row, waveform in zip(rows, waveforms, strict=True):
            self.folder.write(row.number, waveform, pipe.sampling_rate)
        lengths = (len(waveform) / pipe.sampling_rate for waveform in waveforms)
        return dict(zip((row.number for row in rows), lengths, strict=True)), []

    def _waveforms(self, texts: "Dataset", pipe: TextToSpeechPipeline, rows: Sequence[Row]) -> list[np.ndarray]:
        """Of rows that are spoken together; noise is drawn from its beginning, however often that is tried."""
        settings = self.settings
        return speak(
            pipe,
            [texts[row.number][settings.text_column] for row in rows],
            [row.speaker for row in rows],
            [row_generator(settings.seed, row.number) for row in rows],
            controls_of(settings, pipe),
            settings.pause,
        )

    def _leave_out(self, found: SynthesisPlan) -> None:
        """Notes and reports what will not be heard, now that speaking has shown more of it."""
        if self.main:
            self.folder.note(found.left_out)
            _tell(found)

    def _finish(
        self,
        dataset: "Dataset",
        pipe: TextToSpeechPipeline,
        found: SynthesisPlan,
        seconds: dict[int, float],
        origin: Provenance | None,
    ) -> None:
        """Describes the folder, and uploads it if it is wanted on the Hub."""
        if not self.main:
            return
        self.folder.describe(found, seconds, records(dataset, [row.number for row in found.rows]))
        self.folder.write_card(card(self.settings, pipe, origin, found, seconds), MARK)
        logger.info(f"{self.folder.path}: {len(seconds):,} rows, {sum(seconds.values()) / 3600:.2f} hours of speech.")
        if self.settings.push_to_hub is not None:
            self.folder.upload(self.settings.push_to_hub)


def _tell(found: SynthesisPlan) -> None:
    """Warns of what is left out; `ValueError` if that is everything."""
    if found.table():
        logger.warning(found.table())
    if not found.rows:
        raise ValueError(f"None of the {len(found.left_out):,} texts can be spoken; the reasons are above.")
