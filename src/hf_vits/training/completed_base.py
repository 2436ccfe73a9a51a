"""Complete a voice that lacks modules for training: once per voice, cached, and resumed if it was stopped."""

import json
import logging
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch

from hf_vits.conversion import convert
from hf_vits.conversion.default_voice import WEIGHTS, cache_folder
from hf_vits.conversion.discriminators import generator_tensors
from hf_vits.conversion.resolve import resolve_voice, short_name
from hf_vits.conversion.source import locate
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator
from hf_vits.hub.cards import called, card
from hf_vits.hub.license import CARD, Provenance, inherit_license, origin_of
from hf_vits.hub.model_files import CONFIG
from hf_vits.hub.state_dict import read_contents
from hf_vits.modeling_vits import VitsModel
from hf_vits.text.sentences import plain_sentences
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.checkpoints import DISCRIMINATOR, save_model_folder
from hf_vits.training.completion import LOG_STEPS, MEASURES, VERSION, Completion, CompletionSettings
from hf_vits.training.completion_report import REPORT, build_report, notes_of, read_report
from hf_vits.training.initialization import load_discriminator
from hf_vits.training.own_speech import texts_of, usable_texts
from hf_vits.training.process import GracefulShutdown
from hf_vits.utils.atomic_file import new_file, storage_errors
from hf_vits.utils.atomic_folder import destination, new_folder, refuse_existing, refuse_losing
from hf_vits.utils.digests import changed_file, json_digest, record_digests, voice_digest
from hf_vits.utils.logging import no_progress_bar
from hf_vits.utils.run_lock import FolderInUse, run_lock
from hf_vits.utils.threads import cores

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_CHECKPOINTS = 120.0
"""Time that a process that is killed loses at most."""

SECONDS_BETWEEN_LOOKS = 5.0
"""Seconds after which a process that waits for another one looks again."""

TIMED_STEPS = 5
"""Steps that are timed for the message about the minutes that a run takes."""

INTERRUPTED = "interrupted; the same command continues"
"""What the error of a run that a signal ends says: no checkpoint of a training exists then."""

STATE = "completion_state.pt"
"""File of a run that is not finished."""

FILES = (CONFIG, WEIGHTS, REPORT)
"""Files of a cached voice that are checked before it is used."""


@dataclass(frozen=True)
class Base:
    """A voice to complete: its model, its tokenizer, the discriminator if it has one, its license, and its name."""

    model: VitsModel
    tokenizer: VitsTokenizer
    discriminator: VitsDiscriminator | None
    origin: Provenance | None
    name: str


@dataclass(frozen=True)
class Texts:
    """The texts that a voice speaks, and their name in the model card."""

    texts: Iterable[str]
    name: str


def complete(
    voice: str | Path,
    output_dir: str | Path,
    texts: Iterable[str] | None = None,
    settings: CompletionSettings | None = None,
    texts_name: str = "texts of the user",
    overwrite: bool = False,
) -> Path:
    """
    Train the modules that a voice lacks for training on its own speech, and save it; its own parameters stay.

    A voice from an ONNX file has no posterior encoder, and half a stochastic duration predictor. The latents and the
    durations of its speech are known, so that both are trained by their likelihood. The result is cached: a second
    call with the same voice, texts and settings copies it, and one that was stopped is resumed.

    Args:
        voice (`str` or `Path`):
            A model folder, `"default"`, a name on the Hub, or a file or folder that [`convert`] reads.
        output_dir (`str` or `Path`):
            The model folder to make.
        texts (`Iterable[str]`, *optional*):
            What the voice speaks; by default the built-in sentences of its language.
        settings ([`CompletionSettings`], *optional*):
            Settings.
        texts_name (`str`, *optional*):
            What the model card calls the texts.
        overwrite (`bool`, *optional*, defaults to `False`):
            Replace a folder that is not empty, with everything in it.

    Raises:
        FileExistsError: if `output_dir` is a file, or not empty and `overwrite` is not set.
        ValueError: if the voice lacks nothing, has several languages, or has no texts that it can say.
        KeyboardInterrupt: after a signal, when the state is saved; the same call continues.

    Example:

    ```python
    >>> from hf_vits.training import complete

    >>> complete("default", "complete_voice")  # doctest: +SKIP
    ```
    """
    folder = destination(output_dir)
    refuse_losing(folder, voice)
    refuse_existing(folder, overwrite)
    base = load_base(str(voice))
    chosen = built_in_texts(base) if texts is None else Texts(texts, texts_name)
    cached = completed_folder(base, chosen, settings or CompletionSettings())
    with new_folder(folder, overwrite) as staged:
        for file in cached.iterdir():
            if not file.name.startswith("."):
                shutil.copyfile(file, staged / file.name)
        if base.discriminator is not None:
            with no_progress_bar():
                base.discriminator.save_pretrained(staged / DISCRIMINATOR)
        _write_card(staged, folder.name, base, read_report(cached))
    return folder


def complete_for_training(
    voice: str, dataset, text_column: str, dataset_name: str, settings: CompletionSettings, other_language: bool = False
) -> VitsModel:
    """
    Return the completed model of a voice that lacks modules: from the cache, whatever texts it spoke, or trained now.

    Args:
        voice (`str`):
            The voice, as [`load_base`] takes it.
        dataset (`datasets.Dataset` or `datasets.IterableDataset`):
            Rows to train on, whose texts the voice speaks.
        text_column, dataset_name (`str`):
            Their column of texts, and their name.
        settings ([`CompletionSettings`]):
            Settings.
        other_language (`bool`, *optional*, defaults to `False`):
            The texts are of a language that the voice does not speak yet, so that it speaks built-in sentences of its
            own instead, if there are any.
    """
    base, texts = load_base(voice), Texts(texts_of(dataset, text_column), called(dataset_name or "the training data"))
    if other_language:
        with suppress(ValueError):
            texts = built_in_texts(base)
    folder = completed_folder(base, texts, settings, any_texts=True)
    return VitsModel.from_pretrained(folder)


def built_in_texts(base: Base) -> Texts:
    """Return the built-in sentences of a voice's language; raise `ValueError` if there are none."""
    languages = [base.tokenizer.text_language, *(base.origin.language if base.origin else ())]
    language = next(filter(None, languages), None)
    return Texts(plain_sentences(language), f"the built-in sentences of the language {language}")


def load_base(voice: str) -> Base:
    """Load a voice by any name that [`resolve_voice`] takes, or convert a file or folder of another project."""
    try:
        name = resolve_voice(voice)
    except ValueError:
        path = Path(voice).expanduser()
        if not path.exists() or (path.is_dir() and not _is_convertible(path)):
            raise
        found = convert(path)
        if found.tokenizer is None:
            raise ValueError(f"{path} has no tokenizer, so it cannot speak a text.") from None
        discriminator = found.discriminator and found.discriminator.model()
        return Base(found.model(), found.tokenizer, discriminator, found.origin, path.stem)
    model = VitsModel.from_pretrained(name, state_dict=generator_tensors(name))
    origin = inherit_license(origin_of(name))
    label = origin.name or short_name(voice)
    return Base(model, VitsTokenizer.from_pretrained(name), load_discriminator(name), origin, label)


def _is_convertible(folder: Path) -> bool:
    try:
        return locate(folder).is_file()
    except ValueError:
        return False


def completed_folder(base: Base, texts: Texts, settings: CompletionSettings, any_texts: bool = False) -> Path:
    """
    Return the cached folder of a completed voice, training what it lacks if needed.

    Args:
        base ([`Base`]):
            The voice.
        texts ([`Texts`]):
            What it speaks.
        settings ([`CompletionSettings`]):
            Settings.
        any_texts (`bool`, *optional*, defaults to `False`):
            Take a result of the same voice and settings that spoke other texts, if there is one.

    Raises:
        ValueError: if the voice lacks nothing, has several languages, or can say none of the texts.
        KeyboardInterrupt: after a signal, when the state is saved.
    """
    _check(base)
    key = f"{voice_digest(base.model)}-{json_digest([VERSION, settings.identity])}"
    root = cache_folder() / "completed"
    if any_texts and (found := [folder for folder in sorted(root.glob(f"{key}-*")) if _is_whole(folder)]):
        logger.info(f"{base.name} was completed before: {found[0]}.")
        return found[0]
    usable = usable_texts(texts.texts, base.tokenizer)
    folder = root / f"{key}-{json_digest([[text, base.tokenizer(text).input_ids] for text in usable])}"
    with _locked(folder.with_name(f".{folder.name}.unfinished")) as unfinished:
        if _is_whole(folder):
            logger.info(f"{base.name} was completed before: {folder}.")
        else:
            with _threads(settings.cpu_threads):
                _finish(Completion(base.model, base.tokenizer, usable, settings), unfinished, folder, base, texts.name)
    return folder


def _check(base: Base) -> None:
    if not base.model.missing_for_training():
        raise ValueError(f"{base.name} lacks no module that training needs; train it as it is.")
    if base.model.config.num_languages > 1:
        raise ValueError(
            f"{base.name} has {base.model.config.num_languages} languages, and training does not know the language of "
            "a clip, so it is of no use to complete it. Use the model for inference only."
        )


def _finish(completion: Completion, unfinished: Path, folder: Path, base: Base, texts_name: str) -> None:
    """Train to the last step, check the result, and move it to its folder in the cache."""
    _train(completion, unfinished / STATE, base)
    logger.info(f"Checking {base.name} on fresh speech.")
    report = build_report(completion, base.name, base.model.missing_for_training(), texts_name)
    with new_folder(folder, overwrite=True) as staged:
        save_model_folder(staged, completion.model, base.tokenizer)
        (staged / REPORT).write_text(json.dumps(report, indent=2), encoding="utf-8")
        _write_card(staged, folder.name, base, report)
    record_digests(folder, FILES)
    (unfinished / STATE).unlink(missing_ok=True)


def _train(completion: Completion, file: Path, base: Base) -> None:
    """Take the steps that are left, and save the state from time to time and after a signal."""
    _resume(completion, file)
    first, last, started = completion.step, completion.settings.max_steps, time.monotonic()
    with storage_errors(file.parent), GracefulShutdown() as shutdown, completion.progress_bar() as bar:
        saved = time.monotonic()
        while completion.step < last:
            completion.train_step()
            bar.update()
            if completion.step % LOG_STEPS == 0:
                bar.set_postfix({name: f"{completion.history[-1][name]:.3g}" for name in MEASURES})
            if completion.step == first + 1:
                started = time.monotonic()  # the first step speaks many utterances
            if completion.step == min(first + 1 + TIMED_STEPS, last):
                seconds = (time.monotonic() - started) / TIMED_STEPS
                with bar.external_write_mode():
                    logger.info(_announcement(base, last, completion.step, seconds))
            if shutdown.requested or time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                _save(completion, file)
                saved = time.monotonic()
            if shutdown.requested and completion.step < last:
                raise KeyboardInterrupt(INTERRUPTED)  # which `hf-vits train` prints in place of its own advice


def _announcement(base: Base, steps: int, step: int, seconds: float) -> str:
    missing = ", ".join(base.model.missing_for_training())
    return (
        f"{base.name} has no {missing}: they are trained on its own speech, once, in {steps:,} steps; about "
        f"{(steps - step) * seconds / 60:.0f} minutes are left. Ctrl-C stops; the same command continues."
    )


def _resume(completion: Completion, file: Path) -> None:
    """Load the state of a run that was stopped, or check the new modules before the first step."""
    if file.exists():
        try:
            completion.load_state(read_contents(file))
            logger.info(f"Continuing at step {completion.step} of {completion.settings.max_steps}.")
            return
        except (ValueError, KeyError, RuntimeError, TypeError) as error:
            logger.warning(f"{file} is damaged, so completing starts again: {error}")
    completion.before = completion.check()


def _save(completion: Completion, file: Path) -> None:
    with new_file(file) as staged, staged.open("wb") as stream:
        torch.save(completion.state(), stream)


def _write_card(folder: Path, name: str, base: Base, report: dict[str, Any]) -> None:
    card(name, base.origin, base.tokenizer, notes_of(report), title="Completion").save(folder / CARD)


def _is_whole(folder: Path) -> bool:
    """Return whether a cached voice is complete and unchanged."""
    return all((folder / name).is_file() for name in FILES) and changed_file(folder, FILES) is None


@contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """Lock the folder of an unfinished run; wait for another process, which may be of the same launch."""
    with ExitStack() as stack:
        for attempt in count():
            try:
                stack.enter_context(run_lock(folder))
                break
            except FolderInUse:
                if attempt == 0:
                    logger.warning(f"Waiting for another process that completes the same voice, in {folder}.")
                time.sleep(SECONDS_BETWEEN_LOOKS)
        yield folder


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number or cores())
    try:
        yield
    finally:
        torch.set_num_threads(before)
