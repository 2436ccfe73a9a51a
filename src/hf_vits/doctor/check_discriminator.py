"""The discriminators that a voice was trained against: where they are, and whether training can go on with them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from hf_vits.conversion.discriminators import INSIDE_VOICE, RULES, SECOND_MODEL, SUBFOLDER, VOICE, infer_config
from hf_vits.conversion.key_mapping import translate
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.doctor.expected_shapes import CANNOT_BE
from hf_vits.doctor.findings import Diagnostic, error, note
from hf_vits.doctor.fixes import judges_moved, without_judges
from hf_vits.doctor.readers import exists, read_json
from hf_vits.doctor.voice_folder import AGAIN, Folder, Tensors, read_one, read_tensors
from hf_vits.doctor.weights import check_values
from hf_vits.hub.state_dict import match_state_dict
from hf_vits.utils.files import obstacle

MOST_JUDGES = 50

TOLD = {"discriminator_periods": "periods", "discriminator_stride": "period_stride"}
"""What finetune-hf-vits writes into config.json and shapes do not tell."""

WITHOUT = "Remove them to train with new ones, or take those of another checkpoint."


@dataclass(frozen=True)
class Judges:
    """Discriminators in a `"folder"` of their own, `"inside"` the voice's file or in a file `"beside"` it."""

    where: str
    tensors: Tensors


def read_judges(path: Path, tensors: Tensors | None) -> tuple[Judges | None, list[Diagnostic]]:
    """The judges of a folder, `None` if there are none that can be read, and why they cannot."""
    if exists(path / SUBFOLDER):
        if (path / SUBFOLDER).is_dir():
            found, problems = read_tensors(path / SUBFOLDER)
            return _or_problem("folder", f"{SUBFOLDER}/", found, problems)
        return None, [
            error(
                "judges.unreadable",
                f"{SUBFOLDER} {obstacle(path / SUBFOLDER) or 'is a file'}; it must be a folder.",
                WITHOUT,
            )
        ]
    if beside := next((path / name for name in SECOND_MODEL if exists(path / name)), None):
        found, problems = read_one(beside)
        return _or_problem("beside", beside.name, found, problems)
    if tensors is not None and (inside := tensors.only(INSIDE_VOICE)).shapes:
        return Judges("inside", inside), []
    return None, []


def check_judges(folder: Folder, judges: Judges | None) -> Iterator[Diagnostic]:
    """Whether they fit their configuration, and what must be done to train on with them."""
    if judges is None:
        return
    try:
        _check(folder, judges)
    except CANNOT_BE as problem:
        text = f"The discriminators ({_place(judges)}) cannot be used. {str(problem.__cause__ or problem)[:500]}"
        yield error("judges.misfit", text, WITHOUT)
        return
    for found in check_values(folder, judges.tensors):
        text = f"In the discriminators ({_place(judges)}): {found.text}"
        yield Diagnostic(found.id.replace("values.", "judges."), found.severity, text, WITHOUT, None, found.facts)
    if judges.where == "inside":
        text = (
            "The voice's file holds its discriminators, as finetune-hf-vits writes it. `VitsModel.from_pretrained` "
            "refuses it, and stock transformers warns of them; training starts from it as it is."
        )
        mend = "Save the voice without them, and them in a folder of their own."
        yield error("judges.inside", text, mend, without_judges(folder.path))
    if judges.where == "beside":
        text = f"The discriminators are in {_place(judges)} beside the voice, where training does not look for them."
        yield note("judges.beside", text, f"Save them in {SUBFOLDER}/.", judges_moved(folder.path))


def _or_problem(
    where: str, name: str, found: Tensors | None, problems: list[Diagnostic]
) -> tuple[Judges | None, list[Diagnostic]]:
    errors = [problem for problem in problems if problem.severity == "error"]
    if found is not None and not errors:
        return Judges(where, found), []
    words = " ".join(problem.text for problem in errors)
    ids = sorted({problem.id for problem in errors})
    return None, [
        error(
            "judges.unreadable",
            f"The discriminators in {name} cannot be read. {words}",
            f"{AGAIN} {WITHOUT}",
            causes=ids,
        )
    ]


def _check(folder: Folder, judges: Judges) -> None:
    """Raises `ValueError`, or something else of `CANNOT_BE`, for judges that do not fit."""
    tensors = {name: torch.empty(shape, device="meta") for name, shape in judges.tensors.shapes.items()}
    if judges.where == "folder":
        config = _configured(folder.path / SUBFOLDER)
    else:
        tensors, _ = translate(tensors, RULES, [(VOICE, "part of the voice")], "VITS discriminator")
        told = {ours: folder.raw[theirs] for theirs, ours in TOLD.items() if folder.raw.get(theirs)}
        config, _ = infer_config({name: tensor.shape for name, tensor in tensors.items()}, told)
    if len(config.periods) + config.scales > MOST_JUDGES or len(config.period_channels) > MOST_JUDGES:
        raise ValueError(f"Its configuration asks for more than {MOST_JUDGES} judges or layers of one.")
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in VitsDiscriminator(config).state_dict().items()}
    match_state_dict(tensors, shapes, _place(judges))


def _configured(folder: Path) -> VitsDiscriminatorConfig:
    found = read_json(folder / "config.json")
    if found.table is None:
        raise ValueError(f"{found.problem or 'There is no config.json beside them'}.")
    names = ("periods", "period_channels", "period_kernel_size", "period_stride", "scales", "scale_channels")
    fields: Mapping = {name: found.table[name] for name in names if name in found.table}
    return VitsDiscriminatorConfig(**fields)


def _place(judges: Judges) -> str:
    if judges.where == "beside":
        return judges.tensors.files[0].name if judges.tensors.files else SECOND_MODEL[1]
    return f"{SUBFOLDER}/" if judges.where == "folder" else re.sub(r"\.$", ".*", INSIDE_VOICE)
