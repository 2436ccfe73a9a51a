"""Change the speakers of a model: rename, reorder and add them, and never drop one.

A model of one speaker has neither a speaker embedding nor conditioning layers. The new layers start with weights of 0,
so that all speakers equal the old one, and the new embedding is random, as in a new model. The first training step then
changes the layers, and every later one the embedding too. An embedding of zeros with random layers would start with the
same output, but its speakers diverge much more slowly: each row leaves 0 at the pace of the learning rate.
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.weight_norm import NEW_V
from hf_vits.utils.config_validation import check_architecture
from hf_vits.utils.meta_device import skeleton

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NEW_EMBEDDING_SIZE = 256
"""Channels of a new speaker embedding; those of the published models of several speakers."""


def resize_speakers(model: "PreTrainedModel", names: Sequence[str], speaker_embedding_size: int | None = None) -> None:
    """
    Make `names` the model's speakers, in that order; see [`VitsModel.resize_speakers`].

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
    Return for each name the id of the existing speaker that gets it, or `None` for a new speaker.

    Raises:
        ValueError: if there are no names, one is empty or repeated, or a speaker would be dropped.
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
            "dropped. Name every existing speaker: by its name at any position, or by a new name at its position."
        )
    return rows


def _check_names(names: Sequence[str]) -> None:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"`names` is {names!r}; give a list with the name (str) of every speaker.")
    if not names or not all(name.strip() for name in names):
        raise ValueError(f"`names` is {list(names)}; give at least one speaker, and no empty name.")
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated:
        raise ValueError(f"`names` repeats {repeated}; names must differ.")


def _config_with(config: VitsConfig, names: list[str], speaker_embedding_size: int | None) -> VitsConfig:
    """Return a copy of the configuration with these speakers."""
    size, several = config.speaker_embedding_size, len(names) > 1
    if several and config.num_speakers == 1 and size:
        raise ValueError(
            f"This model takes speaker vectors of {size} channels as input and has no speaker embedding, so "
            f"{len(names)} names would have no vectors. Give it one name, or extend a model without speaker vectors."
        )
    if size and speaker_embedding_size not in (None, size):
        raise ValueError(
            f"`speaker_embedding_size` is {speaker_embedding_size}, but this model has speaker vectors of {size} "
            "channels, which do not change; leave it out."
        )
    config = copy.deepcopy(config)
    if several and not size:
        config.speaker_embedding_size = NEW_EMBEDDING_SIZE if speaker_embedding_size is None else speaker_embedding_size
    config.num_speakers, config.speaker_names = len(names), names
    check_architecture(config)
    return config


@torch.no_grad()
def _replace_table(table: nn.Embedding, rows: list[int | None]) -> None:
    """Replace row i by the old row `rows[i]`, or by the mean of all for a new speaker."""
    old = table.weight
    mean = old.float().mean(dim=0).to(old.dtype)
    new = torch.stack([mean if row is None else old[row] for row in rows])
    table.weight = nn.Parameter(new, requires_grad=old.requires_grad)
    table.num_embeddings = len(rows)


def _add_conditioning(model: "PreTrainedModel", config: VitsConfig) -> None:
    """Add every layer that a model of this configuration has and this one lacks."""
    parts = dict(model.named_modules())
    wanted = skeleton(type(model), config)
    for path, pattern in wanted.named_modules():
        part = parts.get(path)
        new = {
            name: _initialized(layer.to(model.dtype).to_empty(device=model.device)).train(model.training)
            for name, layer in pattern.named_children()
            if part is not None and not hasattr(part, name) and isinstance(layer, nn.Conv1d | nn.Embedding)
        }
        if new:
            _insert(part, new, order=[name for name, _ in pattern.named_children()])


def _insert(part: nn.Module, new: dict[str, nn.Module], order: list[str]) -> None:
    """Add children in order: optimizers identify parameters by their order, which a reloaded model must share."""
    children = {**dict(part.named_children()), **new}
    for name in [name for name in order if name in children]:
        if name not in new:
            delattr(part, name)
        setattr(part, name, children[name])


def _initialized(layer: nn.Conv1d | nn.Embedding) -> nn.Module:
    """Initialize an embedding randomly, a convolution to output 0; with weight norm, g is 0 and v random."""
    for name, parameter in layer.named_parameters():
        if isinstance(layer, nn.Embedding):
            nn.init.normal_(parameter)
        elif "." + name == NEW_V:
            nn.init.kaiming_uniform_(parameter, a=5**0.5)  # as in nn.Conv1d
        else:
            nn.init.zeros_(parameter)
    return layer
