"""What a run starts from: a new voice, a whole one, or one that lacks parts and gets them fresh."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from transformers.utils import cached_file

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.discriminators import INSIDE_VOICE, convert_discriminator, generator_tensors
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


@dataclass
class ModelInitialization:
    """
    Args:
        model ([`VitsModel`]):
            The whole generator.
        discriminator ([`VitsDiscriminator`]):
            Its judges.
        fresh (`frozenset[str]`):
            Names of the generator's parameters that were initialised because the voice lacked them; these are trained
            first. Empty if all were.
        fresh_discriminator (`bool`):
            Whether the judges are new to a voice that is not.
        origin ([`Origin`], *optional*):
            Where the voice came from; `None` if it is new.
    """

    model: VitsModel
    discriminator: VitsDiscriminator
    fresh: frozenset[str] = field(default_factory=frozenset)
    fresh_discriminator: bool = False
    origin: Provenance | None = field(default_factory=Provenance)

    @classmethod
    def from_scratch(
        cls, config: VitsConfig, discriminator: VitsDiscriminatorConfig | None = None, seed: int = 0
    ) -> "ModelInitialization":
        """A new voice, initialised as in the original; all of it is trained from the first step."""
        with seeded(seed):
            judges = VitsDiscriminator(discriminator or VitsDiscriminatorConfig())
            return cls(VitsModel(config), judges, origin=None)

    @classmethod
    def from_voice(
        cls,
        model: VitsModel,
        discriminator: VitsDiscriminator | VitsDiscriminatorConfig | None = None,
        seed: int = 0,
    ) -> "ModelInitialization":
        """A trained voice. What it lacks is initialised, and said in one line; new judges have the given shape.

        One that is stored in half precision is trained, and then saved, in float32.
        """
        with seeded(seed):
            whole, fresh = add_training_modules(model.float())
            is_new = not isinstance(discriminator, VitsDiscriminator)
            judges = VitsDiscriminator(discriminator or VitsDiscriminatorConfig()) if is_new else discriminator.float()
        new = [*model.missing_for_training(), *(["discriminator"] if is_new else [])]
        if new:
            logger.warning(f"The voice has no {', '.join(new)}: initialised, and trained before the rest.")
        return cls(whole, judges, fresh, is_new, inherit_license(origin_of(str(model.name_or_path or ""))))

    @classmethod
    def load(
        cls,
        name_or_path: str,
        discriminator: str | None = None,
        config: VitsDiscriminatorConfig | None = None,
        seed: int = 0,
    ) -> "ModelInitialization":
        """
        A voice by folder or name on the Hub, with its judges if it has any.

        Args:
            name_or_path (`str`):
                The voice, by any name that [`resolve_voice`] takes: `"default"` is [`default_voice`].
            discriminator (`str`, *optional*):
                Where its judges are, if not with the voice: a folder, or an original `D_*.pth`.
            config ([`VitsDiscriminatorConfig`], *optional*):
                Of new judges, if there are none.
            seed (`int`, *optional*, defaults to 0):
                Of whatever is new.
        """
        path = resolve_voice(name_or_path)
        model = VitsModel.from_pretrained(path, state_dict=generator_tensors(path))
        judges = convert_discriminator(discriminator) if discriminator else judges_of(path)
        return cls.from_voice(model, judges or config, seed)

    def add_speakers(self, names: Sequence[str], seed: int = 0) -> None:
        """
        Makes the voice one of these speakers too; `seed` is that of what is new.

        Several speakers without names are known by their numbers; one without a name is taken over by the first.
        """
        config = self.model.config
        numbers = [str(number) for number in range(config.num_speakers)] if config.num_speakers > 1 else []
        known = list(config.speaker_names or numbers)
        new = [name for name in names if name not in known]
        if new:
            with seeded(seed):
                self.model.resize_speakers([*known, *new])

    @property
    def has_fresh_parts(self) -> bool:
        """Whether some parts must be trained before the rest."""
        return bool(self.fresh) or self.fresh_discriminator


def judges_of(path: str) -> VitsDiscriminator | None:
    """The judges that are stored with a voice, in a folder of their own or among its tensors."""
    if cached_file(path, f"{DISCRIMINATOR}/config.json", _raise_exceptions_for_missing_entries=False):
        return VitsDiscriminator.from_pretrained(path, subfolder=DISCRIMINATOR)
    if any(name.startswith(INSIDE_VOICE) for name in read_state_dict(path)):
        return convert_discriminator(Path(cached_file(path, "config.json")).parent)
    return None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it, PyTorch's own randomness on the CPU has this seed; after it, it is what it was before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


BLANK = "_"
"""Stands at id 0."""


def tokenizer_of_texts(texts: Iterable[str], least: int = 1, **options: Any) -> VitsTokenizer:
    """
    A tokenizer whose vocabulary is that of the texts.

    Args:
        texts (`Iterable[str]`):
            All texts of the data.
        least (`int`, *optional*, defaults to 1):
            How often a symbol must stand in them to be taken up; a voice learns little from fewer.
        options:
            Of the front end, as [`VitsTokenizer`] has them: phonemize, language, phoneme_language, is_uroman, …

    Raises:
        ValueError: if the texts hold no symbol, or for an option that does not exist.
    """
    if unknown := sorted(options.keys() - {item.name for item in fields(FrontEnd)}):
        known = [item.name for item in fields(FrontEnd)]
        raise ValueError(f"There are no tokenizer options {unknown}; known ones are {known}.")
    front_end = FrontEnd(**options)
    symbols = Counter()
    for text in texts:
        try:
            symbols.update(front_end.tokens(TextWithOffsets.original(text, False)).text)
        except EspeakError as error:  # its clip is dropped later, and the others need their symbols
            logger.warning(f"A text has no part in the vocabulary: {error}")
    kept = sorted(symbol for symbol, count in symbols.items() if count >= least and symbol != BLANK)
    if not kept:
        raise ValueError("The texts hold no symbol; is the text column the right one?")
    return VitsTokenizer.from_vocab(
        {symbol: index for index, symbol in enumerate([BLANK, *kept])}, pad_token=BLANK, blank_token=BLANK, **options
    )
