"""Gives a voice other speakers than it has: renames, reorders and adds them, and never drops one.

A voice of one speaker has neither a table of speakers nor layers that see one. The layers it is given answer 0 to every
speaker, so that all sound as it did, and its table is random, as in a new model. The first step of training then moves
the layers, differently for each speaker, and every later one moves the table too. A table of zeros under random layers
would sound the same, but its speakers part much more slowly: each row leaves 0 at the pace of the learning rate.
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.weight_norm import NEW_V
from hf_vits.utils.config_validation import check_architecture

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NEW_EMBEDDING_SIZE = 256
"""Channels of a speaker vector in a voice that had none; those of the published voices of several speakers."""


def resize_speakers(model: "PreTrainedModel", names: Sequence[str], speaker_embedding_size: int | None = None) -> None:
    """
    Makes `names` the model's speakers, in that order; see [`VitsModel.resize_speakers`].

    Everything is checked before anything is changed.
    """
    rows = rows_of_names(names, model.config)
    config = _config_with(model.config, list(names), speaker_embedding_size)
    if model.config.num_speakers > 1:
        _replace_table(model.embed_speaker, rows)
    elif config.num_speakers > 1:
        _add_conditioning(model, config)
    model.config = config  # a copy: another model may have been built from the old one


def rows_of_names(names: Sequence[str], config: VitsConfig) -> list[int | None]:
    """
    For each name the number of the speaker who bears it from now on; `None` is a new one.

    Raises:
        ValueError: if there are no names, one is empty or repeated, or a speaker would be lost; says which.
    """
    _check_names(names)
    count, old = config.num_speakers, list(config.speaker_names or [None] * config.num_speakers)
    rows = []
    for place, name in enumerate(names):
        renamed = place if place < count and old[place] not in names else None
        rows.append(old.index(name) if name in old else renamed)
    lost = [f"{number} ({old[number]!r})" if old[number] else str(number) for number in range(count)]
    lost = [who for number, who in enumerate(lost) if number not in rows]
    if lost:
        raise ValueError(
            f"The names {list(names)} would lose speaker(s) {', '.join(lost)} of {count}, and no speaker is ever "
            "dropped. Name every speaker that there is: by its name anywhere, or by another name in its place."
        )
    return rows


def _check_names(names: Sequence[str]) -> None:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"`names` is {names!r}; give a list with the name (str) of every speaker.")
    if not names or not all(name.strip() for name in names):
        raise ValueError(f"`names` is {list(names)}; give one speaker at least, and no empty name.")
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated:
        raise ValueError(f"`names` repeats {repeated}; names must differ.")


def _config_with(config: VitsConfig, names: list[str], speaker_embedding_size: int | None) -> VitsConfig:
    """A copy of the configuration, with these speakers."""
    size, several = config.speaker_embedding_size, len(names) > 1
    if several and config.num_speakers == 1 and size:
        raise ValueError(
            f"This voice takes speaker vectors of {size} channels from outside and has no table of speakers, so "
            f"{len(names)} names would have no vectors. It can be given one name; widen a voice without vectors."
        )
    if size and speaker_embedding_size not in (None, size):
        raise ValueError(
            f"`speaker_embedding_size` is {speaker_embedding_size}, but this voice has speaker vectors of {size} "
            "channels, which stay as they are; leave it out."
        )
    config = copy.deepcopy(config)
    if several and not size:
        config.speaker_embedding_size = NEW_EMBEDDING_SIZE if speaker_embedding_size is None else speaker_embedding_size
    config.num_speakers, config.speaker_names = len(names), names
    check_architecture(config)
    return config


@torch.no_grad()
def _replace_table(table: nn.Embedding, rows: list[int | None]) -> None:
    """Row i becomes the old row `rows[i]`, or the mean of all, from where the first step leads each new one its way."""
    old = table.weight
    mean = old.float().mean(dim=0).to(old.dtype)
    new = torch.stack([mean if row is None else old[row] for row in rows])
    table.weight = nn.Parameter(new, requires_grad=old.requires_grad)
    table.num_embeddings = len(rows)


def _add_conditioning(model: "PreTrainedModel", config: VitsConfig) -> None:
    """Adds every layer that a model of this configuration has and this one lacks."""
    parts = dict(model.named_modules())
    with torch.device("meta"):
        wanted = type(model)(config)
    for path, pattern in wanted.named_modules():
        part = parts.get(path)
        new = {
            name: _started(layer.to(model.dtype).to_empty(device=model.device)).train(model.training)
            for name, layer in pattern.named_children()
            if part is not None and not hasattr(part, name) and isinstance(layer, nn.Conv1d | nn.Embedding)
        }
        if new:
            _insert(part, new, order=[name for name, _ in pattern.named_children()])


def _insert(part: nn.Module, new: dict[str, nn.Module], order: list[str]) -> None:
    """Adds children in their places: optimizers know parameters by their order, which a reloaded model must share."""
    children = {**dict(part.named_children()), **new}
    for name in [name for name in order if name in children]:
        if name not in new:
            delattr(part, name)
        setattr(part, name, children[name])


def _started(layer: nn.Conv1d | nn.Embedding) -> nn.Module:
    """A random table, or a convolution that answers 0; under weight norm its length is 0 and its direction random."""
    for name, parameter in layer.named_parameters():
        if isinstance(layer, nn.Embedding):
            nn.init.normal_(parameter)
        elif "." + name == NEW_V:
            nn.init.kaiming_uniform_(parameter, a=5**0.5)  # as any convolution starts
        else:
            nn.init.zeros_(parameter)
    return layer
