"""What a run is made of, by name: voice, judges, tokenizer and data, and the trainer that they give."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.resolve import resolve_voice
from hf_vits.conversion.suggestions import missing_path
from hf_vits.data.columns import plain_rows, rows_of, speakers_of
from hf_vits.data.dataset import Columns, check_data
from hf_vits.data.load import load_data
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.modules.speakers import NEW_EMBEDDING_SIZE
from hf_vits.text import espeak
from hf_vits.text.frontend import FrontEnd
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.dataloader import draw_held_out
from hf_vits.training.initialization import ModelInitialization, tokenizer_of_texts
from hf_vits.training.loggers import check_trackers
from hf_vits.training.trainer import VitsTrainer
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.distributed import launched_precision, refuse_sharding
from hf_vits.utils.formatting import nearest
from hf_vits.utils.options import AnyPath, Mapping, check_fields, option
from hf_vits.utils.run_lock import check_output_folder

MOST_SYMBOLS = 2**20
"""Size of the vocabulary with which a configuration is tried before the data, and with them the symbols, are read."""


@dataclass
class ModelAndDataArguments:
    """
    Names of everything that a run needs, in a form that a JSON file or a command line can give.

    Raises:
        ValueError: for JSON that is no object, or a configuration with a field that does not exist.
    """

    dataset_name: AnyPath = option("", "Folder with a metadata.csv, or a data set of the Hub.")
    dataset_config_name: str | None = option(None, "Configuration of a data set of the Hub.")
    train_split: str = option("train", "Split to train on.")
    eval_split: str | None = option(None, "Split to evaluate on; without one, some clips of the other.")
    streaming: bool = option(False, "Read the data while training, and never hold it whole.")
    text_column: str = option("text", "Column of the texts.")
    audio_column: str = option("audio", "Column of the sound.")
    speaker_column: str | None = option(
        None, 'Column of who speaks, by name or number; "" trains all speakers of the data as one voice.'
    )
    table_columns: str | None = option(
        None, "Columns of a folder's table without a header, in their order, as file_name,speaker,text; _ is not read."
    )
    model_name_or_path: AnyPath | None = option(None, 'Voice to begin with: folder, "default", or name on the Hub.')
    discriminator_name_or_path: AnyPath | None = option(
        None, "Its judges, if not with it: folder, or original D_*.pth."
    )
    model_config: Mapping = option("{}", "JSON object: configuration of a new voice; {} is the paper's.")
    discriminator_config: Mapping = option(
        "{}", "JSON object: configuration of new discriminators, before their channels are scaled."
    )
    tokenizer_name_or_path: AnyPath | None = option(
        None, "Voice whose tokenizer a new one takes; made from the texts if not given."
    )
    tokenizer_options: Mapping = option("{}", "JSON object: options of a tokenizer made from the texts.")
    language: str | None = option(None, "Language of the texts, if the voice speaks another: an espeak voice, as ru.")

    def __post_init__(self):
        check_fields(self)
        judges, options = self.discriminator_config, self.tokenizer_options
        self.discriminator_config = _checked_fields("discriminator_config", VitsDiscriminatorConfig, judges)
        # How many symbols and speakers there are is known later, from the data.
        self.model_config = _checked_fields("model_config", VitsConfig, self.model_config, vocab_size=MOST_SYMBOLS)
        known = {item.name for item in fields(FrontEnd)}
        if unknown := [name for name in options if name not in {*known, "least"}]:
            raise ValueError(_unknown("tokenizer_options", unknown, known))
        FrontEnd(**{name: value for name, value in options.items() if name in known})

    @property
    def columns(self) -> Columns:
        """Names of the columns."""
        return Columns(self.text_column, self.audio_column, self.speaker_column)

    def trainer(self, config: VitsTrainingArguments) -> VitsTrainer:
        """Loads all of it; what can be seen to be wrong without the data is an error before they are read."""
        refuse_sharding()
        launched_precision(config.mixed_precision)
        check_trackers(config.report_to)
        check_output_folder(Path(config.output_dir))
        voice = resolve_voice(self.model_name_or_path) if self.model_name_or_path else None
        judges_path = self.discriminator_name_or_path
        if voice is not None and judges_path and not Path(judges_path).exists():
            raise FileNotFoundError(f"`discriminator_name_or_path`: {missing_path(judges_path)}")
        named = self.tokenizer_name_or_path if voice is None else None
        tokenizer_name = resolve_voice(named, "tokenizer_config.json") if named else None
        train, held_out = load_data(
            self.dataset_name,
            self.dataset_config_name,
            self.train_split,
            self.eval_split,
            self.streaming,
            config.max_eval_samples,
            self.table_columns and [name.strip() for name in self.table_columns.split(",")],
            self.columns,
        )
        parts = [part for part in (train, held_out) if part is not None]
        for part in parts:
            check_data(part, self.columns)
        speakers = speakers_of(self.speaker_column, *parts) if self.speaker_column else []
        judges = VitsDiscriminatorConfig(**self.discriminator_config)
        judges = judges.scale_channels_by(config.discriminator_channel_multiplier)
        if voice is not None:
            start = ModelInitialization.load(voice, self.discriminator_name_or_path, judges, config.seed)
            tokenizer = self._in_language(start.model.name_or_path)
        else:
            tokenizer = self._new_tokenizer(train, tokenizer_name)
            start = ModelInitialization.from_scratch(self._new_config(tokenizer, speakers), judges, config.seed)
        start.add_speakers(speakers, config.seed)
        if held_out is None:
            train, held_out = draw_held_out(train, tokenizer, start.model.config, self.columns, config)
        return VitsTrainer(start, tokenizer, config, train, held_out, self.columns, self.dataset_name)

    def _new_config(self, tokenizer: VitsTokenizer, speakers: list[str]) -> VitsConfig:
        """That of a voice which is made for these speakers, as opposed to one that is widened for them."""
        fields = {"vocab_size": max(tokenizer.get_vocab().values()) + 1, **self.model_config}
        if speakers:
            fields |= {"num_speakers": len(speakers), "speaker_names": speakers}
        if len(speakers) > 1 and not fields.get("speaker_embedding_size"):
            fields["speaker_embedding_size"] = NEW_EMBEDDING_SIZE
        return VitsConfig(**fields)

    def _new_tokenizer(self, train, name: str | None) -> VitsTokenizer:
        if name is not None:
            return self._in_language(name)
        texts = (row[self.text_column] for row in rows_of(plain_rows(train, [self.text_column])))
        options = {**({"phoneme_language": self.language} if self.language else {}), **self.tokenizer_options}
        return tokenizer_of_texts((text for text in texts if isinstance(text, str)), **options)

    def _in_language(self, name: str) -> VitsTokenizer:
        """
        Loads a tokenizer whose phonemes are those of the run's language, if one is given.

        Raises:
            ValueError: for a language that espeak-ng does not have, or a voice that reads letters.
        """
        tokenizer = VitsTokenizer.from_pretrained(name)
        if self.language is None:
            return tokenizer
        if not tokenizer.phonemize:
            raise ValueError(
                f"`language` is {self.language!r}, but the voice {name} reads letters, which belong to its language. "
                "Leave `language` out, or begin with a voice that reads phonemes."
            )
        espeak.clauses("", self.language)  # raises if there is no such voice
        cleaner = "none" if tokenizer.cleaner == "english" else tokenizer.cleaner
        return VitsTokenizer.from_pretrained(
            name, language=self.language, phoneme_language=self.language, cleaner=cleaner
        )


def _checked_fields(name: str, kind: type, given: dict[str, Any], **assumed: Any) -> dict[str, Any]:
    """
    Check the fields of a configuration together with those that are assumed, and make whole numbers such as 2.0 so.

    Raises:
        ValueError: for a field that does not exist, or a value that the configuration refuses.
    """
    defaults = kind().to_dict()
    if unknown := [field for field in given if field not in defaults]:
        raise ValueError(_unknown(name, unknown, defaults))
    given = {field: _whole(value, defaults[field]) for field, value in given.items()}
    tried = {**given, **{field: value for field, value in assumed.items() if field not in given}}
    if given.get("num_speakers", 1) != 1 and not given.get("speaker_embedding_size"):
        tried["speaker_embedding_size"] = NEW_EMBEDDING_SIZE
    try:
        kind(**tried)
    except (ValueError, TypeError, StrictDataclassError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"`{name}` describes no possible configuration: {reason}") from error
    return given


def _whole(value: Any, default: Any) -> Any:
    """Convert a number, or lists of them, to integers where the default has integers and the value is one."""
    if isinstance(value, list) and isinstance(default, list | tuple) and default:
        return [_whole(item, default[0]) for item in value]
    return int(value) if type(default) is int and isinstance(value, float) and value.is_integer() else value


def _unknown(name: str, unknown: Iterable[str], known: Iterable[str]) -> str:
    known = sorted(known)
    told = ", ".join(f"{field!r}{nearest(field, known).rstrip('?')}" for field in unknown)
    return f"`{name}` holds what is no field: {told}. Known ones are {known}."
