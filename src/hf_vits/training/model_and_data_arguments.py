"""ModelAndDataArguments: names of model, discriminator, tokenizer and data, from which a trainer is built."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub.errors import StrictDataclassError

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.resolve import resolve_voice
from hf_vits.conversion.suggestions import missing_path
from hf_vits.data.columns import plain_rows, rows_of, speakers_of
from hf_vits.data.dataset import WithColumns, check_data
from hf_vits.data.load import load_data
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.speakers import NEW_EMBEDDING_SIZE
from hf_vits.text import espeak
from hf_vits.text.frontend import FrontEnd
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.checkpoints import list_checkpoints
from hf_vits.training.dataloader import split_eval_dataset
from hf_vits.training.initialization import ModelInitialization, build_tokenizer
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.distributed import launched_precision, refuse_sharding
from hf_vits.utils.formatting import nearest
from hf_vits.utils.run_lock import check_output_folder
from hf_vits.utils.setting_fields import AnyPath, Mapping, check_fields, option

if TYPE_CHECKING:
    from hf_vits.training.trainer import VitsTrainer

logger = logging.getLogger(__name__)

MAX_VOCAB_SIZE = 2**20
"""Vocabulary size with which a configuration is checked before the data, and with it the vocabulary, is read."""


@dataclass
class ModelAndDataArguments(WithColumns):
    """
    Names of everything that a run needs, in a form that a JSON file or a command line can give.

    Raises:
        ValueError: for JSON that is no object, or a configuration with an unknown field.
    """

    dataset_name: AnyPath = option("", "Folder or data set of the Hub; a folder has a metadata.csv.")
    dataset_config_name: str | None = option(None, "Configuration of a data set of the Hub.")
    train_split: str = option("train", "Split to train on.")
    eval_split: str | None = option(None, "Split to evaluate on; by default some clips of the training split.")
    streaming: bool = option(False, "Read the data during training, without storing it.")
    text_column: str = option("text", "Column of the texts.")
    audio_column: str = option("audio", "Column of the audio.")
    speaker_column: str | None = option(
        None, 'Column of the speakers, by name or number; "" trains all speakers of the data as one.'
    )
    table_columns: str | None = option(
        None, "Columns of a folder's table without a header, in order, as file_name,speaker,text; _ is ignored."
    )
    model_name_or_path: AnyPath | None = option(None, 'Model to start from; a folder, "default", or a name on the Hub.')
    discriminator_name_or_path: AnyPath | None = option(
        None, "Its discriminator, if not with it: folder, or original D_*.pth."
    )
    complete_base: bool = option(
        False, "Train modules that the model lacks on its own speech first: about an hour on a CPU, once per model."
    )
    model_config: Mapping = option("{}", "JSON object: configuration of a new model; {} is the paper's.")
    discriminator_config: Mapping | str = option(
        "{}",
        "Configuration of a new discriminator, before discriminator_channel_multiplier: a JSON object, or names such "
        "as period,scale,multi_resolution.",
    )
    tokenizer_name_or_path: AnyPath | None = option(
        None, "Model whose tokenizer a new model takes; by default one is made from the texts."
    )
    tokenizer_options: Mapping = option("{}", "JSON object: options of a tokenizer made from the texts.")
    language: str | None = option(None, "Language of the texts, if not the model's: an espeak voice, as ru.")

    def __post_init__(self):
        check_fields(self)
        if isinstance(self.discriminator_config, str):
            self.discriminator_config = named_discriminators(self.discriminator_config)
        self.discriminator_config = _checked_config(
            "discriminator_config", VitsDiscriminatorConfig, self.discriminator_config
        )
        # The numbers of tokens and speakers are known later, from the data.
        self.model_config = _checked_config("model_config", VitsConfig, self.model_config, vocab_size=MAX_VOCAB_SIZE)
        known = {item.name for item in fields(FrontEnd)}
        if unknown := [name for name in self.tokenizer_options if name not in {*known, "min_count"}]:
            raise ValueError(_unknown_fields("tokenizer_options", unknown, known))
        FrontEnd(**{name: value for name, value in self.tokenizer_options.items() if name in known})

    def build_trainer(self, args: VitsTrainingArguments) -> "VitsTrainer":
        """Load everything; mistakes that do not depend on the data are reported before the data is read."""
        from hf_vits.training.trainer import VitsTrainer

        model_path, tokenizer_path = self._check_before_reading(args)
        train, evaluation = self._load_data(args.max_eval_samples)
        parts = [part for part in (train, evaluation) if part is not None]
        for part in parts:
            check_data(part, self.columns)
        speakers = speakers_of(self.speaker_column, *parts) if self.speaker_column else []
        discriminator = VitsDiscriminatorConfig(**self.discriminator_config)
        discriminator = discriminator.scale_channels_by(args.discriminator_channel_multiplier)
        if model_path is not None:
            model = ModelInitialization.from_pretrained(
                model_path, self.discriminator_name_or_path, discriminator, args.seed
            )
            tokenizer = self._load_tokenizer(model.model.name_or_path)
            if self.discriminator_config and not model.new_discriminator:
                logger.warning(
                    "`discriminator_config` is not used: the model has discriminators, which are trained on."
                )
        else:
            tokenizer = self._load_tokenizer(tokenizer_path) if tokenizer_path else self._build_tokenizer(train)
            model = ModelInitialization.from_scratch(self._new_config(tokenizer, speakers), discriminator, args.seed)
        model.add_speakers(speakers, args.seed)
        if evaluation is None:
            train, evaluation = split_eval_dataset(train, tokenizer, model.model.config, self.columns, args)
        self._arrange_completion(model, train, args)
        return VitsTrainer(model, args, train, evaluation, tokenizer, self.columns, self.dataset_name)

    def _arrange_completion(self, model: ModelInitialization, train, args: VitsTrainingArguments) -> None:
        """Have the trainer complete the base when the data is checked, unless a checkpoint of this run has it."""
        if not (self.complete_base and model.new_parameters):
            return
        if list_checkpoints(Path(args.output_dir)):
            model.new_parameters = frozenset()  # the checkpoint says what is new, and no warning does
        else:
            model.completion = partial(self._completed, model.model.name_or_path, train, args.cpu_threads)

    def _completed(self, voice: str, train, cpu_threads: int | None) -> VitsModel:
        """Train what the base lacks on its own speech, or take it from the cache."""
        from hf_vits.training.completed_base import complete_for_training
        from hf_vits.training.completion import CompletionSettings

        settings, other_language = CompletionSettings(cpu_threads=cpu_threads), self.language is not None
        return complete_for_training(voice, train, self.text_column, self.dataset_name, settings, other_language)

    def _check_before_reading(self, args: VitsTrainingArguments) -> tuple[str | None, str | None]:
        """Check the launcher, trackers, output folder, names and language; return the paths of model and tokenizer."""
        from hf_vits.training.loggers import check_trackers
        from hf_vits.training.speech_evaluation import check_speech_metrics

        refuse_sharding()
        launched_precision(args.mixed_precision)
        check_trackers(args.report_to)
        check_output_folder(Path(args.output_dir))
        check_speech_metrics(args)
        model_path = resolve_voice(self.model_name_or_path) if self.model_name_or_path else None
        discriminator = self.discriminator_name_or_path
        if model_path is not None and discriminator and not Path(discriminator).exists():
            raise FileNotFoundError(f"`discriminator_name_or_path`: {missing_path(discriminator)}")
        name = self.tokenizer_name_or_path if model_path is None else None
        tokenizer_path = resolve_voice(name, "tokenizer_config.json") if name else None
        self._check_language(model_path or tokenizer_path)
        return model_path, tokenizer_path

    def _check_language(self, tokenizer: str | None) -> None:
        """Raise `ValueError` for a language that the tokenizer of this path, or a new one, cannot read."""
        if self.language is not None and tokenizer is not None:
            self._load_tokenizer(tokenizer)
        elif self.language is not None and self.tokenizer_options.get("phonemize", FrontEnd.phonemize):
            espeak.clauses("", self.language)  # raises if there is no such voice

    def _load_data(self, max_eval_samples: int):
        return load_data(
            self.dataset_name,
            self.dataset_config_name,
            self.train_split,
            self.eval_split,
            self.streaming,
            max_eval_samples,
            self.table_columns and [name.strip() for name in self.table_columns.split(",")],
            self.columns,
        )

    def _new_config(self, tokenizer: VitsTokenizer, speakers: list[str]) -> VitsConfig:
        """Return the configuration of a model that is new for these speakers, not extended by them."""
        fields = {"vocab_size": max(tokenizer.get_vocab().values()) + 1, **self.model_config}
        if speakers:
            fields |= {"num_speakers": len(speakers), "speaker_names": speakers}
        if len(speakers) > 1 and not fields.get("speaker_embedding_size"):
            fields["speaker_embedding_size"] = NEW_EMBEDDING_SIZE
        return VitsConfig(**fields)

    def _build_tokenizer(self, train) -> VitsTokenizer:
        texts = (row[self.text_column] for row in rows_of(plain_rows(train, [self.text_column])))
        options = {**({"phoneme_language": self.language} if self.language else {}), **self.tokenizer_options}
        return build_tokenizer((text for text in texts if isinstance(text, str)), **options)

    def _load_tokenizer(self, name: str) -> VitsTokenizer:
        """
        Load a tokenizer, with the phonemes of the run's language if one is given.

        Raises:
            ValueError: for a language that espeak-ng does not have, or a model that reads letters.
        """
        tokenizer = VitsTokenizer.from_pretrained(name)
        if self.language is None:
            return tokenizer
        if not tokenizer.phonemize:
            raise ValueError(
                f"`language` is {self.language!r}, but the model {name} reads letters, which belong to its language. "
                "Leave `language` out, or start from a model that reads phonemes."
            )
        espeak.clauses("", self.language)  # raises if there is no such voice
        cleaner = "none" if tokenizer.cleaner == "english" else tokenizer.cleaner
        return VitsTokenizer.from_pretrained(
            name, language=self.language, phoneme_language=self.language, cleaner=cleaner
        )


def _checked_config(name: str, kind: type, given: dict[str, Any], **assumed: Any) -> dict[str, Any]:
    """
    Check the fields of a configuration together with assumed ones; convert whole numbers such as 2.0 to integers.

    Raises:
        ValueError: for a field that does not exist, or a value that the configuration refuses.
    """
    plain = kind()
    defaults = {item.name: getattr(plain, item.name) for item in fields(kind)} | plain.to_dict()
    if unknown := [field for field in given if field not in defaults]:
        raise ValueError(_unknown_fields(name, unknown, defaults))
    given = {field: _as_integers(value, defaults[field]) for field, value in given.items()}
    checked = {**assumed, **given}
    if given.get("num_speakers", 1) != 1 and not given.get("speaker_embedding_size"):
        checked["speaker_embedding_size"] = NEW_EMBEDDING_SIZE
    try:
        kind(**checked)
    except (ValueError, TypeError, StrictDataclassError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"`{name}` describes no possible configuration: {reason}") from error
    return given


def named_discriminators(names: str) -> dict[str, Any]:
    """Return the fields of the configuration of discriminators by their names, separated by commas."""
    try:
        config = VitsDiscriminatorConfig.from_names([name.strip() for name in names.split(",")])
    except ValueError as error:
        raise ValueError(
            f"`discriminator_config` is {names!r}, which is no JSON object, nor names of discriminators between "
            f"commas. {error}"
        ) from error
    return {name: getattr(config, name) for name in ("periods", "scales", "additional_discriminators")}


def _as_integers(value: Any, default: Any) -> Any:
    """Convert a number, or lists of them, to integers where the default has integers and the value is one."""
    if isinstance(value, list) and isinstance(default, list | tuple) and default:
        return [_as_integers(item, default[0]) for item in value]
    return int(value) if type(default) is int and isinstance(value, float) and value.is_integer() else value


def _unknown_fields(name: str, unknown: Iterable[str], known: Iterable[str]) -> str:
    known = sorted(known)
    fields = ", ".join(f"{field!r}{nearest(field, known).rstrip('?')}" for field in unknown)
    return f"`{name}` has unknown fields: {fields}. Known ones are {known}."
