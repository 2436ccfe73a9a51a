"""Models and tokenizers that a run starts from: new ones, and trained ones that may lack parts only training uses."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from transformers.utils import cached_file

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.discriminators import INSIDE_MODEL, convert_discriminator, generator_tensors
from hf_vits.conversion.resolve import resolve_voice
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.hub.license import Provenance, inherit_license, origin_of
from hf_vits.hub.state_dict import read_state_dict
from hf_vits.modeling_vits import VitsModel, add_training_modules
from hf_vits.text.espeak_chunks import EspeakError
from hf_vits.text.frontend import FrontEnd
from hf_vits.text.offsets import TextWithOffsets
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.checkpoints import DISCRIMINATOR

logger = logging.getLogger(__name__)

BLANK = "_"
"""Token with id 0 of a vocabulary made from texts."""


@dataclass
class ModelInitialization:
    """
    Generator and discriminator at the start of a run, and which of their parameters are newly initialized.

    Args:
        model ([`VitsModel`]):
            The complete generator.
        discriminator ([`VitsDiscriminator`]):
            The discriminator.
        new_parameters (`frozenset[str]`):
            Names of the generator's parameters that were initialized because the model lacked them; they are trained
            before the others. Empty if all are new.
        new_discriminator (`bool`):
            Whether a trained generator got a new discriminator, which is trained first too.
        provenance ([`Provenance`], *optional*):
            Where the model came from; `None` if all of it is new.
        completion (`Callable[[], VitsModel]`, *optional*):
            Returns a copy of the model in which the new parameters are trained; [`VitsTrainer`] calls it when the data
            is checked, because it may take an hour.
    """

    model: VitsModel
    discriminator: VitsDiscriminator
    new_parameters: frozenset[str] = field(default_factory=frozenset)
    new_discriminator: bool = False
    provenance: Provenance | None = field(default_factory=Provenance)
    completion: Callable[[], VitsModel] | None = None

    @classmethod
    def of(
        cls, model: "ModelInitialization | VitsModel | str | Path", discriminator: VitsDiscriminatorConfig, seed: int
    ) -> "ModelInitialization":
        """Return a `ModelInitialization` as it is, or make one of a model, a folder or a name on the Hub, with a new
        discriminator of the given configuration if it has none."""
        if isinstance(model, ModelInitialization):
            return model
        if isinstance(model, VitsModel):
            return cls.from_model(model, discriminator, seed)
        return cls.from_pretrained(str(model), config=discriminator, seed=seed)

    @classmethod
    def from_scratch(
        cls, config: VitsConfig, discriminator: VitsDiscriminatorConfig | None = None, seed: int = 0
    ) -> "ModelInitialization":
        """Initialize a new model as the original does; all of it is trained from the first step."""
        with seeded(seed):
            new_discriminator = VitsDiscriminator(discriminator or VitsDiscriminatorConfig())
            return cls(VitsModel(config), new_discriminator, provenance=None)

    @classmethod
    def from_model(
        cls,
        model: VitsModel,
        discriminator: VitsDiscriminator | VitsDiscriminatorConfig | None = None,
        seed: int = 0,
    ) -> "ModelInitialization":
        """
        Start from a trained model. Parts that it lacks are initialized; a discriminator is new if only its
        configuration is given.

        A model in half precision is trained, and then saved, in float32.
        """
        with seeded(seed):
            complete, new_parameters = add_training_modules(model.float())
            is_new = not isinstance(discriminator, VitsDiscriminator)
            if is_new:
                discriminator = VitsDiscriminator(discriminator or VitsDiscriminatorConfig())
        provenance = inherit_license(origin_of(str(model.name_or_path or "")))
        return cls(complete, discriminator.float(), new_parameters, is_new, provenance)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str,
        discriminator: str | None = None,
        config: VitsDiscriminatorConfig | None = None,
        seed: int = 0,
    ) -> "ModelInitialization":
        """
        Load a model from a folder or the Hub, with its discriminator if it has one.

        Args:
            name_or_path (`str`):
                The model, by any name that [`resolve_voice`] takes: `"default"` is [`default_voice`].
            discriminator (`str`, *optional*):
                Its discriminator, if that is not with the model: a folder, or an original `D_*.pth`.
            config ([`VitsDiscriminatorConfig`], *optional*):
                Configuration of a new discriminator, if there is none.
            seed (`int`, *optional*, defaults to 0):
                Seed of the newly initialized parameters.
        """
        path = resolve_voice(name_or_path)
        model = VitsModel.from_pretrained(path, state_dict=generator_tensors(path))
        loaded = convert_discriminator(discriminator) if discriminator else load_discriminator(path)
        return cls.from_model(model, loaded or config, seed)

    def add_speakers(self, names: Sequence[str], seed: int = 0) -> None:
        """
        Add the speakers that the model lacks; `seed` initializes their embeddings.

        Several speakers without names are known by their numbers; the first new name replaces a single one without.
        """
        config = self.model.config
        numbers = [str(number) for number in range(config.num_speakers)] if config.num_speakers > 1 else []
        known = list(config.speaker_names or numbers)
        if new := [name for name in names if name not in known]:
            with seeded(seed):
                self.model.resize_speakers([*known, *new])

    def complete(self) -> None:
        """Take the newly initialized parameters from the model that `completion` returns, if there is one."""
        if self.completion is None:
            return
        completed, self.completion = self.completion(), None
        with torch.no_grad():
            for name in self.new_parameters:
                self.model.get_parameter(name).copy_(completed.get_parameter(name))
        if self.provenance is not None:
            modules = sorted({name.split(".")[0] for name in self.new_parameters})
            self.provenance = replace(self.provenance, completed=modules)
        self.new_parameters = frozenset()

    @property
    def new_modules(self) -> list[str]:
        """The modules that are trained before the rest, because the model lacked them in whole or in part."""
        names = sorted({name.split(".")[0] for name in self.new_parameters})
        return [*names, *(["discriminator"] if self.new_discriminator else [])]

    def warn_of_new_modules(self, new_module_steps: int) -> None:
        """Name in a warning what a trained model lacks, and say how that is trained."""
        if not (new := self.new_modules):
            return
        how = (
            f"trained before the rest, for {new_module_steps:,} steps"
            if new_module_steps
            else "trained with the rest from the first step, because `new_module_steps` is 0"
        )
        advice = (
            " `complete_base` trains modules on the voice's own speech before the run." if self.new_parameters else ""
        )
        logger.warning(f"The model lacks all or part of {', '.join(new)}: newly initialized, and {how}.{advice}")


def load_discriminator(path: str) -> VitsDiscriminator | None:
    """Load the discriminator of a model, from its own folder or from among the model's tensors; `None` without one."""
    if cached_file(path, f"{DISCRIMINATOR}/config.json", _raise_exceptions_for_missing_entries=False):
        return VitsDiscriminator.from_pretrained(path, subfolder=DISCRIMINATOR)
    if any(name.startswith(INSIDE_MODEL) for name in read_state_dict(path)):
        return convert_discriminator(Path(cached_file(path, "config.json")).parent)
    return None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed PyTorch's random numbers on the CPU inside the block, and restore their state after it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def tokenizer_of(model: VitsModel) -> VitsTokenizer:
    """Load the tokenizer beside a model; raise `ValueError` if the model was not loaded from anywhere."""
    if not model.name_or_path:
        raise ValueError("The model was not loaded from a folder or the Hub: give its tokenizer as `processing_class`.")
    return VitsTokenizer.from_pretrained(model.name_or_path)


def build_tokenizer(texts: Iterable[str], min_count: int = 1, **options: Any) -> VitsTokenizer:
    """
    Make a tokenizer whose vocabulary is that of the texts.

    Args:
        texts (`Iterable[str]`):
            All texts of the data.
        min_count (`int`, *optional*, defaults to 1):
            Occurrences from which on a token enters the vocabulary; a model learns little from fewer.
        options:
            Options of the front end, as of [`VitsTokenizer`]: phonemize, language, phoneme_language, is_uroman, …

    Raises:
        ValueError: if the texts hold no token, or for an option that does not exist.
    """
    if unknown := sorted(options.keys() - {item.name for item in fields(FrontEnd)}):
        known = [item.name for item in fields(FrontEnd)]
        raise ValueError(f"There are no tokenizer options {unknown}; known ones are {known}.")
    front_end = FrontEnd(**options)
    counts = Counter()
    for text in texts:
        try:
            counts.update(front_end.tokens(TextWithOffsets.original(text, False)).text)
        except EspeakError as error:  # its clip is dropped later, and the others need their tokens
            logger.warning(f"A text adds nothing to the vocabulary: {error}")
    kept = sorted(token for token, count in counts.items() if count >= min_count and token != BLANK)
    if not kept:
        raise ValueError("The texts hold no token; is the text column the right one?")
    vocabulary = {token: index for index, token in enumerate([BLANK, *kept])}
    return VitsTokenizer.from_vocab(vocabulary, pad_token=BLANK, blank_token=BLANK, **options)
