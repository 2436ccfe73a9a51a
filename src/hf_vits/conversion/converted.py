"""What a reader returns: a voice of another project in our terms, whole and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizer

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.card import card
from hf_vits.conversion.checkpoint import check_tensors, separate
from hf_vits.conversion.description import stored_as_float32
from hf_vits.conversion.discriminators import ConvertedDiscriminator
from hf_vits.conversion.judge_files import SUBFOLDER
from hf_vits.folders import destination, new_folder
from hf_vits.modeling_vits import VitsModel
from hf_vits.origin import CARD, Origin
from hf_vits.quiet import no_progress_bar
from hf_vits.weights import match_state_dict


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
    origin: Origin | None = None

    def __post_init__(self):
        """Checks the weights and brings them to the spelling of a fresh model, in float32."""
        check_tensors(self.state_dict)
        notes = stored_as_float32(str(tensor.dtype).removeprefix("torch.") for tensor in self.state_dict.values())
        whole = {key: tensor.float() for key, tensor in self.state_dict.items()}  # before anything is folded
        matched = separate(match_state_dict(whole, _skeleton(self.config)[1], "the file to convert", foreign=True))
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
