"""Checks of the discriminators a model was trained with: where they are, and whether training can go on with them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from hf_vits.conversion.discriminators import GENERATOR, RULES, SUBFOLDER, infer_config
from hf_vits.conversion.key_mapping import translate
from hf_vits.conversion.schema import inspect_json
from hf_vits.discriminators.modeling_discriminator import FIELDS, VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.doctor.check_weights import diagnose_values
from hf_vits.doctor.diagnostics import Diagnostic, error, note
from hf_vits.doctor.fixes import ExtractDiscriminator, SaveCopy, resave
from hf_vits.doctor.model_folder import REFETCH, Discriminators, ModelFolder
from hf_vits.doctor.shape_match import INVALID
from hf_vits.hub.state_dict import match_state_dict
from hf_vits.utils.meta_device import skeleton

MAX_LAYERS = 50
"""Sub-discriminators, or layers of one, beyond which a configuration is damaged."""

NOT_IN_SHAPES = {"discriminator_periods": "periods", "discriminator_stride": "period_stride"}
"""Fields of finetune-hf-vits' config.json that shapes do not determine, and ours."""

REPLACE = "Remove them to train with new ones, or use those of another checkpoint."


def check_discriminators(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check that they can be read, their shapes and values, and whether training finds them."""
    discriminators = folder.discriminators
    if discriminators is None:
        return
    where, name = discriminators.where, discriminators.name
    if problems := discriminators.tensors.problems:
        message = f"The discriminators in {name} cannot be read. {' '.join(f'{problem.text}.' for problem in problems)}"
        causes = sorted({problem.kind for problem in problems})
        yield error("discriminator.unreadable", message, f"{REFETCH} {REPLACE}", causes=causes)
        return
    try:
        _match(folder, discriminators)
    except INVALID as problem:
        message = f"The discriminators ({name}) cannot be used. {str(problem.__cause__ or problem)[:500]}"
        yield error("discriminator.mismatch", message, REPLACE)
        return
    for found in diagnose_values(discriminators.tensors):
        id, message = found.id.replace("values.", "discriminator."), f"In the discriminators ({name}): {found.message}"
        yield replace(found, id=id, message=message, advice=REPLACE)
    if where == "inside":
        message = (
            "The file of weights holds discriminators too, as finetune-hf-vits writes it. `VitsModel.from_pretrained` "
            "rejects it, and transformers warns of them; training starts from it as it is."
        )
        fix = resave(folder.path, SaveCopy(split_discriminator=True))
        yield error("discriminator.in_model_file", message, "Save them in a folder of their own.", **fix)
    if where == "beside":
        message = f"The discriminators are in {name} beside the model, where training does not look for them."
        yield note("discriminator.beside_model", message, f"Move them to {SUBFOLDER}/.", fix=ExtractDiscriminator())


def _match(folder: ModelFolder, discriminators: Discriminators) -> None:
    """Raise `ValueError`, or another of `INVALID`, for tensors that are not those of the configuration."""
    tensors = {name: torch.empty(shape, device="meta") for name, shape in discriminators.tensors.shapes.items()}
    if discriminators.where == "folder":
        config = _read_config(folder.path / SUBFOLDER)
    else:
        tensors, _ = translate(tensors, RULES, [(GENERATOR, "part of the generator")], "VITS discriminator")
        given = {ours: folder.raw[theirs] for theirs, ours in NOT_IN_SHAPES.items() if folder.raw.get(theirs)}
        config, _ = infer_config({name: tensor.shape for name, tensor in tensors.items()}, given)
    if len(config.sub_discriminators) > MAX_LAYERS or len(config.period_channels) > MAX_LAYERS:
        raise ValueError(f"Its configuration asks for more than {MAX_LAYERS} sub-discriminators or layers of one.")
    shapes = {name: tensor.shape for name, tensor in skeleton(VitsDiscriminator, config).state_dict().items()}
    match_state_dict(tensors, shapes, discriminators.name)


def _read_config(folder: Path) -> VitsDiscriminatorConfig:
    file = inspect_json(folder / "config.json")
    if file.table is None:
        raise ValueError(f"{file.problem or 'There is no config.json beside them'}.")
    return VitsDiscriminatorConfig(**{name: file.table[name] for name in FIELDS if name in file.table})
