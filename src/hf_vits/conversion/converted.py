"""What a reader returns: a voice of another project in our terms, whole and checked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizer

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.checkpoint import check_tensors, copied
from hf_vits.conversion.discriminators import SUBFOLDER, ConvertedDiscriminator
from hf_vits.conversion.source import Source
from hf_vits.hub.cards import card
from hf_vits.hub.license import CARD, Provenance, inherit_license, origin_beside
from hf_vits.hub.state_dict import match_state_dict
from hf_vits.modeling_vits import VitsModel
from hf_vits.utils.atomic_folder import destination, new_folder
from hf_vits.utils.logging import no_progress_bar


def stored_as_float32(types: Iterable[str]) -> tuple[str, ...]:
    """A note on weights that were of another type."""
    others = sorted(set(types) - {"float32"})
    return (f"Stored as float32: weights of the type {', '.join(others)}.",) if others else ()


def described(kind: str, config: VitsConfig, state_dict: Mapping[str, Tensor], symbols: str = "") -> str:
    """
    Args:
        kind (`str`):
            The beginning of the line, such as "A Piper voice".
        config (`VitsConfig`):
            The architecture.
        state_dict (`Mapping[str, Tensor]`):
            The weights.
        symbols (`str`, *optional*):
            Number and kind of its symbols, where they are not as many as the embedding has rows.
    """
    speakers = "1 speaker" if config.num_speakers == 1 else f"{config.num_speakers} speakers"
    languages = f", {config.num_languages} languages" if config.num_languages > 1 else ""
    durations = "stochastic" if config.use_stochastic_duration_prediction else "plain"
    millions = sum(tensor.numel() for tensor in state_dict.values()) / 1e6
    return (
        f"{kind}: {config.sampling_rate:,} Hz, {speakers}{languages}, {symbols or f'{config.vocab_size} symbols'}, "
        f"{millions:.3g} million parameters; text encoder of {config.num_hidden_layers} layers and {config.text_size} "
        f"channels, {durations} duration predictor, {config.prior_encoder_num_flows} couplings, "
        f"{config.decoder_config.describe()}."
    )


@dataclass(frozen=True)
class Converted:
    """
    A voice of another project in our terms. Making one checks it: its weights are exactly those of its configuration.

    Args:
        config (`VitsConfig`):
            The architecture and the defaults of a call.
        state_dict (`Mapping[str, Tensor]`):
            The weights under our names, each layer's weight norm spelt in any of the three known ways.
        tokenizer (`PreTrainedTokenizer`, *optional*):
            The voice's text front end; `None` if the source says nothing of one.
        notes (`tuple[str, ...]`, *optional*):
            What was left out or decided on the way, in words.
        discriminator ([`~conversion.discriminators.ConvertedDiscriminator`], *optional*):
            What the voice was trained against; with it, training goes on at once.
        origin ([`~origin.Origin`], *optional*):
            Under what licence it stands and what it was made from, where the format or its card tells.

    Raises:
        ValueError: if a tensor is missing, left over, of another shape or kind, or not finite.
    """

    config: VitsConfig
    state_dict: Mapping[str, Tensor]
    tokenizer: PreTrainedTokenizer | None = None
    notes: tuple[str, ...] = ()
    discriminator: ConvertedDiscriminator | None = None
    origin: Provenance | None = None

    def __post_init__(self):
        """Checks the weights and brings them to the spelling of a fresh model, in float32."""
        check_tensors(self.state_dict)
        notes = stored_as_float32(str(tensor.dtype).removeprefix("torch.") for tensor in self.state_dict.values())
        whole = {key: tensor.float() for key, tensor in self.state_dict.items()}  # before anything is folded
        matched = copied(match_state_dict(whole, _skeleton(self.config)[1], "the file to convert", foreign=True))
        object.__setattr__(self, "state_dict", matched)
        object.__setattr__(self, "notes", (*self.notes, *notes))

    def model(self) -> VitsModel:
        """The voice, ready to speak; its parameters share memory with `state_dict`."""
        model, _ = _skeleton(self.config)
        model.load_state_dict(self.state_dict, strict=True, assign=True)
        return model.eval()

    def save(self, directory: str | Path, overwrite: bool = False) -> Path:
        """
        Writes config.json, model.safetensors, the tokenizer's files and a card; `from_pretrained` reads the folder.

        Discriminators go into the folder `discriminator` in it, where training looks for them. All files are written
        elsewhere first and put in place in one step: the folder is whole or not there. Only an empty folder that is
        there already stays itself and is filled file by file, config.json last.

        Args:
            directory (`str` or `Path`):
                The folder to make; its parents are made as well.
            overwrite (`bool`, *optional*, defaults to `False`):
                Whether a folder that is not empty may be replaced, with everything in it.

        Raises:
            FileExistsError: if `directory` is a file, or holds anything and `overwrite` is not set.
            ValueError: if it is empty, or would replace the current folder.
        """
        directory = destination(directory)
        with new_folder(directory, overwrite) as staged:
            with no_progress_bar():
                self.model().save_pretrained(staged)
                if self.discriminator is not None:
                    self.discriminator.model().save_pretrained(staged / SUBFOLDER)
            if self.tokenizer is not None:
                self.tokenizer.save_pretrained(staged)
            card(directory.name, self.origin, self.tokenizer, self.notes).save(staged / CARD)
        return directory


def _skeleton(config: VitsConfig) -> tuple[VitsModel, dict[str, torch.Size]]:
    """A model without memory for its weights, and their shapes."""
    with torch.device("meta"):
        model = VitsModel(config)
    return model, {key: tensor.shape for key, tensor in model.state_dict().items()}


def licence_beside(source: Source) -> tuple[Provenance | None, tuple[str, ...]]:
    """What the card beside a voice says, which exports from here have and voices on the Hub may have; and a note."""
    origin = origin_beside(source.path if source.path.is_dir() else source.path.parent)
    if origin is None:
        return None, ()
    origin = inherit_license(origin)
    return origin, licence_note(origin)


def licence_note(origin: Provenance) -> tuple[str, ...]:
    """One line on a licence that is known."""
    if not origin.license:
        return ()
    forbidden = " Nothing made from it may be used commercially." if origin.is_non_commercial else ""
    return (f"Its licence, by its card or name: {origin.license_in_words}.{forbidden}",)


def trainable(config: VitsConfig, judges: ConvertedDiscriminator | None, kept_in: str = "") -> tuple[str, ...]:
    """Notes on what training finds; `kept_in`, such as "D_*.pth", is where the format has its discriminators."""
    said = () if judges is None else judges.notes
    if config.inference_only:
        return "It can speak but not be trained as it is: there is no posterior encoder in it.", *said
    if judges is None:
        without = "Without discriminators" + (f" ({kept_in})" if kept_in else "")
        return (f"{without}: training makes new ones, and trains them first.",)
    return "With its discriminators: training can go on at once.", *said
